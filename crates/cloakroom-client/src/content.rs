//! A payload that is sent, whole or in parts, and more than once.

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
    /// Why it could not be read while it was sent: the HTTP client reports that as a broken connection.
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

    /// The time that sending it may take on a slow line: a second for each 64 KiB.
    pub(crate) fn sending_time(&self) -> Duration {
        Self::time_of(self.length())
    }

    /// The time that sending so many bytes may take.
    pub(crate) fn time_of(bytes: u64) -> Duration {
        Duration::from_secs(bytes / (64 * 1024))
    }

    /// The whole of it, in memory.
    pub(crate) async fn to_bytes(&self) -> Result<Bytes, Error> {
        self.input.read(0, self.length()).await
    }

    pub(crate) async fn sha256(&self) -> Result<Digest, Error> {
        self.input.sha256().await
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Range {
        Range {
            offset: 0,
            length: self.length(),
        }
    }

    /// A part of it, read as it is sent.
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
                        // The first failure is reported, of however many parts.
                        let _ = unreadable.set(error);
                        Err(text)
                    }
                }
            },
        ))
    }

    /// The error that ended the sending of a body from this side, if one did.
    pub(crate) fn unreadable(&self) -> Option<Error> {
        self.unreadable.get().cloned()
    }

    /// Fails if the bytes that were sent are not those of the digest, because the file was changed meanwhile. A file that only
    /// grew is fine. Storage checks an upload in one part itself.
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

    /// Blames the file for an error if the file was changed since it was opened: what was sent is not what was announced.
    pub(crate) fn or_change(&self, error: Error) -> Error {
        self.input.change().unwrap_or(error)
    }
}
