//! Reads objects piece by piece.
//!
//! A connection that ends too early is resumed at that position, for the same state of the object. So an error after a
//! gigabyte does not waste the data read so far.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use aws_smithy_types::error::display::DisplayErrorContext;
use bytes::Bytes;
use cloakroom_app::body::BodyHead;
use cloakroom_app::ports::{ObjectReader, PortError, ReadError};
use cloakroom_core::redact::causes;
use futures::StreamExt as _;

use super::bucket::S3Objects;
use crate::error::{OBJECTS, port_error};

/// Maximum number of consecutive resumptions without a byte.
const MAX_RESUMES: u32 = 3;

/// Error text of S3 for a checksum that does not match, wherever the SDK puts it.
const MISMATCH: &str = "checksum mismatch";

struct ResumableRead {
    objects: S3Objects,
    key: String,
    etag: Option<String>,
    body: ByteStream,
    length: u64,
    read: u64,
    resumes: u32,
}

impl S3Objects {
    /// Opens an object.
    pub(super) async fn read(&self, key: &str) -> Result<Option<ObjectReader>, PortError> {
        let object = match self.get_from(key, None).await {
            Ok(object) => object,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetObjectError::is_no_such_key) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(port_error(OBJECTS, &error)),
        };
        let length = object
            .content_length
            .and_then(|length| u64::try_from(length).ok())
            .unwrap_or(0);
        let reading = ResumableRead {
            objects: self.clone(),
            key: key.to_owned(),
            etag: object.e_tag,
            body: object.body,
            length,
            read: 0,
            resumes: 0,
        };
        let pieces = futures::stream::try_unfold(reading, |mut reading| async {
            Ok(reading.next().await?.map(|piece| (piece, reading)))
        });
        Ok(Some(ObjectReader {
            length,
            pieces: pieces.boxed(),
        }))
    }

    /// Reads the beginning of an object with one call, and no more bytes than necessary.
    pub(super) async fn read_head(&self, key: &str) -> Result<Option<BodyHead>, ReadError> {
        let range = format!("bytes=0-{}", BodyHead::LIMIT - 1);
        let object = match self
            .client()
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .range(range)
            .send()
            .await
        {
            Ok(object) => object,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetObjectError::is_no_such_key) =>
            {
                return Ok(None);
            }
            // A range is invalid for an empty object.
            Err(error) if error.code() == Some("InvalidRange") => {
                return Ok(Some(BodyHead::default()));
            }
            Err(error) => return Err(port_error(OBJECTS, &error).into()),
        };
        // bytes 0-262143/1048576
        let whole = object
            .content_range
            .as_deref()
            .and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let body = object.body.collect().await;
        let bytes = body
            .map_err(|error| unavailable_with(DisplayErrorContext(&error).to_string()))?
            .into_bytes();
        let length = whole.unwrap_or(bytes.len() as u64);
        Ok(Some(BodyHead {
            bytes: bytes.slice(..bytes.len().min(BodyHead::LIMIT)),
            length,
        }))
    }

    async fn get_from(
        &self,
        key: &str,
        from: Option<(u64, Option<String>)>,
    ) -> Result<GetObjectOutput, aws_sdk_s3::error::SdkError<GetObjectError>> {
        let get = self.client().get_object().bucket(&self.bucket).key(key);
        match from {
            None => get.send().await,
            Some((at, etag)) => {
                get.range(format!("bytes={at}-"))
                    .set_if_match(etag)
                    .send()
                    .await
            }
        }
    }
}

impl ResumableRead {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let error = match self.body.next().await {
                Some(Ok(piece)) => {
                    self.read += piece.len() as u64;
                    self.resumes = 0;
                    return Ok(Some(piece));
                }
                None if self.read == self.length => return Ok(None),
                None => unavailable_with(format!(
                    "the object ended at byte {} of {}",
                    self.read, self.length
                )),
                Some(Err(error)) if is_mismatch(&error) => return Err(ReadError::Corrupted),
                Some(Err(error)) => unavailable_with(causes(&error)),
            };
            self.resumes += 1;
            if self.resumes > MAX_RESUMES || self.read >= self.length {
                return Err(error.into());
            }
            tracing::info!(read = self.read, length = self.length, %error, "the read of an object was interrupted; resuming it");
            let rest = self
                .objects
                .get_from(&self.key, Some((self.read, self.etag.clone())))
                .await;
            self.body = rest.map_err(|error| port_error(OBJECTS, &error))?.body;
        }
    }
}

fn is_mismatch(error: &ByteStreamError) -> bool {
    DisplayErrorContext(error)
        .to_string()
        .to_ascii_lowercase()
        .contains(MISMATCH)
}

fn unavailable_with(reason: String) -> PortError {
    PortError::Unavailable {
        service: OBJECTS,
        reason,
    }
}

/// Maps an error for callers that can only retry a damaged object.
pub(super) fn unavailable(error: ReadError) -> PortError {
    match error {
        ReadError::Port(error) => error,
        ReadError::Corrupted => unavailable_with(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_app::ports::Objects as _;

    use super::*;
    use crate::services::{Fixture, clients_of_responses};

    const WHOLE: &[u8] = b"a gigabyte, as it were";

    /// Simulates a first response that ended after `at` bytes.
    async fn broken_off(objects: &S3Objects, at: usize, etag: Option<String>) -> ResumableRead {
        objects
            .put("a", "text/plain", Bytes::from_static(WHOLE))
            .await
            .expect("put");
        let (body, length) = (ByteStream::from_static(&WHOLE[..at]), WHOLE.len() as u64);
        ResumableRead {
            objects: objects.clone(),
            key: "a".into(),
            etag,
            body,
            length,
            read: 0,
            resumes: 0,
        }
    }

    async fn rest(mut reading: ResumableRead) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        while let Some(piece) = reading.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn an_object_that_breaks_off_is_read_on_from_there() {
        let fixture = Fixture::start().await;
        let objects = S3Objects::new(&fixture.clients, "payloads");
        objects.create_bucket().await.expect("make the bucket");
        for at in [0, 1, WHOLE.len() - 1, WHOLE.len()] {
            let etag = objects.info("a").await.expect("info").map(|info| info.etag);
            assert_eq!(
                rest(broken_off(&objects, at, etag).await).await.as_deref(),
                Ok(WHOLE),
                "{at}"
            );
        }
    }

    #[tokio::test]
    async fn it_is_not_read_on_from_another_state_of_the_object_nor_for_ever() {
        let fixture = Fixture::start().await;
        let objects = S3Objects::new(&fixture.clients, "payloads");
        objects.create_bucket().await.expect("make the bucket");
        let other = broken_off(
            &objects,
            5,
            Some("\"0123456789abcdef0123456789abcdef\"".into()),
        )
        .await;
        assert!(matches!(rest(other).await, Err(ReadError::Port(_))));
        let mut longer = broken_off(&objects, 5, None).await;
        longer.length += 1;
        assert!(matches!(rest(longer).await, Err(ReadError::Port(_))));
    }

    #[tokio::test]
    async fn a_read_is_resumed_three_times_without_a_byte_between() {
        let fixture = Fixture::start().await;
        let objects = S3Objects::new(&fixture.clients, "payloads");
        objects.create_bucket().await.expect("make the bucket");
        for (resumes, goes_on) in [(MAX_RESUMES - 1, true), (MAX_RESUMES, false)] {
            let mut reading = broken_off(&objects, 0, None).await;
            reading.resumes = resumes;
            assert_eq!(rest(reading).await.is_ok(), goes_on, "{resumes}");
        }
        let mut reading = broken_off(&objects, 1, None).await;
        reading.resumes = MAX_RESUMES;
        assert_eq!(rest(reading).await.as_deref(), Ok(WHOLE), "after a byte");
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_no_damage_and_other_bytes_are() {
        let rest = ("206 Partial Content", WHOLE.len() - 5, &WHOLE[5..]);
        let broken = ("200 OK", WHOLE.len(), &WHOLE[..5]);
        let damaged = (
            "200 OK\r\nx-amz-checksum-crc32: AAAAAA==",
            WHOLE.len(),
            WHOLE,
        );
        for (first, read) in [(broken, Ok(WHOLE)), (damaged, Err(&ReadError::Corrupted))] {
            let objects = S3Objects::new(&clients_of_responses([first, rest]), "payloads");
            let reader = objects.open("a").await.expect("open").expect("it exists");
            assert_eq!(reader.read_all().await.as_deref(), read);
        }
    }
}
