//! What is sent: from memory or from a file, whole or a part of it, and more than once.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::Digest;
use futures::stream::try_unfold;
use reqwest::Body;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, Take};

use crate::progress::Attempt;
use crate::{Error, Payload};

/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// A part of a payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// A payload that can be sent more than once.
pub(crate) struct Content {
    media_type: String,
    length: u64,
    source: Source,
}

enum Source {
    Memory(Bytes),
    File(PathBuf),
}

impl Content {
    pub(crate) async fn of(payload: Payload) -> Result<Self, Error> {
        let (media_type, bytes) = match payload {
            Payload::Json(value) => ("application/json".to_owned(), Bytes::from(value.to_string())),
            Payload::Bytes { content_type, bytes } => (content_type, bytes),
            Payload::File { content_type: media_type, path } => {
                let metadata = tokio::fs::metadata(&path).await.map_err(|error| unreadable(&path, &error))?;
                return Ok(Self { media_type, length: metadata.len(), source: Source::File(path) });
            }
        };
        Ok(Self { media_type, length: bytes.len() as u64, source: Source::Memory(bytes) })
    }

    pub(crate) fn media_type(&self) -> &str {
        &self.media_type
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// What sending it may take on a slow line: a second for each 64 KiB.
    pub(crate) fn sending_time(&self) -> Duration {
        Self::time_of(self.length)
    }

    /// What sending so many bytes may take.
    pub(crate) fn time_of(bytes: u64) -> Duration {
        Duration::from_secs(bytes / (64 * 1024))
    }

    /// The whole of it, in memory.
    pub(crate) async fn to_bytes(&self) -> Result<Bytes, Error> {
        match &self.source {
            Source::Memory(bytes) => Ok(bytes.clone()),
            Source::File(path) => {
                tokio::fs::read(path).await.map(Bytes::from).map_err(|error| unreadable(path, &error))
            }
        }
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Range {
        Range { offset: 0, length: self.length }
    }

    /// A part of it, read as it is sent.
    pub(crate) async fn body(&self, range: Range, attempt: &Attempt) -> Result<Body, Error> {
        let pieces = match &self.source {
            Source::Memory(bytes) => {
                let from = usize::try_from(range.offset).unwrap_or(usize::MAX).min(bytes.len());
                let to = from.saturating_add(usize::try_from(range.length).unwrap_or(usize::MAX)).min(bytes.len());
                Pieces::Memory(bytes.slice(from..to))
            }
            Source::File(path) => {
                let opened = async {
                    let mut file = File::open(path).await?;
                    file.seek(SeekFrom::Start(range.offset)).await?;
                    Ok(file.take(range.length))
                };
                Pieces::File(opened.await.map_err(|error| unreadable(path, &error))?)
            }
        };
        let counted = attempt.counter();
        Ok(Body::wrap_stream(try_unfold((pieces, counted), |(mut pieces, counted)| async move {
            let piece = pieces.next().await?;
            counted.add(piece.len() as u64);
            Ok::<_, std::io::Error>(Some((piece.clone(), (pieces, counted))).filter(|_| !piece.is_empty()))
        })))
    }

    pub(crate) async fn sha256(&self) -> Result<Digest, Error> {
        let path = match &self.source {
            Source::Memory(bytes) => return Ok(Digest::of(bytes)),
            Source::File(path) => path,
        };
        let mut file = File::open(path).await.map_err(|error| unreadable(path, &error))?;
        let mut sum = Digest::builder();
        let mut buffer = vec![0; PIECE];
        loop {
            match file.read(&mut buffer).await.map_err(|error| unreadable(path, &error))? {
                0 => return Ok(sum.finish()),
                length => sum.update(&buffer[..length]),
            }
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::input(path.display().to_string(), error)
}

/// What is left to be sent.
enum Pieces {
    Memory(Bytes),
    File(Take<File>),
}

impl Pieces {
    /// The next piece; none is left once it is empty.
    async fn next(&mut self) -> std::io::Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.split_to(bytes.len().min(PIECE))),
            Self::File(file) => {
                let mut piece = vec![0; PIECE];
                let length = file.read(&mut piece).await?;
                piece.truncate(length);
                Ok(piece.into())
            }
        }
    }
}
