//! The payload: sent in the body or stored before as an upload.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use cloakroom_http::Site;
use futures::{StreamExt as _, stream};
use http::Request;

use super::{JSON, KEY, PNG};
use crate::service::{service, service_with};

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
    for encodings in [
        &["gzip"][..],
        &["br"],
        &["identity, gzip"],
        &["identity", "gzip"],
    ] {
        let mut headers = vec![JSON];
        headers.extend(
            encodings
                .iter()
                .map(|encoding| ("content-encoding", *encoding)),
        );
        let encoded = service
            .request("POST", "/commands/act", &headers, "x")
            .await;
        encoded.problem(415, "unsupported-media-type");
        assert_eq!(
            encoded.header("accept-encoding"),
            "identity",
            "{encodings:?}"
        );
    }
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
    let below = service_with(Site::from_base_url("/v1"));
    let large = " ".repeat(21);
    let headers = [JSON, KEY];
    let response = below.request("POST", "/v1/commands/act.strictly", &headers, large);
    let problem = response.await.problem(413, "payload-too-large");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("POST /v1/uploads"), "{detail}");

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
async fn an_upload_stands_for_the_body_of_one_job() {
    let service = service();
    let id = service.uploaded("image/png", b"png").await;
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
    let id = service.uploaded("image/png", b"png").await;
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
    let large = service.uploaded("image/png", &[0; 1001]).await;
    let problem = service
        .request("POST", path, &[("upload-id", &large)], "")
        .await
        .problem(413, "payload-too-large");
    assert_eq!(problem["limit"], 1000);
    let text = service.uploaded("application/json", b"{").await;
    service
        .request("POST", "/commands/act", &[("upload-id", &text)], "")
        .await
        .problem(400, "malformed-json");
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
