//! Servers on loopback whose responses are written by hand.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::LazyLock;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::{Reach, Webhooks};

/// Sender of all tests that need no resolver of their own: creating one takes long without optimizations.
pub(super) static LOCAL: LazyLock<Webhooks> = LazyLock::new(|| Webhooks::new(Reach::Local));

/// Bound port on loopback.
pub(super) struct Server {
    listener: std::net::TcpListener,
    pub(super) addr: SocketAddr,
}

impl Server {
    pub(super) fn bind() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let addr = listener.local_addr().expect("an address");
        Self { listener, addr }
    }

    /// Returns a URL of this server, such as `http://127.0.0.1:4711/hook`.
    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/hook", self.addr)
    }

    /// Panics if a client has connected. The operating system accepts connections, so there is no need to wait.
    pub(super) fn assert_no_connection(&self) {
        let error = self.listener.accept().expect_err("no connection");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }

    pub(super) async fn accept(self) -> TcpStream {
        let listener = TcpListener::from_std(self.listener).expect("a listener");
        listener.accept().await.expect("a connection").0
    }

    /// Accepts one connection and sends a response. The task returns the request when the client has closed the connection.
    pub(super) fn respond(self, response: &'static str) -> JoinHandle<String> {
        tokio::spawn(async move {
            let mut stream = self.accept().await;
            let request = read_request(&mut stream).await;
            write(&mut stream, response).await.expect("sent");
            until_closed(&mut stream).await;
            request
        })
    }
}

/// Reads one request. Its body must have a `Content-Length`.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = String::new();
    while !is_complete(&request) {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).await.expect("a request");
        assert!(length > 0, "closed within a request: {request}");
        request.push_str(std::str::from_utf8(&buffer[..length]).expect("text"));
    }
    request
}

fn is_complete(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |it| it.parse().expect("a length"));
    body.len() >= length
}

/// Waits until bytes have arrived, and does not read them.
pub(super) async fn until_received(stream: &TcpStream) {
    let length = stream.peek(&mut [0]).await.expect("a request");
    assert_eq!(length, 1);
}

pub(super) async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    text: &str,
) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}

/// Writes a text again and again, until the client has closed the connection.
pub(super) async fn flood(stream: &mut TcpStream, text: &str) {
    while write(stream, text).await.is_ok() {}
}

pub(super) async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _: std::io::Result<usize> = stream.read_to_end(&mut rest).await;
}
