//! Writes objects while their pieces arrive: in one call if everything fits into one part, otherwise in parts, so that
//! little of it is in memory. The object appears after its last part. If a write fails and can't be aborted, the
//! bucket's lifecycle rule deletes the rest.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart};
use bytes::{Bytes, BytesMut};
use cloakroom_app::ports::{Objects as _, PortError, SourceAborted};
use futures::stream::{BoxStream, Fuse, FuturesOrdered};
use futures::{StreamExt as _, TryStreamExt as _};

use super::bucket::S3Objects;
use super::parts::begin_upload;
use crate::error::{OBJECTS, port_error};

/// Length of a part in bytes: 5 MiB, S3's minimum for all parts but the last.
const PART_LENGTH: usize = 5 * 1024 * 1024;

/// Maximum number of concurrent parts. Two are sent while the next one is filled, so three are in memory.
const MAX_CONCURRENT_PARTS: usize = 2;

/// Number of parts after which their length grows by [`PART_LENGTH`]. An object has at most 10,000 parts, so that one
/// of 268 GiB fits. Only such large objects need more memory.
const LENGTHEN_AFTER_PARTS: usize = 1000;

type Source = BoxStream<'static, Result<Bytes, SourceAborted>>;

impl S3Objects {
    /// Writes an object. Returns false if its source failed.
    pub(super) async fn write(
        &self,
        key: &str,
        content_type: &str,
        pieces: Source,
    ) -> Result<bool, PortError> {
        let mut source = PartReader {
            source: pieces.fuse(),
            rest: Bytes::new(),
        };
        let Ok(first) = source.next(PART_LENGTH).await else {
            return Ok(false);
        };
        if first.len() < PART_LENGTH {
            return self.put(key, content_type, first).await.map(|()| true);
        }
        // The SDK computes this checksum for each part, and S3 verifies it.
        let upload = begin_upload(
            self.create_upload(key, content_type)
                .checksum_algorithm(ChecksumAlgorithm::Crc32),
        )
        .await?;
        let written = self.write_parts(key, &upload, first, source).await;
        if !matches!(written, Ok(true)) {
            self.abort(key, &upload).await;
        }
        written
    }

    async fn write_parts(
        &self,
        key: &str,
        upload: &str,
        first: Bytes,
        mut source: PartReader,
    ) -> Result<bool, PortError> {
        let (mut sending, mut sent) = (FuturesOrdered::new(), Vec::new());
        let mut part = first;
        let mut number = 1;
        while !part.is_empty() {
            sending.push_back(self.write_part(key, upload, number, part));
            // Sends parts while the next one is filled; filling alone would not poll them.
            let filled = {
                let mut filling = std::pin::pin!(source.next(length_after(sent.len())));
                loop {
                    tokio::select! {
                        filled = &mut filling => break filled,
                        Some(part) = sending.next() => sent.push(part?),
                    }
                }
            };
            let Ok(next) = filled else { return Ok(false) };
            while sending.len() >= MAX_CONCURRENT_PARTS
                && let Some(part) = sending.try_next().await?
            {
                sent.push(part);
            }
            part = next;
            number += 1;
        }
        while let Some(part) = sending.try_next().await? {
            sent.push(part);
        }
        self.complete(key, upload, sent)
            .await
            .map(|()| true)
            .map_err(|error| port_error(OBJECTS, &error))
    }

    async fn write_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        part: Bytes,
    ) -> Result<CompletedPart, PortError> {
        let upload_part = self
            .client()
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload);
        let upload_part = upload_part
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32);
        let sent = upload_part.body(ByteStream::from(part)).send().await;
        let sent = sent.map_err(|error| port_error(OBJECTS, &error))?;
        let part = CompletedPart::builder()
            .part_number(number)
            .set_e_tag(sent.e_tag);
        Ok(part.set_checksum_crc32(sent.checksum_crc32).build())
    }
}

/// Returns the length of a part, by the number of parts sent before it.
fn length_after(parts_sent: usize) -> usize {
    PART_LENGTH * (1 + parts_sent / LENGTHEN_AFTER_PARTS)
}

/// Joins pieces of any size, and splits them into parts.
struct PartReader {
    source: Fuse<Source>,
    rest: Bytes,
}

impl PartReader {
    /// Returns the next part. It is shorter than `wanted` only at the end, and empty after that.
    async fn next(&mut self, wanted: usize) -> Result<Bytes, SourceAborted> {
        let mut part = BytesMut::new();
        loop {
            let room = wanted - part.len();
            if self.rest.len() >= room {
                let end = self.rest.split_to(room);
                if part.is_empty() {
                    return Ok(end);
                }
                part.extend_from_slice(&end);
                return Ok(part.freeze());
            }
            if part.is_empty() && !self.rest.is_empty() {
                part.reserve(wanted);
            }
            part.extend_from_slice(&self.rest);
            self.rest = match self.source.try_next().await? {
                Some(piece) => piece,
                None => {
                    self.rest = Bytes::new();
                    return Ok(part.freeze());
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_268_gib_fit_into_an_object() {
        let lengths = [0, 999, 1000, 9999].map(length_after);
        assert_eq!(lengths, [1, 1, 2, 10].map(|times| times * PART_LENGTH));
        let whole: usize = (0..10_000).map(length_after).sum();
        assert_eq!(whole >> 30, 268);
    }

    #[tokio::test]
    async fn pieces_of_any_size_become_parts_of_one() {
        let pieces = ["abc", "", "def", "ghijklmn", "o"].map(|piece| Ok(Bytes::from(piece)));
        let mut reader = PartReader {
            source: futures::stream::iter(pieces).boxed().fuse(),
            rest: Bytes::new(),
        };
        for part in ["abcd", "efgh", "ijkl", "mno", "", ""] {
            assert_eq!(reader.next(4).await.expect("it does not fail"), part);
        }
    }
}
