use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use cloakroom_client::{Error, JobResult};
use http_body::Frame;
use serde_json::json;

use crate::script::{ID, Server, client, job, problem, reply};

async fn text(result: JobResult) -> (String, String) {
    let JobResult::Content(download) = result else {
        panic!("want content, not {result:?}")
    };
    let content_type = download.content_type().to_owned();
    let bytes = download.bytes().await.expect("the whole");
    (
        content_type,
        String::from_utf8(bytes.to_vec()).expect("text"),
    )
}

#[tokio::test]
async fn follows_a_redirect_without_the_callers_headers() {
    let storage = Server::start([reply(200, &[("content-type", "image/png")], "a picture")]).await;
    let place = format!("{}/bucket/key?signature=1", storage.url);
    let server = Server::start([reply(303, &[("location", &place)], "")]).await;
    let (client, _) = client(&server.url, |builder| {
        builder.bearer_token("secret").header("x-api-key", "secret")
    });
    let result = client.result(ID).await.expect("a result");
    assert_eq!(
        text(result).await,
        ("image/png".to_owned(), "a picture".to_owned())
    );
    assert_eq!(
        server.end()[0].header("authorization"),
        Some("Bearer secret")
    );
    let seen = storage.end();
    assert_eq!(seen[0].line, "GET /bucket/key?signature=1");
    assert_eq!(
        (seen[0].header("authorization"), seen[0].header("x-api-key")),
        (None, None)
    );
}

#[tokio::test]
async fn a_storage_that_is_away_is_asked_anew_by_way_of_the_service() {
    let storage = Server::start([reply(503, &[], ""), reply(200, &[], "data")]).await;
    let redirect = || reply(303, &[("location", &format!("{}/key", storage.url))], "");
    let server = Server::start([redirect(), redirect()]).await;
    let (client, clock) = client(&server.url, |builder| builder);
    assert_eq!(
        text(client.result(ID).await.expect("a result")).await.1,
        "data"
    );
    assert_eq!(clock.waits_ms(), [250]);
    storage.end();
    server.end();
}

#[tokio::test]
async fn follows_to_a_resource_on_the_same_site_as_the_caller() {
    let server = Server::start([
        reply(303, &[("location", "/orders/7")], ""),
        reply(200, &[], "order 7"),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder.bearer_token("secret"));
    assert_eq!(
        text(client.result(ID).await.expect("a result")).await.1,
        "order 7"
    );
    let seen = server.end();
    assert_eq!(
        (seen[1].line.as_str(), seen[1].header("authorization")),
        ("GET /orders/7", Some("Bearer secret"))
    );
}

#[tokio::test]
async fn tells_no_result_from_not_yet_and_from_never() {
    let server = Server::start([
        reply(204, &[], ""),
        reply(
            202,
            &[("retry-after", "3")],
            job("running", &json!({})).to_string(),
        ),
        problem(400, "job-failed", Some(job("failed", &json!({})))),
        problem(410, "job-cancelled", Some(job("cancelled", &json!({})))),
        problem(404, "unknown-job", None),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    assert!(matches!(client.result(ID).await, Ok(JobResult::Nothing)));
    assert!(
        matches!(client.result(ID).await, Ok(JobResult::NotYet(snapshot)) if snapshot.retry_after.is_some())
    );
    assert!(matches!(client.result(ID).await, Err(Error::JobFailed(_))));
    assert!(matches!(
        client.result(ID).await,
        Err(Error::JobCancelled(_))
    ));
    assert!(matches!(client.result(ID).await, Err(Error::Problem(_))));
    server.end();
}

#[tokio::test]
async fn a_result_that_breaks_off_is_no_shorter_result() {
    let server = Server::start([reply(
        200,
        &[("content-length", "10")],
        Body::new(Broken {
            piece: Some("short"),
            sent: false,
        }),
    )])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    let JobResult::Content(download) = client.result(ID).await.expect("a beginning") else {
        panic!("want content")
    };
    let error = download.bytes().await.expect_err("it broke off");
    assert!(matches!(error, Error::Transport { .. }), "{error}");
    server.end();
}

#[tokio::test]
async fn does_not_go_round_in_circles() {
    let server = Server::start((0..6).map(|_| reply(303, &[("location", "/again")], ""))).await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client.result(ID).await.expect_err("no end to it");
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    server.end();
}

#[tokio::test]
async fn a_link_that_has_expired_is_requested_again() {
    let expired = |status| reply(status, &[], "<Error><Code>ExpiredToken</Code></Error>");
    let storage = Server::start([expired(403), expired(400), reply(200, &[], "data")]).await;
    let redirect = || {
        reply(
            303,
            &[(
                "location",
                &format!("{}/key?X-Amz-Signature=1", storage.url),
            )],
            "",
        )
    };
    let server = Server::start([redirect(), redirect(), redirect()]).await;
    let (client, clock) = client(&server.url, |builder| {
        builder.retry_within(std::time::Duration::ZERO)
    });
    assert_eq!(
        text(client.result(ID).await.expect("a result")).await.1,
        "data"
    );
    assert!(clock.waits_ms().is_empty(), "a fresh link is no retry");
    storage.end();
    server.end();
}

#[tokio::test]
async fn each_code_of_an_expired_link_is_known_and_three_links_are_requested_at_most() {
    for code in ["ExpiredToken", "ExpiredTokenException", "RequestExpired"] {
        for (times, is_found) in [(3, true), (4, false)] {
            let expired = || reply(400, &[], format!("<Error><Code>{code}</Code></Error>"));
            let storage = (0..times)
                .map(|_| expired())
                .chain(is_found.then(|| reply(200, &[], "data")));
            let storage = Server::start(storage).await;
            let redirect = || reply(303, &[("location", &format!("{}/key", storage.url))], "");
            let server = Server::start((0..4).map(|_| redirect())).await;
            let (client, _) = client(&server.url, |builder| builder);
            assert_eq!(client.result(ID).await.is_ok(), is_found, "{code} {times}");
            storage.end();
            server.end();
        }
    }
}

#[tokio::test]
async fn a_link_that_is_forbidden_twice_is_an_error_without_its_signature() {
    let storage =
        Server::start((0..2).map(|_| reply(403, &[], "<Error><Code>AccessDenied</Code></Error>")))
            .await;
    let redirect = || {
        reply(
            303,
            &[(
                "location",
                &format!("{}/key?X-Amz-Signature=secret", storage.url),
            )],
            "",
        )
    };
    let server = Server::start([redirect(), redirect()]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client.result(ID).await.expect_err("forbidden");
    assert!(
        matches!(error, Error::Protocol(_)) && !error.to_string().contains("secret"),
        "{error}"
    );
    storage.end();
    server.end();
}

/// A body that fails after its first piece is on its way.
struct Broken {
    piece: Option<&'static str>,
    sent: bool,
}

impl axum::body::HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(piece) = self.piece.take() {
            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
        }
        if !std::mem::replace(&mut self.sent, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(std::io::Error::other("broken"))))
    }
}
