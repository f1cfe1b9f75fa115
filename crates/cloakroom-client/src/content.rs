//! A payload that can be sent whole or in parts, and more than once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::Digest;
use futures::stream::try_unfold;
use reqwest::Body;

use crate::input::{Input, PIECE};
use crate::progress::Attempt;
use crate::{Error, Payload};

/// A part of a payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// A payload that can be sent more than once.
pub(crate) struct Content {
    media_type: String,
    input: Input,
    /// Read error while the payload was sent. The HTTP client reports it as a broken connection.
    unreadable: Arc<OnceLock<Error>>,
}

impl Content {
    pub(crate) async fn new(payload: Payload) -> Result<Self, Error> {
        let (media_type, input) = match payload {
            Payload::Json(value) => (
                "application/json".to_owned(),
                Bytes::from(value.to_string()).into(),
            ),
            Payload::Bytes {
                content_type,
                bytes,
            } => (content_type, bytes.into()),
            Payload::File { content_type, path } => (content_type, Input::open(path).await?),
            Payload::Input {
                content_type,
                input,
            } => (content_type, input),
        };
        Ok(Self {
            media_type,
            input,
            unreadable: Arc::default(),
        })
    }

    pub(crate) fn media_type(&self) -> &str {
        &self.media_type
    }

    pub(crate) fn length(&self) -> u64 {
        self.input.length()
    }

    /// Returns the time to send the payload over a slow connection: a second for each 64 KiB.
    pub(crate) fn sending_time(&self) -> Duration {
        Self::time_of(self.length())
    }

    /// Returns the time to send this number of bytes over a slow connection.
    pub(crate) fn time_of(bytes: u64) -> Duration {
        Duration::from_secs(bytes / (64 * 1024))
    }

    /// Reads the whole payload into memory.
    pub(crate) async fn to_bytes(&self) -> Result<Bytes, Error> {
        self.input.read(0, self.length()).await
    }

    pub(crate) async fn sha256(&self) -> Result<Digest, Error> {
        self.input.sha256().await
    }

    /// Returns the range of the whole payload.
    pub(crate) fn whole(&self) -> Range {
        Range {
            offset: 0,
            length: self.length(),
        }
    }

    /// Returns a body with a part of the payload, which is read while it is sent.
    pub(crate) fn body(&self, range: Range, attempt: &Attempt) -> Body {
        let (input, unreadable, counted) = (
            self.input.clone(),
            Arc::clone(&self.unreadable),
            attempt.counter(),
        );
        let end = range.offset + range.length;
        let state = (range.offset, input, unreadable, counted);
        Body::wrap_stream(try_unfold(
            state,
            move |(offset, input, unreadable, counted)| async move {
                if offset >= end {
                    return Ok(None);
                }
                match input.read(offset, (end - offset).min(PIECE as u64)).await {
                    Ok(piece) => {
                        counted.add(piece.len() as u64);
                        let next = offset + piece.len() as u64;
                        Ok(Some((piece, (next, input, unreadable, counted))))
                    }
                    Err(error) => {
                        let text = std::io::Error::other(error.to_string());
                        // Only the first failure of all parts is reported.
                        let _ = unreadable.set(error);
                        Err(text)
                    }
                }
            },
        ))
    }

    /// Returns the read error that interrupted a body, if there was one.
    pub(crate) fn unreadable(&self) -> Option<Error> {
        self.unreadable.get().cloned()
    }

    /// Checks that the file still has the digest that was announced. A file that only grew passes. Storage itself checks an upload
    /// in one part.
    pub(crate) async fn check_unchanged(&self, sha256: Option<Digest>) -> Result<(), Error> {
        let Some(changed) = self.input.change() else {
            return Ok(());
        };
        if sha256.is_some() && self.sha256().await.ok() == sha256 {
            Ok(())
        } else {
            Err(changed)
        }
    }

    /// Replaces an error if the file was changed since it was opened: then the change is the cause.
    pub(crate) fn or_change(&self, error: Error) -> Error {
        self.input.change().unwrap_or(error)
    }
}
