//! Bodies, up to a limit; what is sent over it is received and thrown away, so that the client hears the answer.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use cloakroom::Code;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::problems::Refused;

/// The most that is received of a body only to be thrown away, in bytes.
const MOST_DISCARDED: u64 = 256 * 1024 * 1024;

/// The longest that a body is received only to be thrown away.
const LONGEST_DISCARD: Duration = Duration::from_secs(30);

/// A body that was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It has more bytes than the limit.
    TooLarge,
    /// It broke off.
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
pub(crate) struct Incoming(Body);

impl Incoming {
    pub(crate) fn new(body: Body) -> Self {
        Self(body)
    }

    /// The whole of it, if it has at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: u64) -> Result<Bytes, Unread> {
        if http_body::Body::size_hint(&self.0).lower() > limit {
            return Err(Unread::TooLarge);
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = self.0.frame().await {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            if (whole.len() + data.len()) as u64 > limit {
                return Err(Unread::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }

    /// Receives what is left of it, within bounds. A client that is still sending when the connection closes is told
    /// of a reset, and never sees the answer.
    pub(crate) async fn discard(&mut self) {
        let drained = timeout(LONGEST_DISCARD, async {
            let mut left = MOST_DISCARDED;
            while let Some(Ok(frame)) = self.0.frame().await {
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

    use super::*;

    fn pieces(pieces: &'static [&'static str]) -> Incoming {
        Incoming::new(Body::from_stream(stream::iter(pieces.iter().map(|piece| Ok::<_, Infallible>(*piece)))))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whether_its_length_is_known_or_not() {
        assert_eq!(pieces(&["ab", "", "cd"]).read(4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(pieces(&["ab", "cd", "e"]).read(4).await, Err(Unread::TooLarge));
        assert_eq!(Incoming::new(Body::from("abcd")).read(4).await.as_deref(), Ok(&b"abcd"[..]));
        assert_eq!(Incoming::new(Body::from("abcde")).read(4).await, Err(Unread::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_ends_is_not_received_for_ever() {
        let begun = tokio::time::Instant::now();
        Incoming::new(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())).discard().await;
        assert_eq!(begun.elapsed(), LONGEST_DISCARD);
        let piece = Bytes::from(vec![0; 1024 * 1024]);
        Incoming::new(Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(piece.clone()))))
            .discard()
            .await;
        assert_eq!(begun.elapsed(), LONGEST_DISCARD);
    }
}
