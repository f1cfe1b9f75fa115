//! Wrapper of `s3s-fs` that corrects its differences from S3:
//!
//! - It stores an upload before it compares the checksum, so a rejected upload would remain and replace an earlier
//!   object. Here, the end of the body is only delivered if the checksum matches.
//! - It finds a directory of keys when an object is requested. Here, there is no such key.
//! - It ignores `If-Match` for downloads. Here, it does not.
//! - Creating an existing bucket of the same owner reports that.
//! - Multipart uploads have their own implementation: see `multipart`.

mod body;
mod parts;

use std::path::PathBuf;

#[allow(clippy::wildcard_imports)] // two names for each forwarded operation
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;

use super::multipart::MultipartUploads;
use body::{ChecksumMismatch, expected};

/// Objects of `s3s-fs`, with checks.
#[derive(Debug)]
pub(super) struct CheckedFiles {
    files: FileSystem,
    folder: PathBuf,
    uploads: MultipartUploads,
}

impl CheckedFiles {
    pub(super) fn new(files: FileSystem, folder: PathBuf) -> Self {
        Self {
            files,
            uploads: MultipartUploads::new(&folder),
            folder,
        }
    }

    /// Rejects a key that is a directory. Keys are stored as paths below their bucket, so a prefix of a key is a
    /// directory.
    fn check_no_folder(&self, bucket: &str, key: &str) -> S3Result<()> {
        if !key.ends_with('/') && self.folder.join(bucket).join(key).is_dir() {
            return Err(S3Error::with_message(
                S3ErrorCode::NoSuchKey,
                "the specified key does not exist",
            ));
        }
        Ok(())
    }

    async fn create_own_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(request).await.map_err(|error| {
            if *error.code() == S3ErrorCode::BucketAlreadyExists {
                S3Error::with_message(
                    S3ErrorCode::BucketAlreadyOwnedByYou,
                    "the bucket exists, and it is yours",
                )
            } else {
                error
            }
        })
    }

    async fn get_matching_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let wanted = request.input.if_match.clone();
        let response = self.files.get_object(request).await?;
        match (wanted, &response.output.e_tag) {
            (Some(ETagCondition::ETag(wanted)), Some(found)) if !found.strong_cmp(&wanted) => {
                Err(S3Error::with_message(
                    S3ErrorCode::PreconditionFailed,
                    "the object is another by now",
                ))
            }
            _ => Ok(response),
        }
    }

    async fn put_checked_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let expected = expected!(request);
        let mut mismatch = ChecksumMismatch::default();
        if let Some(body) = request.input.body.take() {
            request.input.body =
                Some(mismatch.verify(body, expected, request.trailing_headers.clone()));
        }
        self.files
            .put_object(request)
            .await
            .map_err(|error| mismatch.or_error(error))
    }
}

/// Forwards the named operations unchanged. One macro for the whole implementation, because `async_trait` requires all
/// methods.
macro_rules! pass_on {
    ($($method:ident: $input:ident -> $output:ident),* $(,)?) => {
        #[async_trait::async_trait]
        impl S3 for CheckedFiles {
            async fn create_bucket(
                &self,
                request: S3Request<CreateBucketInput>,
            ) -> S3Result<S3Response<CreateBucketOutput>> {
                self.create_own_bucket(request).await
            }

            async fn put_object(
                &self,
                request: S3Request<PutObjectInput>,
            ) -> S3Result<S3Response<PutObjectOutput>> {
                self.put_checked_object(request).await
            }

            async fn get_object(
                &self,
                request: S3Request<GetObjectInput>,
            ) -> S3Result<S3Response<GetObjectOutput>> {
                self.check_no_folder(&request.input.bucket, &request.input.key)?;
                self.get_matching_object(request).await
            }

            async fn head_object(
                &self,
                request: S3Request<HeadObjectInput>,
            ) -> S3Result<S3Response<HeadObjectOutput>> {
                self.check_no_folder(&request.input.bucket, &request.input.key)?;
                self.files.head_object(request).await
            }

            async fn create_multipart_upload(
                &self,
                request: S3Request<CreateMultipartUploadInput>,
            ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
                self.begin(request).await
            }

            async fn upload_part(
                &self,
                request: S3Request<UploadPartInput>,
            ) -> S3Result<S3Response<UploadPartOutput>> {
                self.put_part(request).await
            }

            async fn upload_part_copy(
                &self,
                request: S3Request<UploadPartCopyInput>,
            ) -> S3Result<S3Response<UploadPartCopyOutput>> {
                self.copy_part(request).await
            }

            async fn list_parts(
                &self,
                request: S3Request<ListPartsInput>,
            ) -> S3Result<S3Response<ListPartsOutput>> {
                self.list(request).await
            }

            async fn complete_multipart_upload(
                &self,
                request: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                self.complete(request).await
            }

            async fn abort_multipart_upload(
                &self,
                request: S3Request<AbortMultipartUploadInput>,
            ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
                self.abort(request).await
            }

            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.files.$method(request).await
            })*
        }
    };
}

pass_on! {
    copy_object: CopyObjectInput -> CopyObjectOutput,
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput,
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput,
    head_bucket: HeadBucketInput -> HeadBucketOutput,
    list_buckets: ListBucketsInput -> ListBucketsOutput,
    list_objects: ListObjectsInput -> ListObjectsOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output,
}
