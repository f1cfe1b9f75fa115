//! Connections, below hyper.
//!
//! hyper itself responds to a request head that it can't parse: 400, 414 or 431 without a body. Then it closes the
//! connection. This module replaces that response by one of the host. It recognizes hyper's response by its missing
//! `Date`, because `auto_date_header` is off; a service's response has a `Date`.
//!
//! If a request was not received completely, its connection is closed slowly. Otherwise, bytes that arrive at a closed
//! socket reset the connection, and the client may lose a response that was already sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures::FutureExt as _;
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::date::date;
use super::rejection::RejectionResponse;

/// Flag of a connection that must be closed slowly.
pub(super) type Lingering = Arc<AtomicBool>;

/// Maximum duration of a slow close.
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of bytes that are received during a slow close.
const MAX_LINGERED: usize = 256 * 1024 * 1024;

/// Maximum number of bytes of a request that are stored: enough for the method and the path of most requests.
const MAX_REMEMBERED: usize = 2048;

pub(super) struct Wire<T> {
    stream: TokioIo<T>,
    refuse: RejectionResponse,
    lingering: Lingering,
    /// First bytes since the last response: the start of the request.
    start: Vec<u8>,
    answered: bool,
    /// The part of the host's response that was not sent yet.
    pending: Bytes,
    closing: Option<Closing>,
}

/// A slow close in progress.
struct Closing {
    until: Pin<Box<Sleep>>,
    received: usize,
}

impl<T> Wire<T> {
    pub(super) fn new(stream: T, refuse: RejectionResponse, lingering: Lingering) -> Self {
        let stream = TokioIo::new(stream);
        Self {
            stream,
            refuse,
            lingering,
            start: Vec::new(),
            answered: false,
            pending: Bytes::new(),
            closing: None,
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.answered) {
            self.start.clear();
        }
        let room = MAX_REMEMBERED - self.start.len();
        self.start
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Returns the host's response as a replacement for hyper's.
    fn replacement(&self, status: StatusCode) -> Bytes {
        let (method, path) = request_line(&self.start).unwrap_or(("", "/"));
        let mut response = (self.refuse)(status, path);
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(DATE, date());
        encode(response, method != "HEAD")
    }
}

impl<T: AsyncWrite + Unpin> Wire<T> {
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let sent = ready!(Pin::new(self.stream.inner_mut()).poll_write(cx, &self.pending))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> Wire<T> {
    /// Receives data that the client still sends, until it closes its side or a limit is reached.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let closing = self.closing.get_or_insert_with(|| Closing {
            until: Box::pin(tokio::time::sleep_until(Instant::now() + LINGER_TIMEOUT)),
            received: 0,
        });
        let mut piece = [0; 16 * 1024];
        loop {
            if closing.received > MAX_LINGERED || closing.until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut piece = ReadBuf::new(&mut piece);
            match ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut piece)) {
                Ok(()) if !piece.filled().is_empty() => closing.received += piece.filled().len(),
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl<T: AsyncRead + Unpin> Read for Wire<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let mut piece = [0; 16 * 1024];
        let most = into.remaining().min(piece.len());
        let mut piece = ReadBuf::new(&mut piece[..most]);
        ready!(Pin::new(wire.stream.inner_mut()).poll_read(cx, &mut piece))?;
        wire.remember(piece.filled());
        into.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Write for Wire<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        ready!(wire.poll_pending(cx))?;
        wire.answered = true;
        if let Some(status) = refusal(bytes) {
            wire.pending = wire.replacement(status);
            wire.lingering.store(true, Ordering::Relaxed);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut wire.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        ready!(wire.poll_pending(cx))?;
        Pin::new(&mut wire.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if wire.closing.is_none() {
            ready!(wire.poll_pending(cx))?;
            ready!(Pin::new(&mut wire.stream).poll_shutdown(cx))?;
        }
        if wire.lingering.load(Ordering::Relaxed) {
            ready!(wire.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns the status of a response by hyper itself; `None` for other bytes.
fn refusal(bytes: &[u8]) -> Option<StatusCode> {
    let head = std::str::from_utf8(bytes)
        .ok()?
        .strip_prefix("HTTP/1.1 ")?
        .strip_suffix("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.get(..3)?.parse().ok()?;
    let own = |line: &str| {
        line.eq_ignore_ascii_case("content-length: 0")
            || line.eq_ignore_ascii_case("connection: close")
    };
    lines
        .all(own)
        .then_some(status)
        .filter(StatusCode::is_client_error)
}

/// Returns the method and path at the start of a request, if they were received and the path is well-formed.
fn request_line(start: &[u8]) -> Option<(&str, &str)> {
    let line = start.split(|byte| b"\r\n".contains(byte)).next()?;
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split(|byte| b"?#".contains(byte)).next()?;
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(byte);
    let named = !method.is_empty() && method.iter().all(u8::is_ascii_uppercase);
    let cut = path.len() == target.len() && words.next().is_none();
    if !named || cut || !path.starts_with(b"/") || !path.iter().all(known) {
        return None;
    }
    Some((
        std::str::from_utf8(method).ok()?,
        std::str::from_utf8(path).ok()?,
    ))
}

/// Serializes a response.
fn encode(response: Response<Full<Bytes>>, with_body: bool) -> Bytes {
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .now_or_never()
        .and_then(Result::ok)
        .map(Collected::to_bytes)
        .unwrap_or_default();
    let status = parts.status;
    let mut bytes = BytesMut::new();
    let line = format!(
        "HTTP/1.1 {} {}\r\n",
        status.as_str(),
        status.canonical_reason().unwrap_or_default()
    );
    bytes.extend_from_slice(line.as_bytes());
    for (name, value) in parts
        .headers
        .iter()
        .filter(|(name, _)| *name != CONTENT_LENGTH)
    {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(piece);
        }
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    if with_body {
        bytes.extend_from_slice(&body);
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests;
