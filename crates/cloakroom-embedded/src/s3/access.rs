//! Access to objects: only signed requests, and only for buckets that can be read.

use std::path::PathBuf;

use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// Policy that rejects unsigned requests, and requests for a bucket whose directory is missing. In that case, the disk
/// may have failed, so the service is unavailable: "no such key" would mean that the object was deleted.
pub(super) struct AccessPolicy(pub(super) PathBuf);

#[async_trait::async_trait]
impl S3Access for AccessPolicy {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(S3Error::with_message(
                S3ErrorCode::AccessDenied,
                "the request is not signed",
            ));
        }
        match context.s3_path() {
            S3Path::Object { bucket, .. } if !self.0.join(&**bucket).is_dir() => {
                Err(S3Error::with_message(
                    S3ErrorCode::ServiceUnavailable,
                    "the folder of the bucket can't be read",
                ))
            }
            S3Path::Object { .. } | S3Path::Bucket { .. } | S3Path::Root => Ok(()),
        }
    }
}
