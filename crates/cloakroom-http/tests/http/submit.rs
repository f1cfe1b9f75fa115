//! Section 3: `POST /commands/{type}`.

mod payloads;
mod replays;

use std::time::Duration;

use cloakroom_app::testing::Fault;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::service::{TRACEPARENT, service};

const KEY: (&str, &str) = ("idempotency-key", "order-1042");
const JSON: (&str, &str) = ("content-type", "application/json");
const WAIT: [(&str, &str); 1] = [("prefer", "wait=10")];
const PNG: (&str, &str) = ("content-type", "image/png");

#[tokio::test(start_paused = true)]
async fn a_command_is_accepted_with_its_location_and_the_job() {
    let service = service();
    let response = service.act("answer", &[KEY]).await;
    assert_eq!(response.status, 202);
    assert_eq!(
        response.header("location"),
        response.json()["links"]["self"].as_str().expect("a link")
    );
    assert_eq!(
        (
            response.header("retry-after"),
            response.header("idempotent-replayed")
        ),
        ("1", "")
    );
    assert!(
        !response.header("etag").is_empty() && response.header("preference-applied").is_empty()
    );
    insta::assert_json_snapshot!(response.json());
    let polled = service.get(response.header("location"), &[]).await;
    assert_eq!(
        (polled.json(), polled.header("etag")),
        (response.json(), response.header("etag"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_not_registered_is_unknown_whatever_is_sent() {
    let service = service();
    for path in [
        "/commands/act.out",
        "/commands/Act",
        "/commands/%00",
        "/commands/%FF",
        "/commands/-",
        &format!("/commands/{}", "a".repeat(129)),
    ] {
        let response = service
            .request("POST", path, &[("idempotency-key", "")], "not json")
            .await;
        let problem = response.problem(404, "unknown-command");
        assert!(!problem.to_string().contains("act.strictly"), "lists none");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_wait_for_the_end() {
    let service = service();
    for prefer in ["wait=10", "respond-async, wait=10"] {
        let headers = [("prefer", prefer)];
        let (response, ()) = tokio::join!(service.act("answer", &headers), service.work_soon());
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (200, "wait=10"),
            "{}",
            response.text()
        );
        assert_eq!(response.json()["result"], json!({ "answer": 42 }));
        assert!(!response.header("location").is_empty());
    }
    let (failed, ()) = tokio::join!(service.act("refuse", &WAIT), service.work_soon());
    failed.problem(422, "out-of-paper");
    assert!(
        !failed.header("location").is_empty() && failed.header("preference-applied") == "wait=10"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_25_seconds_at_most() {
    let service = service();
    for (prefer, seconds, applied, retry_after) in [
        ("wait=0", 0, "wait=0", "1"),
        ("wait=3", 3, "wait=3", "1"),
        ("wait=99999999999999999999", 25, "wait=25", "5"),
    ] {
        let begun = Instant::now();
        let response = service.act("answer", &[("prefer", prefer)]).await;
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (202, applied)
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(seconds));
        assert_eq!(response.header("retry-after"), retry_after);
    }
    for (prefer, applied) in [
        ("respond-async", "respond-async"),
        ("wait=x", ""),
        ("handling=strict", ""),
    ] {
        assert_eq!(
            service
                .act("answer", &[("prefer", prefer)])
                .await
                .header("preference-applied"),
            applied
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_the_end_is_not_answered_at_the_start() {
    let service = service();
    let begun = Instant::now();
    let submits = async {
        let response = service.act("nap", &[("prefer", "wait=20")]).await;
        (response, begun.elapsed())
    };
    let ((response, took), ()) = tokio::join!(submits, service.work_soon());
    assert_eq!((response.status, took), (202, Duration::from_secs(20)));
    assert_eq!(response.json()["status"], "running");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_fails_does_not_hide_that_the_job_was_accepted() {
    let service = service();
    service.room.memory.fail("load", Fault::Before);
    let response = service.act("answer", &[("prefer", "wait=5")]).await;
    assert_eq!(response.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_browsers_form_is_sent_on_to_the_page() {
    let service = service();
    let browser = (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );
    let response = service.act("answer", &[KEY, browser]).await;
    assert_eq!(
        (response.status, response.header("idempotent-replayed")),
        (303, "")
    );
    let again = service.act("answer", &[KEY, browser]).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (303, "true")
    );
    assert_eq!(service.get(again.header("location"), &[]).await.status, 202);
    assert_eq!(
        service.act("answer", &[("accept", "*/*")]).await.status,
        202
    );
    service
        .act("dance", &[browser])
        .await
        .problem(422, "invalid-payload");
}

#[tokio::test(start_paused = true)]
async fn the_trace_goes_along_with_the_command() {
    let service = service();
    let carried = async |headers: &[(&str, &str)]| -> Value {
        service.act("answer", headers).await;
        let body = service
            .room
            .memory
            .receive(Duration::from_secs(60))
            .expect("a message")
            .body;
        serde_json::from_str(&body).expect("JSON")
    };
    let message = carried(&[
        ("traceparent", TRACEPARENT),
        ("tracestate", "rojo=1"),
        ("x-request-id", "r-1"),
    ])
    .await;
    assert_eq!(
        (&message["traceparent"], &message["tracestate"]),
        (&json!(TRACEPARENT), &json!("rojo=1"))
    );
    assert_eq!(
        (&message["request_id"], service.room.memory.xray()),
        (&json!("r-1"), None)
    );

    let xray = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let message = carried(&[("x-amzn-trace-id", xray)]).await;
    assert_eq!(
        message["traceparent"],
        "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
    );
    assert_eq!(
        service.room.memory.xray().as_deref(),
        Some(xray),
        "beside the message"
    );

    let message = carried(&[("traceparent", "junk")]).await;
    let made = message["traceparent"].as_str().expect("one that was made");
    assert!(cloakroom_app::TraceContext::parse(made).is_some(), "{made}");
}
