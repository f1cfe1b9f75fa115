//! Download of a result.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use crate::Error;

/// Longest time until the next piece.
const STALLED: Duration = Duration::from_mins(1);

/// A result, read piece by piece. An interrupted result is an [`Error::Transport`], never a shorter result.
#[derive(Debug)]
pub struct Download {
    response: Response,
}

impl Download {
    pub(crate) fn new(response: Response) -> Self {
        Self { response }
    }

    /// Returns the media type: `application/octet-stream` if the service sent none.
    pub fn content_type(&self) -> &str {
        let value = self.response.headers().get(CONTENT_TYPE);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or("application/octet-stream")
    }

    /// Returns the number of bytes, if the service sent it.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Returns the next piece, or `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let what = "read the result";
        match tokio::time::timeout(STALLED, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(Error::Transport {
                what,
                reason: crate::error::chain(error),
            }),
            Err(_) => Err(Error::Transport {
                what,
                reason: format!("received nothing for {} s", STALLED.as_secs()),
            }),
        }
    }

    /// Reads the whole result into memory.
    pub async fn bytes(mut self) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}
