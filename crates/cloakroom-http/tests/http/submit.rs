//! Section 3: `POST /commands/{type}`.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::ports::Objects as _;
use cloakroom_app::testing::Fault;
use futures::{StreamExt as _, stream};
use http::Request;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::service::{Service, service};

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
async fn the_same_again_is_answered_as_a_poll_and_makes_no_second_job() {
    for (act, status, code) in [
        ("answer", 200, ""),
        ("fail", 400, "job-failed"),
        ("refuse", 422, "out-of-paper"),
    ] {
        let service = service();
        let first = service.act(act, &[KEY]).await;
        let again = service
            .act(act, &[("idempotency-key", "\"order-1042\"")])
            .await;
        assert_eq!(
            (
                again.status,
                again.header("idempotent-replayed"),
                again.json()
            ),
            (202, "true", first.json())
        );
        service.room.work_until_idle().await;
        let (polled, again) = (
            service.get(first.header("location"), &[]).await,
            service.act(act, &[KEY]).await,
        );
        assert_eq!(
            (again.status, polled.status, polled.json()),
            (status, status, again.json())
        );
        assert_eq!(
            (
                again.header("idempotent-replayed"),
                again.header("location")
            ),
            ("true", first.header("location"))
        );
        if !code.is_empty() {
            assert_eq!(again.problem(status, code)["job"]["id"], first.json()["id"]);
        }
        service.room.memory.only_job();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_replayed_as_gone() {
    let service = service();
    let location = service
        .act("answer", &[KEY])
        .await
        .header("location")
        .to_owned();
    service
        .request("DELETE", &location, &[], Body::empty())
        .await;
    let again = service.act("answer", &[KEY]).await;
    again.problem(410, "job-cancelled");
    assert_eq!(
        (
            again.header("idempotent-replayed"),
            again.header("location")
        ),
        ("true", location.as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_used_for_another_command_is_rejected() {
    let service = service();
    service.act("answer", &[KEY]).await;
    service
        .act("fail", &[KEY])
        .await
        .problem(422, "idempotency-key-reused");
    let image = ("idempotency-key", "image-1");
    assert_eq!(
        service
            .request("POST", "/commands/image.keep?width=1", &[PNG, image], "x")
            .await
            .status,
        202
    );
    let response = service
        .request("POST", "/commands/image.keep?width=2", &[PNG, image], "x")
        .await;
    response.problem(422, "idempotency-key-reused");
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
async fn a_malformed_key_or_a_missing_required_one_is_rejected() {
    let service = service();
    for bad in ["", "a b", "\"", "\"\"", &"k".repeat(256)] {
        service
            .act("answer", &[("idempotency-key", bad)])
            .await
            .problem(400, "invalid-idempotency-key");
    }
    service
        .act("answer", &[KEY, KEY])
        .await
        .problem(400, "invalid-idempotency-key");
    service
        .request("POST", "/commands/act.strictly", &[JSON], "{}")
        .await
        .problem(400, "idempotency-key-required");
    assert_eq!(
        service
            .request("POST", "/commands/act.strictly", &[JSON, KEY], "{}")
            .await
            .status,
        202
    );
}

#[tokio::test(start_paused = true)]
async fn a_media_type_that_the_command_does_not_accept_is_rejected_with_those_that_it_does() {
    let service = service();
    for sent in ["text/plain", "", "application/json; charset=latin-1"] {
        let response = service
            .request("POST", "/commands/act", &[("content-type", sent)], "{}")
            .await;
        response.problem(415, "unsupported-media-type");
        assert_eq!(response.header("accept-post"), "application/json", "{sent}");
    }
    for headers in [&[JSON][..], &[], &[KEY, PNG, PNG]] {
        let response = service
            .request("POST", "/commands/image.keep?width=1", headers, "png")
            .await;
        let problem = response.problem(415, "unsupported-media-type");
        assert_eq!(response.header("accept-post"), "image/png, image/jpeg");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("image/png, image/jpeg")),
            "{problem}"
        );
    }
    let encoded = service
        .request(
            "POST",
            "/commands/act",
            &[JSON, ("content-encoding", "gzip")],
            "x",
        )
        .await;
    encoded.problem(415, "unsupported-media-type");
    assert_eq!(encoded.header("accept-encoding"), "identity");
}

#[tokio::test(start_paused = true)]
async fn a_body_as_it_is_may_say_so() {
    let service = service();
    for encoding in ["identity", "IDENTITY"] {
        let headers = [JSON, ("content-encoding", encoding)];
        assert_eq!(
            service
                .request("POST", "/commands/act", &headers, "{}")
                .await
                .status,
            202,
            "{encoding}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn malformed_json_is_told_by_line_and_column() {
    let response = service()
        .request("POST", "/commands/act", &[JSON], "{\n  \"act\": x}")
        .await;
    response.problem(400, "malformed-json");
    insta::assert_json_snapshot!(response.json());
}

#[tokio::test(start_paused = true)]
async fn an_invalid_payload_is_told_by_pointers() {
    let service = service();
    let response = service
        .request("POST", "/commands/act", &[JSON], r#"{"act":"dance"}"#)
        .await;
    response.problem(422, "invalid-payload");
    insta::assert_json_snapshot!(response.json());
    for (query, pointer) in [
        ("width=200", "/width"),
        ("width=x", "/width"),
        ("width=1&height=2", "/height"),
    ] {
        let response = service
            .request(
                "POST",
                &format!("/commands/image.keep?{query}"),
                &[PNG],
                "png",
            )
            .await;
        assert_eq!(
            response.problem(422, "invalid-payload")["errors"][0]["pointer"],
            pointer,
            "{query}"
        );
    }
    service
        .request("POST", "/commands/image.keep?width=1", &[PNG], "")
        .await
        .problem(422, "invalid-payload");
    assert!(
        service.room.memory.calls().is_empty(),
        "nothing is stored before the payload is checked"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_is_rejected_whether_its_length_is_known_or_not() {
    let service = service();
    let response = service
        .request(
            "POST",
            "/commands/act.strictly",
            &[JSON, KEY],
            " ".repeat(21),
        )
        .await;
    let problem = response.problem(413, "payload-too-large");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(
        detail.contains("20 bytes") && detail.contains("POST /uploads"),
        "{detail}"
    );
    assert_eq!(response.header("connection"), "close");

    let pieces =
        stream::iter(0..100).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b' '; 100_000])));
    let request = Request::post("/commands/act")
        .body(Body::from_stream(pieces))
        .expect("a request");
    service
        .send(request)
        .await
        .problem(413, "payload-too-large");
    assert_eq!(
        service
            .request(
                "POST",
                "/commands/act",
                &[JSON],
                format!("{}{{}}", " ".repeat(4 * 1024 * 1024 - 2))
            )
            .await
            .status,
        202
    );
}

#[tokio::test(start_paused = true)]
async fn an_aborted_body_is_rejected() {
    let broken = stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))]);
    let request = Request::post("/commands/act")
        .body(Body::from_stream(broken))
        .expect("a request");
    let problem = service()
        .send(request)
        .await
        .problem(400, "invalid-request");
    assert_eq!(
        problem["detail"],
        "the body was interrupted; send the request again"
    );
}

#[tokio::test(start_paused = true)]
async fn binary_bodies_arrive_byte_for_byte() {
    let service = service();
    let bytes: Vec<u8> = (0..=255).collect();
    let response = service
        .request(
            "POST",
            "/commands/image.keep?width=1",
            &[PNG],
            bytes.clone(),
        )
        .await;
    assert_eq!(response.status, 202);
    service.room.work_until_idle().await;
    let result = service
        .get(&format!("{}/result", response.header("location")), &[])
        .await;
    assert_eq!(
        (
            result.status,
            result.header("content-type"),
            &result.body[..]
        ),
        (200, "image/png", &bytes[..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_may_wait_for_the_end() {
    let service = service();
    for prefer in ["wait=10", "respond-async, wait=10"] {
        let headers = [("prefer", prefer)];
        let (response, ()) = tokio::join!(
            service.act("answer", &headers),
            service.room.work_until_idle()
        );
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (200, "wait=10"),
            "{}",
            response.text()
        );
        assert_eq!(response.json()["result"], json!({ "answer": 42 }));
        assert!(!response.header("location").is_empty());
    }
    let (failed, ()) = tokio::join!(service.act("refuse", &WAIT), service.room.work_until_idle());
    failed.problem(422, "out-of-paper");
    assert!(
        !failed.header("location").is_empty() && failed.header("preference-applied") == "wait=10"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_25_seconds_at_most() {
    let service = service();
    for (prefer, seconds, applied) in [
        ("wait=0", 0, "wait=0"),
        ("wait=3", 3, "wait=3"),
        ("wait=99999999999999999999", 25, "wait=25"),
    ] {
        let begun = Instant::now();
        let response = service.act("answer", &[("prefer", prefer)]).await;
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (202, applied)
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(seconds));
        assert!(!response.header("retry-after").is_empty());
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

async fn uploaded(service: &Service, content_type: &str, bytes: &'static [u8]) -> String {
    let asked = json!({ "content_type": content_type, "content_length": bytes.len() });
    let upload = service
        .request("POST", "/uploads", &[JSON], asked.to_string())
        .await
        .json();
    let url = upload["url"]
        .as_str()
        .expect("a url")
        .trim_start_matches("https://objects.example/")
        .to_owned();
    service
        .room
        .memory
        .put(&url, content_type, Bytes::from_static(bytes))
        .await
        .expect("put");
    upload["upload_id"].as_str().expect("an id").to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_upload_stands_for_the_body_of_one_job() {
    let service = service();
    let id = uploaded(&service, "image/png", b"png").await;
    let path = "/commands/image.keep?width=1";
    let response = service
        .request("POST", path, &[("upload-id", &id), KEY], "")
        .await;
    assert_eq!(response.status, 202, "{}", response.text());
    assert_eq!(
        service
            .request("POST", path, &[("upload-id", &id), KEY], "")
            .await
            .header("idempotent-replayed"),
        "true"
    );
    for other in [
        &[("upload-id", id.as_str())][..],
        &[("upload-id", &id), ("idempotency-key", "another")],
    ] {
        service
            .request("POST", path, other, "")
            .await
            .problem(422, "upload-not-found");
    }
    service.room.work_until_idle().await;
    assert_eq!(
        &service
            .get(&format!("{}/result", response.header("location")), &[])
            .await
            .body[..],
        b"png"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_not_available_or_does_not_fit_is_rejected() {
    let service = service();
    let path = "/commands/image.keep?width=1";
    for id in [
        "",
        "x",
        "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11",
        "00000000-0000-0000-0000-000000000000",
    ] {
        service
            .request("POST", path, &[("upload-id", id)], "")
            .await
            .problem(422, "upload-not-found");
    }
    let id = uploaded(&service, "image/png", b"png").await;
    service
        .request("POST", path, &[("upload-id", &id)], "png")
        .await
        .problem(400, "invalid-request");
    service
        .request("POST", path, &[("upload-id", &id), ("upload-id", &id)], "")
        .await
        .problem(400, "invalid-request");
    service
        .request("POST", "/commands/act", &[("upload-id", &id)], "")
        .await
        .problem(415, "unsupported-media-type");
    let large = uploaded(&service, "image/png", &[0; 1001]).await;
    let problem = service
        .request("POST", path, &[("upload-id", &large)], "")
        .await
        .problem(413, "payload-too-large");
    assert_eq!(problem["limit"], 1000);
    let text = uploaded(&service, "application/json", b"{").await;
    service
        .request("POST", "/commands/act", &[("upload-id", &text)], "")
        .await
        .problem(400, "malformed-json");
}

#[tokio::test(start_paused = true)]
async fn the_trace_goes_along_with_the_command() {
    let service = service();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
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
        ("traceparent", traceparent),
        ("tracestate", "rojo=1"),
        ("x-request-id", "r-1"),
    ])
    .await;
    assert_eq!(
        (&message["traceparent"], &message["tracestate"]),
        (&json!(traceparent), &json!("rojo=1"))
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

#[tokio::test(start_paused = true)]
async fn a_command_that_must_be_new_is_not_replayed() {
    let service = service();
    let star = ("if-none-match", "*");
    let first = service.act("answer", &[KEY, star]).await;
    assert_eq!(first.status, 202);
    service.room.memory.calls();
    service
        .act("answer", &[KEY, star])
        .await
        .problem(412, "precondition-failed");
    service
        .act("answer", &[KEY, ("if-none-match", first.header("etag"))])
        .await
        .problem(412, "precondition-failed");
    assert_eq!(
        service.room.memory.calls(),
        ["accept", "accept"],
        "no second message"
    );
    assert_eq!(
        service
            .act("answer", &[KEY, ("if-none-match", "\"other\"")])
            .await
            .header("idempotent-replayed"),
        "true"
    );
    service
        .act("fail", &[KEY, star])
        .await
        .problem(422, "idempotency-key-reused");
    assert_eq!(
        service.act("answer", &[star]).await.status,
        202,
        "without a key there is no job"
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_must_match_is_replayed_and_never_accepted() {
    let service = service();
    for headers in [
        &[("if-match", "*")][..],
        &[KEY, ("if-match", "*")],
        &[KEY, ("if-match", "\"x\"")],
    ] {
        service
            .act("answer", headers)
            .await
            .problem(412, "precondition-failed");
    }
    assert!(
        !service.room.memory.calls().contains(&"accept"),
        "nothing was recorded"
    );
    let first = service.act("answer", &[KEY]).await;
    for matched in ["*", first.header("etag")] {
        let again = service.act("answer", &[KEY, ("if-match", matched)]).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (202, "true"),
            "{matched}"
        );
    }
    service
        .act("answer", &[KEY, ("if-match", "\"x\"")])
        .await
        .problem(412, "precondition-failed");
    service
        .act("fail", &[KEY, ("if-match", "*")])
        .await
        .problem(422, "idempotency-key-reused");
    service.room.work_until_idle().await;
    service
        .act("answer", &[KEY, ("if-match", first.header("etag"))])
        .await
        .problem(412, "precondition-failed");
    service.room.memory.only_job();
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_rejected_before_any_condition_is_checked() {
    let service = service();
    service
        .act("dance", &[KEY, ("if-match", "*")])
        .await
        .problem(422, "invalid-payload");
    service
        .act("answer", &[KEY, ("if-match", "x")])
        .await
        .problem(400, "invalid-request");
}

#[tokio::test(start_paused = true)]
async fn a_query_of_a_command_that_takes_json_is_rejected() {
    let service = service();
    let problem = service
        .request("POST", "/commands/act?act=nap&x=1", &[JSON], "{}")
        .await
        .problem(422, "invalid-payload");
    assert_eq!(problem["errors"][0]["pointer"], "/act");
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        service
            .request("POST", "/commands/act?", &[JSON], "{}")
            .await
            .status,
        202
    );
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_is_skipped_and_belongs_to_the_fingerprint() {
    let service = service();
    assert_eq!(
        service
            .request("POST", "/commands/act", &[JSON, KEY], "\u{feff}{}")
            .await
            .status,
        202
    );
    service
        .request("POST", "/commands/act", &[JSON, KEY], "{}")
        .await
        .problem(422, "idempotency-key-reused");
    assert_eq!(
        service
            .request("POST", "/commands/act", &[JSON, KEY], "\u{feff}{}")
            .await
            .header("idempotent-replayed"),
        "true"
    );
    service.room.work_until_idle().await;
    assert_eq!(service.room.memory.only_job().status.as_str(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_number_in_the_query_is_written_as_in_json() {
    let service = service();
    for width in ["100", "100.0", "1e2"] {
        let path = format!("/commands/image.keep?width={width}");
        assert_eq!(
            service.request("POST", &path, &[PNG], "x").await.status,
            202,
            "{width}"
        );
    }
    for width in ["1.5", "null", "101", "-1", ""] {
        let path = format!("/commands/image.keep?width={width}");
        let problem = service
            .request("POST", &path, &[PNG], "x")
            .await
            .problem(422, "invalid-payload");
        assert_eq!(problem["errors"][0]["pointer"], "/width", "{width}");
    }
}
