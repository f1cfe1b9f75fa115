//! Responses of servers, and failures of connections.

use std::process::Command;

use bytes::Bytes;
use cloakroom_app::ports::WebhookSender;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;

use super::server::{LOCAL, Server, read_request, until_closed, until_received, write};
use crate::PostError;

async fn post(url: &str) -> Result<u16, PostError> {
    let headers = [
        ("content-type", "application/json"),
        ("webhook-id", "evt_1"),
    ];
    let body = Bytes::from_static(b"{\"a\":1}");
    LOCAL.post(url, &headers, body).await
}

#[tokio::test]
async fn the_status_is_returned() {
    for (response, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410),
        (
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 9\r\n\r\n",
            503,
        ),
        (
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            200,
        ),
    ] {
        let server = Server::bind();
        let url = server.url("http");
        let serving = server.respond(response);
        assert_eq!(post(&url).await, Ok(status));
        serving.await.expect("the connection is closed");
    }
}

#[tokio::test]
async fn the_request_has_the_callers_headers_and_body() {
    let server = Server::bind();
    let (url, addr) = (server.url("http"), server.addr);
    let serving = server.respond("HTTP/1.1 200 OK\r\n\r\n");
    post(&url).await.expect("a status");
    let request = serving.await.expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let mut lines: Vec<_> = head.split("\r\n").collect();
    lines[1..].sort_unstable();
    let host = format!("host: {addr}");
    let expected = [
        "POST /hook HTTP/1.1",
        "accept: */*",
        "content-length: 7",
        "content-type: application/json",
        &host,
        "user-agent: Cloakroom-Webhooks/0.1",
        "webhook-id: evt_1",
    ];
    assert_eq!((lines.as_slice(), body), (&expected[..], "{\"a\":1}"));
}

#[tokio::test]
async fn each_character_that_a_url_may_contain_can_be_sent() {
    let server = Server::bind();
    let characters = "!\"$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~";
    let url = format!("{}/{characters}?{characters}", server.url("http"));
    let serving = server.respond("HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(post(&url).await, Ok(200));
    serving.await.expect("the connection is closed");
}

#[tokio::test]
async fn the_port_of_deliveries_returns_the_status_or_the_reason() {
    let port: &dyn WebhookSender = &*LOCAL;
    let server = Server::bind();
    let url = server.url("http");
    let serving = server.respond("HTTP/1.1 204 No Content\r\n\r\n");
    let headers = [("webhook-id", "evt_1")];
    let body = Bytes::from_static(b"{}");
    assert_eq!(port.post(&url, &headers, body.clone()).await, Ok(204));
    let request = serving.await.expect("a request");
    assert!(request.contains("webhook-id: evt_1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
    let refused = port.post("hooks", &headers, body).await;
    assert_eq!(refused, Err("the URL is not valid".to_owned()));
}

#[tokio::test]
async fn a_header_that_is_passed_twice_is_sent_twice() {
    let server = Server::bind();
    let url = server.url("http");
    let serving = server.respond("HTTP/1.1 200 OK\r\n\r\n");
    let headers = [("a", "1"), ("a", "2")];
    let posted = LOCAL.post(&url, &headers, Bytes::new()).await;
    assert_eq!(posted, Ok(200));
    let request = serving.await.expect("a request");
    assert!(request.contains("a: 1\r\na: 2\r\n"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::bind();
    for status in [301, 302, 303, 307, 308] {
        let server = Server::bind();
        let url = server.url("http");
        let location = target.url("http");
        let serving = tokio::spawn(async move {
            let mut stream = server.accept().await;
            read_request(&mut stream).await;
            let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\n\r\n");
            write(&mut stream, &head).await.expect("sent");
            until_closed(&mut stream).await;
        });
        assert_eq!(post(&url).await, Ok(status));
        serving.await.expect("the connection is closed");
    }
    target.assert_no_connection();
}

#[tokio::test]
async fn a_refused_connection_is_reported() {
    // A port that is bound, and on which no program listens.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a free port");
    let url = format!("http://{}/", socket.local_addr().expect("an address"));
    assert_eq!(post(&url).await, Err(PostError::Refused));
}

#[tokio::test]
async fn a_reset_connection_is_reported() {
    let server = Server::bind();
    let url = server.url("http");
    // Closing a connection with unread bytes resets it.
    tokio::spawn(async move { until_received(&server.accept().await).await });
    assert_eq!(post(&url).await, Err(PostError::Refused));
}

#[tokio::test]
async fn a_connection_that_is_closed_without_a_response_is_reported() {
    let server = Server::bind();
    let url = server.url("http");
    tokio::spawn(async move { read_request(&mut server.accept().await).await });
    assert_eq!(post(&url).await, Err(PostError::Other));
}

#[tokio::test]
async fn a_response_that_is_not_http_is_reported() {
    let server = Server::bind();
    let url = server.url("http");
    let serving = server.respond("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    assert_eq!(post(&url).await, Err(PostError::Other));
    serving.await.expect("the connection is closed");
}

#[tokio::test]
async fn plain_http_on_an_https_url_is_a_tls_error() {
    let server = Server::bind();
    let url = server.url("https");
    tokio::spawn(async move {
        let mut stream = server.accept().await;
        until_received(&stream).await;
        write(&mut stream, "HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("sent");
        until_closed(&mut stream).await;
    });
    assert_eq!(post(&url).await, Err(PostError::Tls));
}

#[tokio::test]
async fn a_tls_handshake_that_the_server_ends_is_a_tls_error() {
    let server = Server::bind();
    let url = server.url("https");
    tokio::spawn(async move {
        let mut greeting = [0; 4096];
        server.accept().await.read(&mut greeting).await
    });
    assert_eq!(post(&url).await, Err(PostError::Tls));
}

#[tokio::test]
async fn a_header_that_is_not_valid_is_reported() {
    let server = Server::bind();
    for header in [("webhook-id", "a\r\nb: c"), ("webhook id", "a")] {
        let posted = LOCAL
            .post(&server.url("http"), &[header], Bytes::new())
            .await;
        assert_eq!(posted, Err(PostError::InvalidHeader));
    }
    server.assert_no_connection();
}

#[test]
fn proxies_of_the_environment_are_not_used() {
    // The environment belongs to a process, so another process runs a test with one.
    let program = std::env::current_exe().expect("a program");
    let proxy = "http://127.0.0.1:1";
    let output = Command::new(program)
        .args([
            "--exact",
            "webhooks::tests::responses::the_status_is_returned",
        ])
        .envs(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].map(|name| (name, proxy)))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
