//! Request bodies that return to the server if the service does not read them completely.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{EXPECT, HeaderValue};
use tokio::time::timeout;

/// Maximum number of bytes of a body that are received and discarded.
const MAX_DISCARDED: u64 = 256 * 1024 * 1024;

/// Maximum time for receiving a body that is discarded.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum pause while receiving a body that is discarded.
const PAUSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Rest of a body that a service did not read.
type Left<B> = Arc<Mutex<Option<Unread<B>>>>;

struct Unread<B> {
    body: B,
    /// True if the client waits for 100 (`Expect: 100-continue`), and has not been asked for the body.
    held_back: bool,
}

/// Body of a request. If it is dropped before its end, the server receives the rest.
#[derive(Debug)]
pub struct RequestBody<B = Incoming>
where
    B: Body + Unpin,
{
    /// `None` after it was returned.
    unread: Option<Unread<B>>,
    left: Left<B>,
}

impl<B> std::fmt::Debug for Unread<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unread")
            .field("held_back", &self.held_back)
            .finish_non_exhaustive()
    }
}

/// The server's end of a [`RequestBody`].
pub(super) struct Rest<B = Incoming>(Left<B>);

/// Wraps the body of a request.
pub(super) fn watch<B: Body + Unpin>(request: Request<B>) -> (Request<RequestBody<B>>, Rest<B>) {
    let expect = request.headers().get(EXPECT).map(HeaderValue::as_bytes);
    let held_back = expect.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue"));
    let left = Left::default();
    let rest = Rest(Arc::clone(&left));
    (
        request.map(|body| RequestBody {
            unread: Some(Unread { body, held_back }),
            left,
        }),
        rest,
    )
}

impl<B: Body<Data = Bytes> + Unpin> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(unread) = &mut self.unread else {
            return Poll::Ready(None);
        };
        unread.held_back = false;
        Pin::new(&mut unread.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.unread
            .as_ref()
            .is_none_or(|unread| unread.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.unread
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |unread| unread.body.size_hint())
    }
}

impl<B: Body + Unpin> Drop for RequestBody<B> {
    fn drop(&mut self) {
        let unread = self
            .unread
            .take()
            .filter(|unread| !unread.body.is_end_stream());
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = unread;
    }
}

impl<B: Body<Data = Bytes> + Unpin> Rest<B> {
    /// Receives the rest of the body, within limits. Returns true if the body is complete.
    ///
    /// A client that waits for 100 is not asked for the body, because it only needs the response.
    pub(super) async fn discard(self) -> bool {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Unread {
            mut body,
            held_back,
        }) = left
        else {
            return true;
        };
        if held_back {
            return false;
        }
        let discard = async {
            let mut most = MAX_DISCARDED;
            while let Ok(frame) = timeout(PAUSE_TIMEOUT, body.frame()).await {
                let Some(Ok(frame)) = frame else {
                    return frame.is_none();
                };
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match most.checked_sub(length) {
                    Some(rest) => most = rest,
                    None => return false,
                }
            }
            false
        };
        timeout(DISCARD_TIMEOUT, discard).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
