//! Servers that never come to an end.

use std::sync::LazyLock;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, advance, pause};

use super::server::{LOCAL, Server, flood, read_request, until_closed, until_received, write};
use crate::{PostError, TIME_LIMIT};

async fn post(url: &str, body: Bytes) -> Result<u16, PostError> {
    LOCAL.post(url, &[], body).await
}

#[tokio::test]
async fn an_endless_body_does_not_hold_the_call() {
    let server = Server::bind();
    let url = server.url("http");
    let serving = tokio::spawn(async move {
        let mut stream = server.accept().await;
        read_request(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\n\r\n")
            .await
            .expect("sent");
        flood(&mut stream, &"a".repeat(65536)).await;
    });
    assert_eq!(post(&url, Bytes::new()).await, Ok(200));
    serving.await.expect("the connection is closed");
}

/// Posts to a server that receives the first bytes of a request, and then does nothing but wait. Returns the seconds until
/// the timeout.
async fn post_to_silence(scheme: &str, body: Bytes) -> u64 {
    let server = Server::bind();
    let url = server.url(scheme);
    let (closed, is_closed) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let mut stream = server.accept().await;
        until_received(&stream).await;
        // Time now jumps to the time limit as soon as there is nothing left to do.
        pause();
        is_closed.await.expect("the call has ended");
        until_closed(&mut stream).await;
    });
    LazyLock::force(&LOCAL);
    let began = Instant::now();
    let error = post(&url, body).await.expect_err("no response");
    let passed = began.elapsed().as_secs();
    // Without a connection the server would wait forever.
    assert_eq!(error, PostError::Timeout);
    closed.send(()).expect("a server");
    serving.await.expect("the connection is closed");
    passed
}

#[tokio::test]
async fn a_server_that_never_responds_ends_the_call_after_15_s() {
    let seconds = post_to_silence("http", Bytes::new()).await;
    assert_eq!((seconds, TIME_LIMIT.as_secs()), (15, 15));
    assert_eq!(PostError::Timeout.to_string(), "no response within 15 s");
}

#[tokio::test]
async fn a_server_that_never_reads_the_body_ends_the_call_after_15_s() {
    let body = Bytes::from(vec![b'a'; 64 * 1024 * 1024]);
    assert_eq!(post_to_silence("http", body).await, 15);
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_ends_the_call_after_15_s() {
    assert_eq!(post_to_silence("https", Bytes::new()).await, 15);
}

#[tokio::test]
async fn a_flood_of_interim_responses_does_not_hold_the_call() {
    let server = Server::bind();
    let url = server.url("http");
    let serving = tokio::spawn(async move {
        let mut stream = server.accept().await;
        read_request(&mut stream).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        for _ in 0..10_000 {
            write(&mut stream, hints).await.expect("the call goes on");
        }
        pause();
        advance(TIME_LIMIT).await;
        flood(&mut stream, hints).await;
    });
    assert_eq!(post(&url, Bytes::new()).await, Err(PostError::Timeout));
    serving.await.expect("the connection is closed");
}

#[tokio::test]
async fn an_endless_head_does_not_hold_the_call() {
    let server = Server::bind();
    let url = server.url("http");
    let serving = tokio::spawn(async move {
        let mut stream = server.accept().await;
        read_request(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\n")
            .await
            .expect("sent");
        flood(&mut stream, "a: b\r\n").await;
    });
    assert_eq!(post(&url, Bytes::new()).await, Err(PostError::Other));
    serving.await.expect("the connection is closed");
}
