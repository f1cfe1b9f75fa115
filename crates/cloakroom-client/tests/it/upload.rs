use std::io::Write as _;

use cloakroom_client::{Error, Submission};
use serde_json::{Value, json};

use crate::script::{Reply, Server, client, job, problem, reply};

/// SHA-256 of `0123456789`, in base64.
const SHA256: &str = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=";

fn ticket(storage: &str) -> Reply {
    let headers = json!({ "content-type": "image/png", "x-amz-checksum-sha256": SHA256, "content-length": "10" });
    let ticket = json!({
        "upload_id": "u-1", "method": "PUT", "url": format!("{storage}/bucket/u-1?signature=1"),
        "headers": headers, "expires_at": "2026-11-21T08:15:00.000Z",
    });
    reply(201, &[], ticket.to_string())
}

fn accepted() -> Reply {
    reply(202, &[], job("accepted", &json!({})).to_string())
}

#[tokio::test]
async fn a_large_file_is_uploaded_and_then_named() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"0123456789").expect("written");
    let storage = Server::start([reply(503, &[], ""), Reply::Drop, reply(200, &[], "")]).await;
    let server = Server::start([
        reply(503, &[], ""),
        ticket(&storage.url),
        reply(503, &[], ""),
        accepted(),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| {
        builder.body_limit(9).bearer_token("secret")
    });
    let photo = Submission::file("thumbnail.create", "image/png", file.path())
        .query("width", 100)
        .key("order-1042");
    client.send(photo).await.expect("accepted");

    let seen = server.end();
    let lines: Vec<_> = seen.iter().map(|seen| seen.line.as_str()).collect();
    let command = "POST /commands/thumbnail.create?width=100";
    assert_eq!(lines, ["POST /uploads", "POST /uploads", command, command]);
    let asked: Value = serde_json::from_slice(&seen[1].body).expect("JSON");
    assert_eq!(
        asked,
        json!({ "content_type": "image/png", "content_length": 10, "sha256": SHA256 })
    );
    for named in &seen[2..] {
        assert_eq!(
            (named.header("upload-id"), named.header("idempotency-key")),
            (Some("u-1"), Some("\"order-1042\""))
        );
        assert!(named.body.is_empty());
    }

    let stored = storage.end();
    for put in &stored {
        assert_eq!(
            (put.line.as_str(), &*put.body),
            ("PUT /bucket/u-1?signature=1", b"0123456789".as_slice())
        );
        assert_eq!(
            (
                put.header("content-type"),
                put.header("x-amz-checksum-sha256")
            ),
            (Some("image/png"), Some(SHA256))
        );
        assert_eq!(
            (
                put.header("content-length"),
                put.header("transfer-encoding"),
                put.header("authorization")
            ),
            (Some("10"), None, None)
        );
    }
    assert_eq!(stored.len(), 3);
}

#[tokio::test]
async fn what_the_service_finds_too_large_for_a_body_is_uploaded() {
    let storage = Server::start([reply(200, &[], "")]).await;
    // API Gateway's own answer is no problem document.
    let server = Server::start([
        reply(413, &[], r#"{"message":"Request Too Long"}"#),
        ticket(&storage.url),
        accepted(),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    client
        .send(Submission::bytes(
            "thumbnail.create",
            "image/png",
            "0123456789",
        ))
        .await
        .expect("accepted");
    let seen = server.end();
    assert_eq!(
        seen[0].header("idempotency-key"),
        seen[2].header("idempotency-key")
    );
    assert_eq!(&*storage.end()[0].body, b"0123456789");
}

#[tokio::test]
async fn a_url_that_has_expired_is_asked_for_once_more() {
    let storage = Server::start([reply(403, &[], "<Error/>"), reply(200, &[], "")]).await;
    let server = Server::start([ticket(&storage.url), ticket(&storage.url), accepted()]).await;
    let (client, _) = client(&server.url, |builder| builder.body_limit(0));
    client
        .send(Submission::bytes("a", "image/png", "0123456789"))
        .await
        .expect("accepted");
    storage.end();
    server.end();
}

#[tokio::test]
async fn a_payload_that_is_too_large_altogether_is_refused() {
    // As a body, and as an upload.
    let server = Server::start((0..2).map(|_| problem(413, "payload-too-large", None))).await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client
        .send(Submission::bytes("a", "image/png", "0123456789"))
        .await
        .expect_err("too large");
    assert!(
        matches!(&error, Error::Problem(problem) if problem.code == "payload-too-large"),
        "{error}"
    );
    server.end();
}

/// Returns the storage's response if the session of the role that signed the link has ended.
fn ended(status: u16) -> Reply {
    reply(
        status,
        &[],
        "<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>The token expired</Message></Error>",
    )
}

#[tokio::test]
async fn a_link_whose_signer_has_no_session_any_more_is_renewed_more_than_once() {
    let storage = Server::start([ended(403), ended(400), reply(200, &[], "")]).await;
    let server = Server::start([
        ticket(&storage.url),
        ticket(&storage.url),
        ticket(&storage.url),
        accepted(),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| {
        builder
            .body_limit(0)
            .retry_within(std::time::Duration::ZERO)
    });
    client
        .send(Submission::bytes("a", "image/png", "0123456789"))
        .await
        .expect("accepted");
    assert!(clock.waits_ms().is_empty(), "a fresh link is no retry");
    storage.end();
    server.end();
}

#[tokio::test]
async fn a_link_that_is_never_good_is_an_error_in_the_end() {
    let storage = Server::start((0..4).map(|_| ended(403))).await;
    let server = Server::start((0..4).map(|_| ticket(&storage.url))).await;
    let (client, _) = client(&server.url, |builder| builder.body_limit(0));
    let error = client
        .send(Submission::bytes("a", "image/png", "0123456789"))
        .await
        .expect_err("no good link");
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    storage.end();
    server.end();
}

#[tokio::test]
async fn a_file_that_was_rewritten_is_blamed_when_the_storage_rejects_its_bytes() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(&vec![7; 5_000_000]).expect("written");
    let input = cloakroom_client::Input::open(file.path())
        .await
        .expect("input");
    file.as_file().set_len(5_000_001).expect("longer");
    let storage = Server::start([reply(400, &[], "<Error><Code>BadDigest</Code></Error>")]).await;
    let server = Server::start([ticket(&storage.url)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let payload = cloakroom_client::Payload::Input {
        content_type: "image/png".to_owned(),
        input,
    };
    let error = client
        .send(Submission {
            payload,
            ..Submission::json("a", ())
        })
        .await
        .expect_err("not taken");
    assert!(matches!(error, Error::Input { .. }), "{error}");
    storage.end();
}
