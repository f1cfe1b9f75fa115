//! Binary payload on its way to a handler: as bytes in memory, as a stream, or as a file on disk, as the handler
//! requests.
//!
//! The payload is always verified against what was accepted. A stream delivers its pieces before that. If they turn out
//! to differ, the stream ends with an error, and the attempt fails, whatever its handler returns.

pub(crate) mod head;

use std::fs::File;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_core::{Digest, DigestBuilder};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

pub use head::BodyHead;

use crate::ports::{ObjectReader, Pieces, PortError, ReadError, collect_pieces};

/// Time after which a pending piece counts as stalled.
const STALLED: Duration = Duration::from_secs(5);

/// Expected properties of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// SHA-256 of the bytes.
    Sha256(Digest),
    /// Length in bytes. The object store verifies the content by its own checksum.
    Length(u64),
}

/// Error of reading a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Fetching failed; another call may succeed.
    #[error("fetch the payload: {0}")]
    Unfetched(PortError),
    /// The content differs from what was accepted.
    #[error("the payload does not match its digest")]
    Corrupted,
    /// The disk is full or unavailable.
    #[error("store the payload on disk: {0}")]
    Disk(String),
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        Self::other(error)
    }
}

/// Form in which a handler receives a binary payload: [`Bytes`], [`BodyStream`] or [`BodyFile`].
#[async_trait]
pub trait FromBody: Send + Sized {
    /// True if the whole body is in memory while the handler runs, so that it counts as memory of the attempt.
    const IN_MEMORY: bool = false;

    /// Converts the stream of a body to this form.
    async fn from_body(body: BodyStream) -> Result<Self, BodyError>;
}

/// The whole body in memory, verified before the handler receives it.
#[async_trait]
impl FromBody for Bytes {
    const IN_MEMORY: bool = true;

    async fn from_body(body: BodyStream) -> Result<Self, BodyError> {
        collect_pieces(body.length(), body).await
    }
}

/// A payload that arrives piece by piece, and is never completely in memory. After the handler, the rest of it is read
/// and verified.
pub struct BodyStream(Arc<Mutex<Reading>>);

struct Reading {
    length: u64,
    pieces: Pieces,
    expected: Expected,
    sum: DigestBuilder,
    read: u64,
    /// Time since which the next piece is pending.
    awaited: Option<Instant>,
    end: Option<Result<(), BodyError>>,
}

impl BodyStream {
    pub(crate) fn new(reader: ObjectReader, expected: Expected) -> Self {
        let ObjectReader { length, pieces } = reader;
        Self(Arc::new(Mutex::new(Reading {
            length,
            pieces,
            expected,
            sum: Digest::builder(),
            read: 0,
            awaited: None,
            end: None,
        })))
    }

    /// Returns another handle to the same stream, for the supervisor of its reader.
    pub(crate) fn shared(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Returns the length of the whole body in bytes, including what has been read.
    pub fn length(&self) -> u64 {
        self.reading().length
    }

    /// Reads the rest of the body. Returns an error if the whole does not match.
    pub(crate) async fn finish(mut self) -> Result<(), BodyError> {
        while self.try_next().await?.is_some() {}
        Ok(())
    }

    /// Returns true if the next piece has been pending for too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.reading()
            .awaited
            .is_some_and(|since| since.elapsed() >= STALLED)
    }

    /// Returns the error of reading the body, if it has occurred by now.
    pub(crate) fn trouble(&self) -> Option<BodyError> {
        self.reading().end.clone().and_then(Result::err)
    }

    /// Ignores poisoning: a panic between two pieces leaves a consistent state.
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// Verifies the body after its last piece.
    fn judge(&self) -> Result<(), BodyError> {
        let good = match self.expected {
            Expected::Sha256(sha256) => self.sum.clone().finish() == sha256,
            Expected::Length(length) => self.read == length,
        };
        if good {
            Ok(())
        } else {
            Err(BodyError::Corrupted)
        }
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut reading = self.reading();
        if let Some(end) = &reading.end {
            return Poll::Ready(end.clone().err().map(Err));
        }
        let next = reading.pieces.poll_next_unpin(cx);
        reading.awaited = next
            .is_pending()
            .then(|| reading.awaited.unwrap_or_else(Instant::now));
        let end = match ready!(next) {
            Some(Ok(piece)) => {
                if let Expected::Sha256(_) = reading.expected {
                    reading.sum.update(&piece);
                }
                reading.read += piece.len() as u64;
                return Poll::Ready(Some(Ok(piece)));
            }
            Some(Err(ReadError::Port(error))) => Err(BodyError::Unfetched(error)),
            Some(Err(ReadError::Corrupted)) => Err(BodyError::Corrupted),
            None => reading.judge(),
        };
        reading.end = Some(end.clone());
        Poll::Ready(end.err().map(Err))
    }
}

#[async_trait]
impl FromBody for BodyStream {
    async fn from_body(body: BodyStream) -> Result<Self, BodyError> {
        Ok(body)
    }
}

/// A payload in a file, verified before the handler receives it. Dropping the value deletes the file. It is stored in
/// the directory for temporary files: on Lambda `/tmp`, which has 512 MiB unless configured otherwise.
#[derive(Debug)]
pub struct BodyFile(NamedTempFile);

impl BodyFile {
    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Opens the file for reading from its start.
    pub fn open(&self) -> io::Result<File> {
        self.0.reopen()
    }
}

#[async_trait]
impl FromBody for BodyFile {
    async fn from_body(mut body: BodyStream) -> Result<Self, BodyError> {
        let disk = |error: io::Error| BodyError::Disk(error.to_string());
        let file = NamedTempFile::with_prefix("cloakroom-payload-").map_err(disk)?;
        let mut writer = tokio::fs::File::from_std(file.reopen().map_err(disk)?);
        while let Some(piece) = body.try_next().await? {
            writer.write_all(&piece).await.map_err(disk)?;
        }
        writer.flush().await.map_err(disk)?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests;
