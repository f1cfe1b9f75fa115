//! Operations of S3 that Cloakroom needs, with the SDK.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};

use crate::harness::{Running, in_memory};

/// SHA-256 of `hello`, in Base64.
pub(crate) const HELLO_SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

pub(crate) async fn bucket(running: &Running) -> aws_sdk_s3::Client {
    let s3 = running.s3();
    s3.create_bucket()
        .bucket("files")
        .send()
        .await
        .expect("the bucket is made");
    s3
}

#[tokio::test]
async fn an_object_is_given_back_with_its_checksum_and_type() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    s3.put_object()
        .bucket("files")
        .key("in/1")
        .content_type("text/plain")
        .metadata("job", "7")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .expect("put");

    let head = s3
        .head_object()
        .bucket("files")
        .key("in/1")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .expect("there");
    assert_eq!(head.checksum_sha256(), Some(HELLO_SHA256));
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(
        head.metadata()
            .and_then(|m| m.get("job"))
            .map(String::as_str),
        Some("7")
    );

    s3.copy_object()
        .copy_source("files/in/1")
        .bucket("files")
        .key("claimed/1")
        .send()
        .await
        .expect("copied");
    let copy = s3
        .get_object()
        .bucket("files")
        .key("claimed/1")
        .checksum_mode(ChecksumMode::Enabled)
        .send()
        .await
        .expect("there");
    assert_eq!(copy.checksum_sha256(), Some(HELLO_SHA256));
    assert_eq!(copy.content_type(), Some("text/plain"));
    assert_eq!(
        &copy.body.collect().await.expect("read").into_bytes()[..],
        b"hello"
    );
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let get = s3.get_object().bucket("files").key("none").send().await;
    assert!(
        get.expect_err("missing")
            .into_service_error()
            .is_no_such_key()
    );
    let head = s3.head_object().bucket("files").key("none").send().await;
    assert!(
        head.expect_err("missing")
            .into_service_error()
            .is_not_found()
    );
    let body = ByteStream::from_static(b"x");
    s3.put_object()
        .bucket("files")
        .key("part/of/it")
        .body(body)
        .send()
        .await
        .expect("put");
    let get = s3.get_object().bucket("files").key("part/of").send().await;
    assert!(
        get.expect_err("part of a key")
            .into_service_error()
            .is_no_such_key()
    );
    let head = s3.head_object().bucket("files").key("part").send().await;
    assert!(
        head.expect_err("part of a key")
            .into_service_error()
            .is_not_found()
    );
    s3.delete_object()
        .bucket("files")
        .key("none")
        .send()
        .await
        .expect("no error, as in S3");
    let again = s3
        .create_bucket()
        .bucket("files")
        .send()
        .await
        .expect_err("made already");
    assert!(again.into_service_error().is_bucket_already_owned_by_you());
}

#[tokio::test]
async fn an_object_is_put_only_if_there_is_none_when_so_asked() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let put = |body: &'static [u8]| {
        s3.put_object()
            .bucket("files")
            .key("once")
            .if_none_match("*")
            .body(ByteStream::from_static(body))
            .send()
    };
    put(b"first").await.expect("put");
    let refused = put(b"second")
        .await
        .expect_err("there is one")
        .into_service_error();
    assert_eq!(refused.code(), Some("PreconditionFailed"));
}

#[tokio::test]
async fn a_refused_checksum_leaves_the_object_as_it_was() {
    let running = in_memory().await;
    let s3 = bucket(&running).await;
    let put = |body: &'static [u8]| {
        s3.put_object()
            .bucket("files")
            .key("in/1")
            .checksum_sha256(HELLO_SHA256)
            .body(ByteStream::from_static(body))
            .send()
    };
    let refused = put(b"jello")
        .await
        .expect_err("another body")
        .into_service_error();
    assert_eq!(refused.code(), Some("BadDigest"));
    let head = s3.head_object().bucket("files").key("in/1").send().await;
    assert!(
        head.expect_err("nothing was put")
            .into_service_error()
            .is_not_found()
    );

    put(b"hello").await.expect("put");
    put(b"jello").await.expect_err("another body");
    let object = s3
        .get_object()
        .bucket("files")
        .key("in/1")
        .send()
        .await
        .expect("there");
    assert_eq!(
        &object.body.collect().await.expect("read").into_bytes()[..],
        b"hello"
    );
}
