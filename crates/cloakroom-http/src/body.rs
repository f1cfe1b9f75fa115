//! Request bodies, up to a limit. The host of the connection receives the rest, so that the client reads the response.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use cloakroom_core::Code;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::problems::Rejection;

/// Longest pause in a body.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Reason why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It has more bytes than the limit.
    TooLarge,
    /// It was aborted, or no more data arrived in time.
    Aborted,
}

impl BodyError {
    /// Converts the error to a rejection. For a body over `limit` bytes, `advice` tells the client what to do.
    pub(crate) fn into_rejection(self, limit: u64, advice: &str) -> Rejection {
        match self {
            Self::TooLarge => Rejection::new(
                Code::PayloadTooLarge,
                format!("the body has more than {limit} bytes; {advice}"),
            )
            .header(CONNECTION, HeaderValue::from_static("close"))
            .member("limit", limit),
            Self::Aborted => Rejection::invalid("the body was interrupted; send the request again"),
        }
    }
}

/// Body of one request.
pub(crate) struct RequestBody(Body);

impl RequestBody {
    pub(crate) fn new(body: Body) -> Self {
        Self(body)
    }

    /// Reads the whole body, of at most `limit` bytes.
    pub(crate) async fn read(&mut self, limit: u64) -> Result<Bytes, BodyError> {
        if http_body::Body::size_hint(&self.0).lower() > limit {
            return Err(BodyError::TooLarge);
        }
        let mut whole = BytesMut::new();
        while let Some(frame) = timeout(LONGEST_PAUSE, self.0.frame())
            .await
            .map_err(|_| BodyError::Aborted)?
        {
            let Ok(data) = frame.map_err(|_| BodyError::Aborted)?.into_data() else {
                continue;
            };
            if (whole.len() + data.len()) as u64 > limit {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt as _, stream};
    use http::HeaderMap;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::time::Instant;

    use super::*;

    fn request_body(body: Body) -> RequestBody {
        RequestBody::new(body)
    }

    fn chunks(chunks: &'static [&'static str]) -> RequestBody {
        request_body(Body::from_stream(stream::iter(
            chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk)),
        )))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_whether_its_length_is_known_or_not() {
        assert_eq!(
            chunks(&["ab", "", "cd"]).read(4).await.as_deref(),
            Ok(&b"abcd"[..])
        );
        assert_eq!(
            chunks(&["ab", "cd", "e"]).read(4).await,
            Err(BodyError::TooLarge)
        );
        assert_eq!(
            request_body(Body::from("abcd")).read(4).await.as_deref(),
            Ok(&b"abcd"[..])
        );
        assert_eq!(
            request_body(Body::from("abcde")).read(4).await,
            Err(BodyError::TooLarge)
        );
    }

    #[tokio::test]
    async fn trailers_are_no_part_of_a_body() {
        let frames = [
            Frame::data(Bytes::from("ab")),
            Frame::data(Bytes::from("cd")),
            Frame::trailers(HeaderMap::new()),
        ];
        let frames = stream::iter(frames.map(Ok::<_, Infallible>));
        let body = Body::new(StreamBody::new(frames));
        let read = request_body(body).read(4).await;
        assert_eq!(read.as_deref(), Ok(&b"abcd"[..]));
    }

    fn stalled() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_not_waited_for_for_ever() {
        let begun = Instant::now();
        assert_eq!(
            request_body(stalled()).read(4).await,
            Err(BodyError::Aborted)
        );
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_as_long_as_no_pause_is_too_long() {
        let begun = Instant::now();
        let pieces = stream::iter(["ab", "cd", "ef"]).then(|piece| async move {
            tokio::time::sleep(Duration::from_secs(29)).await;
            Ok::<_, Infallible>(piece)
        });
        let read = request_body(Body::from_stream(pieces)).read(6).await;
        assert_eq!(read.as_deref(), Ok(&b"abcdef"[..]));
        assert_eq!(begun.elapsed(), Duration::from_secs(87));
    }
}
