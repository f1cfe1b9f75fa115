//! A payload of bytes on its way to its handler: whole, as a stream, or as a file on disk, as the handler asks.
//!
//! However it is read, it is held to what was accepted. A stream's pieces are handed out as they come; should they turn out
//! to be other bytes, the stream ends with an error, and the attempt fails, whatever its handler says.

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

/// Longest time that a piece may take to come.
const STALLED: Duration = Duration::from_secs(5);

/// What a payload must turn out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Bytes of this SHA-256.
    Sha256(Digest),
    /// So many bytes, which the store holds to a checksum of its own.
    Length(u64),
}

/// Why a payload could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It could not be fetched this time.
    #[error("fetch the payload: {0}")]
    Unfetched(PortError),
    /// It is not what was accepted.
    #[error("the payload is not what was accepted")]
    Corrupted,
    /// There was no room for it on disk, or no disk.
    #[error("keep the payload on disk: {0}")]
    Disk(String),
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        Self::other(error)
    }
}

/// How a handler takes a payload of bytes: as [`Bytes`], as a [`BodyStream`], or as a [`BodyFile`].
#[async_trait]
pub trait FromBody: Send + Sized {
    /// The whole body is in memory while the handler has it: it counts as memory that the attempt needs.
    const IN_MEMORY: bool = false;

    /// Takes it.
    async fn from_body(body: BodyStream) -> Result<Self, BodyError>;
}

/// Held whole in memory, and checked before the handler has it.
#[async_trait]
impl FromBody for Bytes {
    const IN_MEMORY: bool = true;

    async fn from_body(body: BodyStream) -> Result<Self, BodyError> {
        collect_pieces(body.length(), body).await
    }
}

/// A payload that comes piece by piece, and is never whole in memory. What its handler leaves unread is read, and checked,
/// after it.
pub struct BodyStream(Arc<Mutex<Reading>>);

struct Reading {
    length: u64,
    pieces: Pieces,
    expected: Expected,
    sum: DigestBuilder,
    read: u64,
    /// Since when the next piece is awaited.
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

    /// The same stream, for whoever looks after its reader.
    pub(crate) fn shared(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// How many bytes it has, those counted that were read.
    pub fn length(&self) -> u64 {
        self.reading().length
    }

    /// Reads what is left of it. What came of the whole.
    pub(crate) async fn finish(mut self) -> Result<(), BodyError> {
        while self.try_next().await?.is_some() {}
        Ok(())
    }

    /// Reports whether its reader has waited in vain for long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.reading()
            .awaited
            .is_some_and(|since| since.elapsed() >= STALLED)
    }

    /// Why it could not be read, if that is known by now.
    pub(crate) fn trouble(&self) -> Option<BodyError> {
        self.reading().end.clone().and_then(Result::err)
    }

    /// A reader that panicked had no piece in its hands.
    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// What the end of the pieces shows.
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

/// A payload in a file, checked before the handler has it, and deleted when this is dropped. It lies in the folder for
/// temporary files: on Lambda that is `/tmp`, of 512 MiB unless the function has more.
#[derive(Debug)]
pub struct BodyFile(NamedTempFile);

impl BodyFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file, opened to be read from its beginning.
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
