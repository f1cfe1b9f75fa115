//! Port for the store of large payloads and results.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cloakroom_core::Digest;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use super::error::{PortError, ReadError};
use super::uploads::{UploadLink, UploadTerms};
use crate::body::head::BodyHead;

/// Metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Media type.
    pub content_type: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the bytes, if the store has it.
    pub sha256: Option<Digest>,
    /// Entity tag. It changes when the object is overwritten with other bytes.
    pub etag: String,
}

/// Content of an object, in pieces of any size.
pub type Pieces = BoxStream<'static, Result<Bytes, ReadError>>;

/// Error: the source of an object's pieces failed. The source keeps the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAborted;

/// Reader of an object, piece by piece.
pub struct ObjectReader {
    /// Length in bytes.
    pub length: u64,
    /// Content.
    pub pieces: Pieces,
}

impl ObjectReader {
    /// Returns a reader of bytes that are in memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self {
            length: bytes.len() as u64,
            pieces: futures::stream::iter([Ok(bytes)]).boxed(),
        }
    }

    /// Reads the whole object into memory.
    pub async fn read_all(self) -> Result<Bytes, ReadError> {
        collect_pieces(self.length, self.pieces).await
    }

    /// Computes the digest of the object, piece by piece.
    async fn digest(mut self) -> Result<Digest, ReadError> {
        let mut digest = Digest::builder();
        while let Some(piece) = self.pieces.try_next().await? {
            digest.update(&piece);
        }
        Ok(digest.finish())
    }

    /// Reads the beginning of the object, and no more pieces than that takes.
    pub(crate) async fn read_head(mut self) -> Result<BodyHead, ReadError> {
        let mut bytes = BytesMut::new();
        while bytes.len() < BodyHead::LIMIT
            && let Some(piece) = self.pieces.try_next().await?
        {
            bytes.extend_from_slice(&piece);
        }
        bytes.truncate(BodyHead::LIMIT);
        Ok(BodyHead {
            bytes: bytes.freeze(),
            length: self.length,
        })
    }
}

/// Concatenates pieces with a total of `length` bytes. A single piece is not copied.
pub(crate) async fn collect_pieces<E>(
    length: u64,
    mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Bytes, E> {
    let Some(first) = pieces.try_next().await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = pieces.try_next().await? else {
        return Ok(first);
    };
    let mut bytes = BytesMut::with_capacity(length.try_into().unwrap_or(0));
    bytes.extend_from_slice(&first);
    bytes.extend_from_slice(&second);
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// Store of large payloads and results.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes a whole object. Replaces another one with the same key.
    async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<(), PortError>;

    /// Writes a new object from pieces. Only holds a few of them in memory.
    ///
    /// The object appears after the last piece, or not at all. Returns false if the source failed.
    async fn put_pieces(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
    ) -> Result<bool, PortError>;

    /// Opens an object for reading, piece by piece; `None` if it does not exist.
    async fn open(&self, key: &str) -> Result<Option<ObjectReader>, PortError>;

    /// Reads a whole object; `None` if it does not exist.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ReadError> {
        match self.open(key).await? {
            Some(reader) => reader.read_all().await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the beginning of an object; `None` if it does not exist. The default implementation reads whole pieces.
    async fn head(&self, key: &str) -> Result<Option<BodyHead>, ReadError> {
        match self.open(key).await? {
            Some(reader) => reader.read_head().await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns the metadata of an object; `None` if it does not exist.
    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError>;

    /// Computes the digest of an object, piece by piece; `None` if it does not exist.
    async fn digest(&self, key: &str) -> Result<Option<Digest>, ReadError> {
        match self.open(key).await? {
            Some(reader) => reader.digest().await.map(Some),
            None => Ok(None),
        }
    }

    /// Copies an object that still has this metadata. Returns false if it is missing or was overwritten.
    async fn copy(&self, from: &str, info: &ObjectInfo, to: &str) -> Result<bool, PortError>;

    /// Deletes an object, if it exists.
    async fn delete(&self, key: &str) -> Result<(), PortError>;

    /// Creates a link for downloading an object, valid for `valid` from now. Needs no call.
    async fn link(&self, key: &str, valid: Duration) -> Result<String, PortError>;

    /// Creates a link for exactly this upload, valid for `valid` from now. Needs no call.
    async fn upload_link(
        &self,
        key: &str,
        terms: &UploadTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_is_read_from_no_more_pieces_than_it_takes() {
        for length in [BodyHead::LIMIT, BodyHead::LIMIT + 1] {
            let unread = Err(ReadError::Corrupted);
            let pieces = [
                Ok(Bytes::from_static(b"a")),
                Ok(vec![b'b'; length - 1].into()),
                unread,
            ];
            let reader = ObjectReader {
                length: 1 << 40,
                pieces: futures::stream::iter(pieces).boxed(),
            };
            let head = reader.read_head().await.expect("read");
            assert_eq!((head.bytes.len(), head.length), (BodyHead::LIMIT, 1 << 40));
            assert!(head.bytes.starts_with(b"ab"));
        }
    }

    #[tokio::test]
    async fn a_digest_is_that_of_all_pieces_or_none() {
        let (first, second) = (Bytes::from_static(b"a"), Bytes::from_static(b"bc"));
        // The example of FIPS 180-2, B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (pieces, want) in [
            (vec![Ok(first.clone()), Ok(second)], Ok(abc.to_owned())),
            (
                vec![Ok(first), Err(ReadError::Corrupted)],
                Err(ReadError::Corrupted),
            ),
        ] {
            let reader = ObjectReader {
                length: 3,
                pieces: futures::stream::iter(pieces).boxed(),
            };
            let digest = reader.digest().await.map(|digest| digest.to_string());
            assert_eq!(digest, want);
        }
    }
}
