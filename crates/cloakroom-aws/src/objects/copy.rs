//! Copies objects within S3. A large object is copied in concurrent parts, because one call could exceed the timeout of
//! a request.

use aws_sdk_s3::types::CompletedPart;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cloakroom_app::ports::{ObjectInfo, PortError};
use futures::{StreamExt as _, TryStreamExt as _};

use super::bucket::S3Objects;
use super::parts::begin_upload;
use crate::error::{OBJECTS, port_error};

/// Maximum number of concurrent parts of a copy.
const MAX_CONCURRENT_PARTS: usize = 16;

impl S3Objects {
    /// Copies an object that still matches `info`. Returns false if it is missing or was replaced.
    pub(super) async fn copy_object(
        &self,
        from: &str,
        info: &ObjectInfo,
        to: &str,
    ) -> Result<bool, PortError> {
        let source = format!("{}/{}", self.bucket, percent_encoded(from));
        if info.length > self.copy_part_length {
            return self.copy_parts(&source, to, info).await;
        }
        let copy = self
            .client()
            .copy_object()
            .bucket(&self.bucket)
            .key(to)
            .copy_source(source);
        let copy = copy.copy_source_if_match(&info.etag);
        match copy.send().await {
            Ok(_) => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(port_error(OBJECTS, &error)),
        }
    }

    async fn copy_parts(
        &self,
        source: &str,
        to: &str,
        info: &ObjectInfo,
    ) -> Result<bool, PortError> {
        let upload = begin_upload(self.create_upload(to, &info.content_type)).await?;
        let starts =
            (0..info.length).step_by(usize::try_from(self.copy_part_length).unwrap_or(usize::MAX));
        let parts = (1..).zip(starts).map(|(number, start)| {
            let end = (start + self.copy_part_length).min(info.length) - 1;
            let part = self
                .client()
                .upload_part_copy()
                .bucket(&self.bucket)
                .key(to)
                .upload_id(&upload);
            let part = part
                .part_number(number)
                .copy_source(source)
                .copy_source_range(format!("bytes={start}-{end}"));
            // All parts must be of the same state of the object.
            let part = part.copy_source_if_match(&info.etag);
            async move {
                let copied = part.send().await?.copy_part_result;
                let etag = copied.and_then(|copied| copied.e_tag);
                Ok(CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(etag)
                    .build())
            }
        });
        let copied: Result<Vec<_>, aws_sdk_s3::error::SdkError<_>> = futures::stream::iter(parts)
            .buffered(MAX_CONCURRENT_PARTS)
            .try_collect()
            .await;
        let copied = match copied {
            Ok(parts) => {
                let completed = self.complete(to, &upload, parts).await;
                completed
                    .map(|()| true)
                    .map_err(|error| port_error(OBJECTS, &error))
            }
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(port_error(OBJECTS, &error)),
        };
        if copied != Ok(true) {
            self.abort(to, &upload).await;
        }
        copied
    }

    /// Aborts a multipart upload. If that fails, the bucket's lifecycle rule does it.
    pub(super) async fn abort(&self, key: &str, upload: &str) {
        let abort = self
            .client()
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload);
        if let Err(error) = abort.send().await {
            tracing::warn!(error = %port_error(OBJECTS, &error), "failed to abort an incomplete multipart upload");
        }
    }
}

/// Returns true if the source does not exist or was replaced.
fn is_gone(error: &impl ProvideErrorMetadata) -> bool {
    matches!(error.code(), Some("NoSuchKey" | "PreconditionFailed"))
}

/// Encodes a key as the source of a copy. The SDK requires callers to do this.
pub(super) fn percent_encoded(key: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                text.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => _ = write!(text, "%{byte:02X}"),
        }
    }
    text
}
