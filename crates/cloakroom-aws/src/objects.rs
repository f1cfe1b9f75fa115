//! Store of large payloads and results, on S3.
//!
//! Requires `s3:ListBucket` on the bucket in addition to the permissions for its objects. Without it, S3 responds
//! "forbidden" for a missing object.

mod bucket;
mod copy;
mod parts;
mod read;
mod write;

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use cloakroom_app::body::BodyHead;
use cloakroom_app::ports::{
    DeadLetterStore, FetchedPayload, ObjectInfo, ObjectReader, Objects, Part, PartTerms,
    PartUploads, PortError, ProducerPayloads, ReadError, SourceAborted, UploadLink, UploadTerms,
};
use cloakroom_core::{Digest, Timestamp};
use futures::stream::BoxStream;

use crate::clients::Clients;
use crate::error::{OBJECTS, port_error};

pub use bucket::S3Objects;
use bucket::{presigning, upload_link_from};

impl S3Objects {
    /// Creates the bucket if it is missing. For the dev runner and for tests; a template creates the bucket of a
    /// deployment.
    pub async fn create_bucket(&self) -> Result<(), PortError> {
        match self
            .client()
            .create_bucket()
            .bucket(&self.bucket)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateBucketError::is_bucket_already_owned_by_you) =>
            {
                Ok(())
            }
            Err(error) => Err(port_error(OBJECTS, &error)),
        }
    }

    /// Deletes the objects below a prefix that were last written before a time. Returns their number. For the dev
    /// runner, which replaces a bucket's lifecycle rules.
    pub async fn sweep(&self, prefix: &str, before: Timestamp) -> Result<usize, PortError> {
        let mut pages = self
            .client()
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut swept = 0;
        while let Some(page) = pages.next().await {
            for object in page
                .map_err(|error| port_error(OBJECTS, &error))?
                .contents
                .unwrap_or_default()
            {
                let written = object
                    .last_modified
                    .and_then(|at| at.to_millis().ok())
                    .map(Timestamp::from_millis);
                if let (Some(key), Some(_)) = (object.key, written.filter(|at| *at < before)) {
                    let deleted = self
                        .client()
                        .delete_object()
                        .bucket(&self.bucket)
                        .key(key)
                        .send()
                        .await;
                    deleted.map_err(|error| port_error(OBJECTS, &error))?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }
}

#[async_trait]
impl Objects for S3Objects {
    /// Sends a SHA-256 with the content: S3 rejects content that was damaged in transit.
    async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<(), PortError> {
        let checksum = BASE64.encode(Digest::from_content(&bytes).as_bytes());
        let put = self
            .client()
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .checksum_sha256(checksum);
        put.body(ByteStream::from(bytes))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| port_error(OBJECTS, &error))
    }

    async fn put_pieces(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
    ) -> Result<bool, PortError> {
        self.write(key, content_type, pieces).await
    }

    async fn open(&self, key: &str) -> Result<Option<ObjectReader>, PortError> {
        self.read(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<BodyHead>, ReadError> {
        self.read_head(key).await
    }

    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError> {
        let head = match self
            .client()
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
        {
            Ok(head) => head,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(HeadObjectError::is_not_found) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(port_error(OBJECTS, &error)),
        };
        // The checksum of a multipart upload is computed from checksums of its parts, not from the content.
        let whole = !matches!(head.checksum_type, Some(ChecksumType::Composite));
        let sha256 = head
            .checksum_sha256
            .as_deref()
            .filter(|_| whole)
            .and_then(|text| BASE64.decode(text).ok()?.try_into().ok());
        Ok(Some(ObjectInfo {
            content_type: head
                .content_type
                .unwrap_or_else(|| "binary/octet-stream".to_owned()),
            length: head
                .content_length
                .and_then(|length| length.try_into().ok())
                .unwrap_or(0),
            sha256: sha256.map(Digest::from_bytes),
            etag: head.e_tag.unwrap_or_default(),
        }))
    }

    async fn copy(&self, from: &str, info: &ObjectInfo, to: &str) -> Result<bool, PortError> {
        self.copy_object(from, info, to).await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let deleted = self
            .client()
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        deleted
            .map(|_| ())
            .map_err(|error| port_error(OBJECTS, &error))
    }

    async fn link(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        let get = self.client().get_object().bucket(&self.bucket).key(key);
        let request = get
            .presigned(presigning(valid)?)
            .await
            .map_err(|error| port_error(OBJECTS, &error))?;
        Ok(request.uri().to_owned())
    }

    /// The SDK adds no checksum to a presigned request. If the client declared one, it is a signed header, and S3
    /// rejects other content. Type and length are always signed.
    async fn upload_link(
        &self,
        key: &str,
        terms: &UploadTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        let length = i64::try_from(terms.length).unwrap_or(i64::MAX);
        let put = self
            .client()
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(&terms.content_type)
            .content_length(length);
        let put =
            put.set_checksum_sha256(terms.sha256.map(|sha256| BASE64.encode(sha256.as_bytes())));
        let request = put
            .presigned(presigning(valid)?)
            .await
            .map_err(|error| port_error(OBJECTS, &error))?;
        Ok(upload_link_from(&request))
    }
}

#[async_trait]
impl PartUploads for S3Objects {
    async fn begin_parts(&self, key: &str, terms: &UploadTerms) -> Result<String, PortError> {
        self.begin_parts_of(key, terms).await
    }

    async fn part_link(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        self.link_of_part(key, store_id, part, valid).await
    }

    async fn parts(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError> {
        self.list_parts_of(key, store_id, numbers).await
    }

    async fn join_parts(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError> {
        self.join_parts_of(key, store_id, parts).await
    }
}

/// Payloads of producers in their own buckets. Requires `s3:ListBucket` there, too.
#[derive(Debug, Clone)]
pub(crate) struct S3ProducerPayloads(Clients);

impl S3ProducerPayloads {
    /// Creates the reader. Each fetch builds a client for its bucket.
    pub(crate) fn new(clients: &Clients) -> Self {
        Self(clients.clone())
    }
}

#[async_trait]
impl ProducerPayloads for S3ProducerPayloads {
    async fn fetch(
        &self,
        bucket: &str,
        key: &str,
        limit: u64,
    ) -> Result<FetchedPayload, PortError> {
        let Some(object) = S3Objects::new(&self.0, bucket).read(key).await? else {
            return Ok(FetchedPayload::Gone);
        };
        // A payload that is too large is not read: the connection is closed instead.
        if object.length > limit {
            return Ok(FetchedPayload::TooLarge(object.length));
        }
        object
            .read_all()
            .await
            .map(FetchedPayload::Whole)
            .map_err(read::unavailable)
    }
}

#[async_trait]
impl DeadLetterStore for S3Objects {
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError> {
        self.put(
            key,
            "application/json",
            Bytes::copy_from_slice(body.as_bytes()),
        )
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError> {
        let list = self
            .client()
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix);
        let page = list
            .set_start_after(after.map(ToOwned::to_owned))
            .send()
            .await;
        let objects = page
            .map_err(|error| port_error(OBJECTS, &error))?
            .contents
            .unwrap_or_default();
        Ok(objects
            .into_iter()
            .filter_map(|object| object.key)
            .collect())
    }

    async fn read(&self, key: &str) -> Result<Option<String>, PortError> {
        let body = self.get(key).await.map_err(read::unavailable)?;
        Ok(body.map(|body| String::from_utf8_lossy(&body).into_owned()))
    }

    async fn remove(&self, key: &str) -> Result<(), PortError> {
        self.delete(key).await
    }
}

#[cfg(test)]
mod tests;
