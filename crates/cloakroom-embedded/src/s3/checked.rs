//! What `s3s-fs` serves, made to behave like S3 where the difference would show:
//!
//! - it puts an upload in place first and compares its checksum then, so a refused upload would stay, and
//!   replace what was there. Here the end of the body is only let through when the checksum agrees;
//! - it finds a "folder" of keys where an object is asked for. Here there is no such key;
//! - it gives an object out whatever `If-Match` says. Here it does not;
//! - creating one's own bucket again says that it is one's own;
//! - uploads in parts are ours: see `multipart`.

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

use super::multipart::{self, MultipartUploads, Upload};

/// What the checksums of a request's body are to be: of a whole object and of a part they are said alike.
macro_rules! expected {
    ($request:ident) => {
        ExpectedChecksums {
            named: $request.input.checksum_algorithm.clone(),
            crc32: $request.input.checksum_crc32.clone(),
            crc32c: $request.input.checksum_crc32c.clone(),
            sha1: $request.input.checksum_sha1.clone(),
            sha256: $request.input.checksum_sha256.clone(),
            crc64nvme: $request.input.checksum_crc64nvme.clone(),
        }
    };
}
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

    /// Keys lie as paths below their bucket, so part of a key is a folder.
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

    async fn begin(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let CreateMultipartUploadInput {
            bucket,
            key,
            content_type,
            metadata,
            ..
        } = request.input;
        let upload = Upload {
            bucket: bucket.clone(),
            key: key.clone(),
            content_type,
            metadata,
        };
        let upload_id = Some(self.uploads.begin(&upload).await?);
        let output = CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id,
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn put_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let expected = expected!(request);
        let UploadPartInput {
            bucket,
            key,
            upload_id,
            part_number,
            body,
            ..
        } = &mut request.input;
        let (folder, _) = self.uploads.find(bucket, key, upload_id).await?;
        let body = body
            .take()
            .ok_or_else(|| S3Error::new(S3ErrorCode::IncompleteBody))?;
        let mut mismatch = ChecksumMismatch::default();
        let body = mismatch.verify(body, expected, request.trailing_headers.clone());
        let etag = self
            .uploads
            .put(&folder, *part_number, body)
            .await
            .map_err(|error| mismatch.or_error(error))?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        }))
    }

    async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let UploadPartCopyInput {
            bucket,
            key,
            upload_id,
            part_number,
            copy_source,
            copy_source_range,
            ..
        } = request.input.clone();
        let (folder, _) = self.uploads.find(&bucket, &key, &upload_id).await?;
        let CopySource::Bucket { bucket, key, .. } = copy_source else {
            return Err(S3Error::new(S3ErrorCode::NotImplemented));
        };
        let wrong = |_| S3Error::new(S3ErrorCode::InvalidArgument);
        let range = copy_source_range
            .map(|range| Range::parse(&range))
            .transpose()
            .map_err(wrong)?;
        let source = GetObjectInput {
            bucket: bucket.into(),
            key: key.into(),
            range,
            ..Default::default()
        };
        let source = self
            .files
            .get_object(request.map_input(|_| source))
            .await?
            .output;
        let body = source
            .body
            .ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchKey))?;
        let etag = ETag::Strong(self.uploads.put(&folder, part_number, body).await?);
        let result = CopyPartResult {
            e_tag: Some(etag),
            ..Default::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..Default::default()
        }))
    }

    async fn list(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let ListPartsInput {
            bucket,
            key,
            upload_id,
            max_parts,
            part_number_marker,
            ..
        } = request.input;
        let (folder, _) = self.uploads.find(&bucket, &key, &upload_id).await?;
        let most = max_parts
            .filter(|most| (1..MAX_LISTED).contains(most))
            .unwrap_or(MAX_LISTED);
        let after = part_number_marker.unwrap_or(0);
        let mut parts = self.uploads.parts(&folder).await?;
        parts.retain(|part| part.number > after);
        let page: Vec<_> = parts
            .iter()
            .take(usize::try_from(most).unwrap_or(0))
            .collect();
        let output = ListPartsOutput {
            is_truncated: Some(page.len() < parts.len()),
            next_part_number_marker: page.last().map(|part| part.number),
            part_number_marker,
            max_parts: Some(most),
            parts: Some(page.into_iter().map(listed).collect()),
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    /// A crash before the end leaves an upload that may be completed again, with the same end.
    async fn complete(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput {
            bucket,
            key,
            upload_id,
            multipart_upload,
            if_match,
            if_none_match,
            ..
        } = request.input.clone();
        let _hold = self.uploads.lock_parts().await;
        let (folder, upload) = self.uploads.find(&bucket, &key, &upload_id).await?;
        let named = multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
            .into_iter();
        let named = named.filter_map(|part| {
            Some((
                part.part_number?,
                part.e_tag.map(|etag| etag.value().to_owned()),
            ))
        });
        let body = self.uploads.assemble(&folder, named.collect()).await?;
        let whole = PutObjectInput {
            body: Some(body),
            bucket: bucket.clone(),
            key: key.clone(),
            content_type: upload.content_type,
            metadata: upload.metadata,
            if_match,
            if_none_match,
            ..Default::default()
        };
        let put = self
            .files
            .put_object(request.map_input(|_| whole))
            .await?
            .output;
        self.uploads.remove(&folder).await?;
        let output = CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: put.e_tag,
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn abort(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput {
            bucket,
            key,
            upload_id,
            ..
        } = request.input;
        let _hold = self.uploads.lock_parts().await;
        let (folder, _) = self.uploads.find(&bucket, &key, &upload_id).await?;
        self.uploads.remove(&folder).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// Most parts of a page.
const MAX_LISTED: i32 = 1000;

fn listed(part: &multipart::Part) -> Part {
    Part {
        part_number: Some(part.number),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        size: i64::try_from(part.size).ok(),
        last_modified: Some(part.written.into()),
        ..Default::default()
    }
}

/// Flag that a body did not match its checksums.
#[derive(Default)]
struct ChecksumMismatch(Arc<AtomicBool>);

impl ChecksumMismatch {
    /// Wraps a body: its end comes only if its checksums match.
    fn verify(
        &mut self,
        body: StreamingBlob,
        expected: ExpectedChecksums,
        trailers: Option<TrailingHeaders>,
    ) -> StreamingBlob {
        let mismatch = Arc::clone(&self.0);
        StreamingBlob::wrap(CheckedBody {
            body,
            hasher: Some(expected.hasher()),
            expected,
            trailers,
            mismatch,
        })
    }

    /// Returns the error of a body that did not match, or else this one.
    fn or_error(&self, error: S3Error) -> S3Error {
        if self.0.load(Ordering::Acquire) {
            let reason = "the checksum you specified did not match what was received";
            return S3Error::with_message(S3ErrorCode::BadDigest, reason);
        }
        error
    }
}

/// Checksums that the request's headers name.
struct ExpectedChecksums {
    /// The algorithm of one that comes after the body.
    named: Option<ChecksumAlgorithm>,
    crc32: Option<String>,
    crc32c: Option<String>,
    sha1: Option<String>,
    sha256: Option<String>,
    crc64nvme: Option<String>,
}

impl ExpectedChecksums {
    fn hasher(&self) -> ChecksumHasher {
        let named = self.named.as_ref().map(ChecksumAlgorithm::as_str);
        let wanted = |header: &Option<String>, name| header.is_some() || named == Some(name);
        let mut hasher = ChecksumHasher::default();
        if wanted(&self.crc32, ChecksumAlgorithm::CRC32) {
            hasher.crc32 = Some(Crc32::default());
        }
        if wanted(&self.crc32c, ChecksumAlgorithm::CRC32C) {
            hasher.crc32c = Some(Crc32c::default());
        }
        if wanted(&self.sha1, ChecksumAlgorithm::SHA1) {
            hasher.sha1 = Some(Sha1::default());
        }
        if wanted(&self.sha256, ChecksumAlgorithm::SHA256) {
            hasher.sha256 = Some(Sha256::default());
        }
        if wanted(&self.crc64nvme, ChecksumAlgorithm::CRC64NVME) {
            hasher.crc64nvme = Some(Crc64Nvme::default());
        }
        hasher
    }
}

/// A body whose end comes only if its checksums, named before or after it, agree.
struct CheckedBody {
    body: StreamingBlob,
    /// Gone once the end was seen.
    hasher: Option<ChecksumHasher>,
    expected: ExpectedChecksums,
    trailers: Option<TrailingHeaders>,
    mismatch: Arc<AtomicBool>,
}

impl CheckedBody {
    fn matches(&self, hasher: ChecksumHasher) -> bool {
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
            (
                "x-amz-checksum-crc32c",
                &expected.crc32c,
                sums.checksum_crc32c,
            ),
            ("x-amz-checksum-sha1", &expected.sha1, sums.checksum_sha1),
            (
                "x-amz-checksum-sha256",
                &expected.sha256,
                sums.checksum_sha256,
            ),
            (
                "x-amz-checksum-crc64nvme",
                &expected.crc64nvme,
                sums.checksum_crc64nvme,
            ),
        ]
        .into_iter()
        .all(|(name, header, sum)| {
            let expected = header.clone().or_else(|| trailer(name));
            expected.is_none() || expected == sum
        })
    }
}

impl Stream for CheckedBody {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = futures::ready!(Pin::new(&mut self.body).poll_next(cx));
        Poll::Ready(match next {
            Some(Ok(bytes)) => {
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(&bytes);
                }
                Some(Ok(bytes))
            }
            Some(Err(error)) => Some(Err(BodyError(error))),
            None => {
                let hasher = self.hasher.take();
                if hasher.is_none_or(|hasher| self.matches(hasher)) {
                    None
                } else {
                    self.mismatch.store(true, Ordering::Release);
                    let error = io::Error::other("the checksum does not match");
                    Some(Err(BodyError(error.into())))
                }
            }
        })
    }
}

/// Error of a body that ended early or does not match its checksums.
#[derive(Debug, thiserror::Error)]
#[error("read the body: {0}")]
struct BodyError(StdError);

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
