//! Bodies, up to a limit. A host that holds the connection receives the rest, so that the client hears the answer.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use cloakroom_core::Code;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::problems::Refused;

/// The longest pause in a body.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

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
            Self::TooLarge => Refused::new(
                Code::PayloadTooLarge,
                format!("the body has more than {limit} bytes; {advice}"),
            )
            .header(CONNECTION, HeaderValue::from_static("close"))
            .member("limit", limit),
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
        while let Some(frame) = timeout(LONGEST_PAUSE, self.0.frame())
            .await
            .map_err(|_| Unread::Broken)?
        {
            let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
                continue;
            };
            if (whole.len() + data.len()) as u64 > limit {
                return Err(Unread::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use tokio::time::Instant;

    use super::*;

    fn incoming(body: Body) -> Incoming {
        Incoming::new(body)
    }

    fn pieces(pieces: &'static [&'static str]) -> Incoming {
        incoming(Body::from_stream(stream::iter(
            pieces.iter().map(|piece| Ok::<_, Infallible>(*piece)),
        )))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whether_its_length_is_known_or_not() {
        assert_eq!(
            pieces(&["ab", "", "cd"]).read(4).await.as_deref(),
            Ok(&b"abcd"[..])
        );
        assert_eq!(
            pieces(&["ab", "cd", "e"]).read(4).await,
            Err(Unread::TooLarge)
        );
        assert_eq!(
            incoming(Body::from("abcd")).read(4).await.as_deref(),
            Ok(&b"abcd"[..])
        );
        assert_eq!(
            incoming(Body::from("abcde")).read(4).await,
            Err(Unread::TooLarge)
        );
    }

    fn stalled() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_not_waited_for_for_ever() {
        let begun = Instant::now();
        assert_eq!(incoming(stalled()).read(4).await, Err(Unread::Broken));
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
    }
}
