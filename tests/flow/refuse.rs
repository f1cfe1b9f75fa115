//! Invalid input gets the documented response over a real connection.

use cloakroom_tests::{Deployment, Test, header, json, suite};
use reqwest::Method;
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_body_over_the_limit_is_answered_not_cut_off,
        a_body_far_over_the_limit_is_answered_not_cut_off => [AnyBody],
        each_kind_of_bad_input_has_its_answer,
    ]
}

fn problem(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().expect("a code"))
}

async fn spaces(length: usize) -> (u16, Value) {
    let cloakroom = Deployment::get().await;
    let request = cloakroom
        .request(Method::POST, "/commands/diagnostic.run")
        .header("Content-Type", "application/json");
    json(
        request
            .body(vec![b' '; length])
            .send()
            .await
            .expect("an answer, not a dropped connection"),
    )
    .await
}

async fn a_body_over_the_limit_is_answered_not_cut_off() {
    let answer = spaces(4 * 1024 * 1024 + 1).await;
    assert_eq!(problem(&answer), (413, "payload-too-large"));
    let detail = answer.1["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("4194304") && detail.contains("/uploads"),
        "{detail}"
    );
}

/// A gateway may respond itself, with a different limit.
async fn a_body_far_over_the_limit_is_answered_not_cut_off() {
    let answer = spaces(30_000_000).await;
    assert_eq!(problem(&answer), (413, "payload-too-large"));
    let detail = answer.1["detail"].as_str().expect("a detail");
    assert!(detail.contains("/uploads"), "{detail}");
}

async fn each_kind_of_bad_input_has_its_answer() {
    let cloakroom = Deployment::get().await;
    let post = |path: &str, content_type: &str, body: &str| {
        cloakroom
            .request(Method::POST, path)
            .header("Content-Type", content_type)
            .body(body.to_owned())
            .send()
    };
    let run = "/commands/diagnostic.run";
    for (path, content_type, body, expected) in [
        (
            "/commands/no.such",
            "application/json",
            "{}",
            (404, "unknown-command"),
        ),
        (run, "text/plain", "{}", (415, "unsupported-media-type")),
        (run, "application/json", "{\"a\":", (400, "malformed-json")),
        (
            run,
            "application/json",
            &"[".repeat(100_000),
            (400, "malformed-json"),
        ),
        (
            run,
            "application/json",
            "{\"colour\": 1}",
            (422, "invalid-payload"),
        ),
        (
            run,
            "application/json",
            "{\"duration_ms\": 900001}",
            (422, "invalid-payload"),
        ),
        (
            "/commands/thumbnail.create?width=0",
            "image/png",
            "x",
            (422, "invalid-payload"),
        ),
        (
            "/uploads",
            "application/json",
            "{}",
            (422, "invalid-payload"),
        ),
        ("/nowhere", "application/json", "{}", (404, "not-found")),
        (
            "/jobs",
            "application/json",
            "{}",
            (405, "method-not-allowed"),
        ),
    ] {
        let answer = post(path, content_type, body).await.expect("an answer");
        assert_eq!(
            header(&answer, "content-type"),
            Some("application/problem+json"),
            "{path} {body:.20}"
        );
        assert!(header(&answer, "x-request-id").is_some());
        assert_eq!(problem(&json(answer).await), expected, "{path} {body:.20}");
    }
    for path in [
        "/jobs/x",
        "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11",
        "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11/result",
    ] {
        assert_eq!(
            problem(&json(cloakroom.get_at(path).await).await),
            (404, "unknown-job"),
            "{path}"
        );
    }
    for key in ["", "a b", "\"open", &"k".repeat(256)] {
        let answer = json(cloakroom.diagnose(Some(key), &json!({})).await).await;
        assert_eq!(
            problem(&answer),
            (400, "invalid-idempotency-key"),
            "{key:?}"
        );
    }
}
