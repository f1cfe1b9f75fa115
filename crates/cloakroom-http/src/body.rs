//! Bodies, up to a limit; what is sent over it is received and thrown away, so that the client hears the answer.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use cloakroom::Code;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::problems::Refused;

/// The most that is received of a body only to be thrown away, in bytes.
const MOST_DISCARDED: u64 = 256 * 1024 * 1024;

/// The longest that a body is received only to be thrown away.
const LONGEST_DISCARD: Duration = Duration::from_secs(30);

/// The longest pause in a body: while it is wanted, and while it is only thrown away.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE_IN_DISCARD: Duration = Duration::from_secs(3);

/// A body that was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It has more bytes than the limit.
    TooLarge,
    /// It broke off, or nothing came any more.
    Broken,
}

impl Unread {
    /// The answer to a body over `limit` bytes; `advice` says what to do about it.
    pub(crate) fn refused(self, limit: u64, advice: &str) -> Refused {
        match self {
            Self::TooLarge => {
                Refused::new(Code::PayloadTooLarge, format!("the body has more than {limit} bytes; {advice}"))
                    .header(CONNECTION, HeaderValue::from_static("close"))
                    .member("limit", limit)
            }
            Self::Broken => Refused::invalid("the body broke off; send the request again"),
        }
    }
}

/// The body of one request.
pub(crate) struct Incoming {
    body: Body,
    /// The client waits to be told to send it (`Expect: 100-continue`), and was not told yet.
    held_back: bool,
}

impl Incoming {
    pub(crate) fn new(headers: &HeaderMap, body: Body) -> Self {
        let expect = headers.get(EXPECT).map(HeaderValue::as_bytes);
        Self { body, held_back: expect.is_some_and(|expect| expect.eq_ignore_ascii_case(b"100-continue")) }
    }

    /// The whole of it, if it has at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: u64) -> Result<Bytes, Unread> {
        if http_body::Body::size_hint(&self.body).lower() > limit {
            return Err(Unread::TooLarge);
        }
        self.held_back = false;
        let mut whole = BytesMut::new();
        while let Some(frame) = timeout(LONGEST_PAUSE, self.body.frame()).await.map_err(|_| Unread::Broken)? {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            if (whole.len() + data.len()) as u64 > limit {
                return Err(Unread::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// Receives what is left of it, within bounds. A client that is still sending when the connection closes is told
    /// of a reset, and never sees the answer. One that waits to be told to send needs only the answer.
    pub(crate) async fn discard(&mut self) {
        if self.held_back {
            return;
        }
        let drained = timeout(LONGEST_DISCARD, async {
            let mut left = MOST_DISCARDED;
            while let Ok(Some(Ok(frame))) = timeout(LONGEST_PAUSE_IN_DISCARD, self.body.frame()).await {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        });
        if drained.await.is_err() {
            tracing::debug!("a client went on sending a body that was refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use tokio::time::Instant;

    use super::*;

    fn incoming(body: Body) -> Incoming {
        Incoming::new(&HeaderMap::new(), body)
    }

    fn pieces(pieces: &'static [&'static str]) -> Incoming {
        incoming(Body::from_stream(stream::iter(pieces.iter().map(|piece| Ok::<_, Infallible>(*piece)))))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whether_its_length_is_known_or_not() {
        assert_eq!(pieces(&["ab", "", "cd"]).read(4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(pieces(&["ab", "cd", "e"]).read(4).await, Err(Unread::TooLarge));
        assert_eq!(incoming(Body::from("abcd")).read(4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(incoming(Body::from("abcde")).read(4).await, Err(Unread::TooLarge));
    }

    fn stalled() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_not_waited_for_for_ever() {
        let begun = Instant::now();
        assert_eq!(incoming(stalled()).read(4).await, Err(Unread::Broken));
        assert_eq!(begun.elapsed(), LONGEST_PAUSE);
        incoming(stalled()).discard().await;
        assert_eq!(begun.elapsed(), LONGEST_PAUSE + LONGEST_PAUSE_IN_DISCARD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_waits_to_be_told_is_answered_at_once() {
        let begun = Instant::now();
        let headers = HeaderMap::from_iter([(EXPECT, HeaderValue::from_static("100-continue"))]);
        Incoming::new(&headers, stalled()).discard().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_ends_is_not_received_for_ever() {
        let begun = Instant::now();
        let drip = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>("x"), ()))
        });
        incoming(Body::from_stream(drip)).discard().await;
        assert_eq!(begun.elapsed(), LONGEST_DISCARD);
        let piece = Bytes::from(vec![0; 1024 * 1024]);
        incoming(Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(piece.clone())))).discard().await;
        assert_eq!(begun.elapsed(), LONGEST_DISCARD);
    }
}
