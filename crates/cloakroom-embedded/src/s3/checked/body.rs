//! Bodies that are verified with their checksums.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{ChecksumAlgorithm, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, StdError, TrailingHeaders};

/// Builds the expected checksums of a request's body, which is a whole object or a part.
macro_rules! expected {
    ($request:ident) => {
        $crate::s3::checked::body::ExpectedChecksums {
            named: $request.input.checksum_algorithm.clone(),
            crc32: $request.input.checksum_crc32.clone(),
            crc32c: $request.input.checksum_crc32c.clone(),
            sha1: $request.input.checksum_sha1.clone(),
            sha256: $request.input.checksum_sha256.clone(),
            crc64nvme: $request.input.checksum_crc64nvme.clone(),
        }
    };
}
pub(super) use expected;

/// Flag for a body that did not match its checksums.
#[derive(Default)]
pub(super) struct ChecksumMismatch(Arc<AtomicBool>);

impl ChecksumMismatch {
    /// Wraps a body so that its end is only delivered if its checksums match.
    pub(super) fn verify(
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

    /// Returns a checksum error if the body did not match, or else this error.
    pub(super) fn or_error(&self, error: S3Error) -> S3Error {
        if self.0.load(Ordering::Acquire) {
            let reason = "the checksum you specified did not match what was received";
            return S3Error::with_message(S3ErrorCode::BadDigest, reason);
        }
        error
    }
}

/// Checksums in the headers of a request.
pub(super) struct ExpectedChecksums {
    /// Algorithm of a checksum that follows the body.
    pub(super) named: Option<ChecksumAlgorithm>,
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
    pub(super) crc64nvme: Option<String>,
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

/// A body whose end is only delivered if its checksums, before or after it, match.
struct CheckedBody {
    body: StreamingBlob,
    /// `None` after the end.
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
