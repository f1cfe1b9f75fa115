//! The HTTP server, as clients other than hyper see it.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_embedded::net::{self, RequestBody, Stop};
use http_body_util::Full;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Returns a server that responds with 404 and reads nothing. It stops when the sender is dropped.
fn server() -> (std::net::SocketAddr, watch::Sender<bool>) {
    let listener = net::listen(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let (tell, stop) = Stop::channel();
    let answer = |_: Request<RequestBody>| async {
        Response::builder()
            .status(404)
            .body(Full::new(Bytes::from_static(b"no")))
            .expect("a response")
    };
    let refuse: net::RejectionResponse = std::sync::Arc::new(|status: StatusCode, path: &str| {
        Response::builder()
            .status(status)
            .body(Full::from(format!("refused {path}")))
            .expect("a response")
    });
    tokio::spawn(net::serve(listener, answer, refuse, stop));
    (address, tell)
}

/// Sends all bytes before it reads. Returns the responses until the end of the connection.
async fn exchange(request: &[u8]) -> String {
    let (address, _running) = server();
    let mut client = TcpStream::connect(address).await.expect("connected");
    client
        .write_all(request)
        .await
        .expect("the server receives all of it");
    let mut answer = Vec::new();
    let read = client.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(60), read)
        .await
        .expect("it ends")
        .expect("no reset");
    String::from_utf8(answer).expect("UTF-8")
}

#[tokio::test]
async fn a_client_that_sends_everything_before_it_reads_gets_every_answer_on_one_connection() {
    const LENGTH: usize = 20_000_000;
    let mut request =
        format!("DELETE /a HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n").into_bytes();
    request.resize(request.len() + LENGTH, b'x');
    request.extend_from_slice(
        b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    request.extend_from_slice(b"GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answers = exchange(&request).await;
    assert_eq!(
        answers.matches("HTTP/1.1 404 Not Found\r\n").count(),
        3,
        "{answers}"
    );
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_answered_without_its_body() {
    let answer = exchange(
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 404 ") && answer.contains("connection: close\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_that_the_http_library_rejects_gets_the_hosts_answer() {
    let headers = "a: b\r\n".repeat(101);
    let long = "a".repeat(70_000);
    for (request, want) in [
        (
            "GET /jobs?k=\"v\" HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "400 Bad Request",
        ),
        (
            "GET /jobs HTTP/1.1\r\nHost: x\r\na: \u{7f}\r\n\r\n".to_owned(),
            "400 Bad Request",
        ),
        (
            "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n".to_owned(),
            "400 Bad Request",
        ),
        (
            format!("GET /jobs HTTP/1.1\r\n{headers}\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET /jobs?{long} HTTP/1.1\r\n\r\n"),
            "414 URI Too Long",
        ),
    ] {
        let answer = exchange(request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {want}\r\n")),
            "{answer}"
        );
        assert!(
            answer.ends_with("\r\n\r\nrefused /jobs") && answer.contains("date: "),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_rejected_request_may_be_longer_than_what_was_read_of_it() {
    let header = "a".repeat(4_000_000);
    let answer = exchange(format!("GET /jobs HTTP/1.1\r\na: {header}\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_server_that_stops_closes_idle_connections_and_ends() {
    let (address, running) = server();
    let mut client = TcpStream::connect(address).await.expect("connected");
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut first = [0; 12];
    client.read_exact(&mut first).await.expect("answered");
    drop(running);
    client
        .read_to_end(&mut Vec::new())
        .await
        .expect("closed in order");
}
