//! What `s3s-fs` serves, made to behave like S3 where the difference would show:
//!
//! - it puts an upload in place first and compares its checksum then, so a refused upload would stay, and
//!   replace what was there. Here the end of the body is only let through when the checksum agrees;
//! - it finds a "folder" of keys where an object is asked for. Here there is no such key;
//! - it gives an object out whatever `If-Match` says. Here it does not;
//! - creating one's own bucket again says that it is one's own.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
#[allow(clippy::wildcard_imports)] // two names for each operation passed on
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError, TrailingHeaders};
use s3s_fs::FileSystem;

#[derive(Debug)]
pub(super) struct CheckedFiles {
    files: FileSystem,
    folder: PathBuf,
}

impl CheckedFiles {
    pub(super) fn new(files: FileSystem, folder: PathBuf) -> Self {
        Self { files, folder }
    }

    /// Keys lie as paths below their bucket, so part of a key is a folder.
    fn check_no_folder(&self, bucket: &str, key: &str) -> S3Result<()> {
        if !key.ends_with('/') && self.folder.join(bucket).join(key).is_dir() {
            return Err(S3Error::with_message(S3ErrorCode::NoSuchKey, "the specified key does not exist"));
        }
        Ok(())
    }

    async fn create_own_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(request).await.map_err(|error| {
            if *error.code() == S3ErrorCode::BucketAlreadyExists {
                S3Error::with_message(S3ErrorCode::BucketAlreadyOwnedByYou, "the bucket exists, and it is yours")
            } else {
                error
            }
        })
    }

    async fn get_matching_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let wanted = request.input.if_match.clone();
        let response = self.files.get_object(request).await?;
        match (wanted, &response.output.e_tag) {
            (Some(ETagCondition::ETag(wanted)), Some(found)) if !found.strong_cmp(&wanted) => {
                Err(S3Error::with_message(S3ErrorCode::PreconditionFailed, "the object is another by now"))
            }
            _ => Ok(response),
        }
    }

    async fn put_checked_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let disagrees = Arc::new(AtomicBool::new(false));
        if let Some(body) = request.input.body.take() {
            request.input.body = Some(StreamingBlob::wrap(CheckedBody {
                body,
                hasher: Some(hasher(&request.input)),
                expected: Expected {
                    crc32: request.input.checksum_crc32.clone(),
                    crc32c: request.input.checksum_crc32c.clone(),
                    sha1: request.input.checksum_sha1.clone(),
                    sha256: request.input.checksum_sha256.clone(),
                    crc64nvme: request.input.checksum_crc64nvme.clone(),
                },
                trailers: request.trailing_headers.clone(),
                disagrees: Arc::clone(&disagrees),
            }));
        }
        self.files.put_object(request).await.map_err(|error| {
            if disagrees.load(Ordering::Acquire) {
                S3Error::with_message(
                    S3ErrorCode::BadDigest,
                    "the checksum you specified did not match what was received",
                )
            } else {
                error
            }
        })
    }
}

fn hasher(input: &PutObjectInput) -> ChecksumHasher {
    let named = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
    let wanted = |header: &Option<String>, name| header.is_some() || named == Some(name);
    let mut hasher = ChecksumHasher::default();
    if wanted(&input.checksum_crc32, ChecksumAlgorithm::CRC32) {
        hasher.crc32 = Some(Crc32::default());
    }
    if wanted(&input.checksum_crc32c, ChecksumAlgorithm::CRC32C) {
        hasher.crc32c = Some(Crc32c::default());
    }
    if wanted(&input.checksum_sha1, ChecksumAlgorithm::SHA1) {
        hasher.sha1 = Some(Sha1::default());
    }
    if wanted(&input.checksum_sha256, ChecksumAlgorithm::SHA256) {
        hasher.sha256 = Some(Sha256::default());
    }
    if wanted(&input.checksum_crc64nvme, ChecksumAlgorithm::CRC64NVME) {
        hasher.crc64nvme = Some(Crc64Nvme::default());
    }
    hasher
}

/// The checksums the request's headers name.
struct Expected {
    crc32: Option<String>,
    crc32c: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
    crc64nvme: Option<String>,
}

/// A body whose end comes only if its checksums, named before or after it, agree.
struct CheckedBody {
    body: StreamingBlob,
    /// Gone once the end was seen.
    hasher: Option<ChecksumHasher>,
    expected: Expected,
    trailers: Option<TrailingHeaders>,
    disagrees: Arc<AtomicBool>,
}

impl CheckedBody {
    fn agrees(&self, hasher: ChecksumHasher) -> bool {
        let sums = hasher.finalize();
        let trailer = |name: &str| {
            let read = |trailers: &TrailingHeaders| {
                trailers.read(|trailers| {
                    let value = trailers.get(name)?;
                    value.to_str().ok().map(str::to_owned)
                })
            };
            self.trailers.as_ref().and_then(read).flatten()
        };
        let expected = &self.expected;
        [
            ("x-amz-checksum-crc32", &expected.crc32, sums.checksum_crc32),
            ("x-amz-checksum-crc32c", &expected.crc32c, sums.checksum_crc32c),
            ("x-amz-checksum-sha1", &expected.sha1, sums.checksum_sha1),
            ("x-amz-checksum-sha256", &expected.sha256, sums.checksum_sha256),
            ("x-amz-checksum-crc64nvme", &expected.crc64nvme, sums.checksum_crc64nvme),
        ]
        .into_iter()
        .all(|(name, header, sum)| {
            let expected = header.clone().or_else(|| trailer(name));
            expected.is_none() || expected == sum
        })
    }
}

impl Stream for CheckedBody {
    type Item = Result<Bytes, Refused>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = futures::ready!(Pin::new(&mut self.body).poll_next(cx));
        Poll::Ready(match next {
            Some(Ok(bytes)) => {
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(&bytes);
                }
                Some(Ok(bytes))
            }
            Some(Err(error)) => Some(Err(Refused(error))),
            None => {
                let hasher = self.hasher.take();
                if hasher.is_none_or(|hasher| self.agrees(hasher)) {
                    None
                } else {
                    self.disagrees.store(true, Ordering::Release);
                    let error = io::Error::other("the checksum does not match");
                    Some(Err(Refused(error.into())))
                }
            }
        })
    }
}

/// A body that broke off, or that is not what it was said to be.
#[derive(Debug, thiserror::Error)]
#[error("read the body: {0}")]
struct Refused(StdError);

/// Passes the named operations on as they are. One macro around the whole implementation, because
/// `async_trait` has to see every method.
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

            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.files.$method(request).await
            })*
        }
    };
}

pass_on! {
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput,
    complete_multipart_upload: CompleteMultipartUploadInput -> CompleteMultipartUploadOutput,
    copy_object: CopyObjectInput -> CopyObjectOutput,
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput,
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput,
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput,
    head_bucket: HeadBucketInput -> HeadBucketOutput,
    list_buckets: ListBucketsInput -> ListBucketsOutput,
    list_objects: ListObjectsInput -> ListObjectsOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output,
    list_parts: ListPartsInput -> ListPartsOutput,
    upload_part: UploadPartInput -> UploadPartOutput,
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput,
}
