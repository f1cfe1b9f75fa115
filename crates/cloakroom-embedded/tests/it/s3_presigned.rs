//! Presigned URLs, used by a client without an SDK: only the signed request is accepted.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;

use crate::harness::in_memory;
use crate::s3::{HELLO_SHA256, bucket};

fn for_a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).expect("in range")
}

/// Sends `body` with the signed headers, some of them replaced or omitted.
async fn put(
    signed: &PresignedRequest,
    body: &'static str,
    replaced: &[(&str, Option<&str>)],
) -> u16 {
    let mut request = reqwest::Client::new().put(signed.uri());
    for (name, value) in signed.headers() {
        let replacement = replaced.iter().find(|(replaced, _)| *replaced == name);
        match replacement {
            Some((_, None)) => {}
            Some((_, Some(other))) => request = request.header(name, *other),
            // The client sets this header itself.
            None if name == "content-length" => {}
            None => request = request.header(name, value),
        }
    }
    request
        .body(body)
        .send()
        .await
        .expect("answered")
        .status()
        .as_u16()
}

#[tokio::test]
async fn an_object_is_read_by_a_signed_url_and_no_other() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let body = ByteStream::from_static(b"hello");
    s3.put_object()
        .bucket("files")
        .key("out/1")
        .body(body)
        .send()
        .await
        .expect("put");
    let signed = s3
        .get_object()
        .bucket("files")
        .key("out/1")
        .response_content_disposition("attachment")
        .presigned(for_a_minute())
        .await
        .expect("signed");
    let get = |url: String| async { reqwest::get(url).await.expect("answered") };
    let url = signed.uri().to_owned();
    let answer = get(url.clone()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("read"), "hello");

    assert_eq!(get(url.replace("out/1", "out/2")).await.status(), 403);
    assert_eq!(
        get(url.replace("Expires=60", "Expires=600")).await.status(),
        403
    );
    let bare = url.split('?').next().unwrap_or_default().to_owned();
    assert_eq!(get(bare).await.status(), 403);
}

#[tokio::test]
async fn an_upload_must_have_the_signed_length_type_and_checksum() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let signed = s3
        .put_object()
        .bucket("files")
        .key("in/1")
        .content_type("text/plain")
        .content_length(5)
        .checksum_sha256(HELLO_SHA256)
        .presigned(for_a_minute())
        .await
        .expect("signed");
    let mut names: Vec<&str> = signed.headers().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["content-length", "content-type", "x-amz-checksum-sha256"]
    );

    let head = || {
        s3.head_object()
            .bucket("files")
            .key("in/1")
            .checksum_mode(ChecksumMode::Enabled)
            .send()
    };
    for (what, status, body, replaced) in [
        ("a longer body", 403, "hello!", &[][..]),
        ("a shorter body", 403, "hell", &[]),
        ("another body", 400, "jello", &[]),
        (
            "another type",
            403,
            "hello",
            &[("content-type", Some("text/html"))],
        ),
        ("no type", 403, "hello", &[("content-type", None)]),
        (
            "another checksum",
            403,
            "jello",
            &[(
                "x-amz-checksum-sha256",
                Some("L7jDxNnTXfLYpQqLAyMhiY6ojDG6C9aFMw1GGYSZ9jI="),
            )],
        ),
        (
            "no checksum",
            403,
            "hello",
            &[("x-amz-checksum-sha256", None)],
        ),
    ] {
        assert_eq!(put(&signed, body, replaced).await, status, "{what}");
        assert!(head().await.is_err(), "{what} left an object");
    }

    assert_eq!(put(&signed, "hello", &[]).await, 200);
    let head = head().await.expect("there");
    assert_eq!(head.checksum_sha256(), Some(HELLO_SHA256));
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(head.content_length(), Some(5));
}

/// Returns the status of a response, and its CORS header with this name.
fn cors(answer: &reqwest::Response, name: &str) -> (u16, Option<String>) {
    let value = answer
        .headers()
        .get(name)
        .map(|value| value.to_str().expect("ASCII").to_owned());
    (answer.status().as_u16(), value)
}

#[tokio::test]
async fn a_page_of_any_origin_may_ask_before_it_puts_or_gets() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let signed = s3
        .put_object()
        .bucket("files")
        .key("in/1")
        .presigned(for_a_minute())
        .await
        .expect("signed");
    let preflight = |method: &'static str| {
        reqwest::Client::new()
            .request(reqwest::Method::OPTIONS, signed.uri())
            .header("origin", "null")
            .header("access-control-request-method", method)
            .header(
                "access-control-request-headers",
                "content-type,x-amz-checksum-sha256",
            )
            .send()
    };
    for method in ["GET", "HEAD", "PUT"] {
        let answer = preflight(method).await.expect("answered");
        assert_eq!(
            cors(&answer, "access-control-allow-origin"),
            (200, Some("*".to_owned())),
            "{method}"
        );
        assert_eq!(
            cors(&answer, "access-control-allow-methods").1.as_deref(),
            Some("GET, HEAD, PUT")
        );
        let headers = cors(&answer, "access-control-allow-headers").1;
        assert_eq!(
            headers.as_deref(),
            Some("content-type,x-amz-checksum-sha256")
        );
    }
    let answer = preflight("DELETE").await.expect("answered");
    assert_eq!(cors(&answer, "access-control-allow-origin"), (403, None));
}

#[tokio::test]
async fn a_page_may_read_every_answer_also_an_error() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let signed = s3
        .put_object()
        .bucket("files")
        .key("in/1")
        .presigned(for_a_minute())
        .await
        .expect("signed");
    let put = |url: String| {
        reqwest::Client::new()
            .put(url)
            .header("origin", "null")
            .body("hello")
            .send()
    };
    let answer = put(signed.uri().to_owned()).await.expect("answered");
    assert_eq!(
        cors(&answer, "access-control-allow-origin"),
        (200, Some("*".to_owned()))
    );
    assert_eq!(
        cors(&answer, "access-control-expose-headers").1.as_deref(),
        Some("ETag")
    );
    let answer = put(signed.uri().replace("in/1", "in/2"))
        .await
        .expect("answered");
    assert_eq!(
        cors(&answer, "access-control-allow-origin"),
        (403, Some("*".to_owned()))
    );
}
