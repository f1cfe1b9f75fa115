//! Outcomes of attempts and jobs.

use std::time::Duration;

use crate::Digest;
use crate::ids::InvalidName;
use crate::listeners::PublishedEvent;

/// Outcome of a job that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Success {
    /// Result, if the handler returned one.
    pub result: Option<ResultRef>,
    /// Location of a resource that the handler created, if it named one.
    pub resource: Option<Resource>,
    /// Events that the handler published, in order.
    pub published: Vec<PublishedEvent>,
}

/// Maximum size of a result stored in the job's record, in bytes (32 KiB). Larger results are stored in S3.
pub const INLINE_RESULT_LIMIT: usize = 32 * 1024;

/// A result, or a reference to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultRef {
    /// Stored in the job's record: at most [`INLINE_RESULT_LIMIT`] bytes.
    Inline {
        /// Media type.
        content_type: String,
        /// Content.
        bytes: Vec<u8>,
    },
    /// Stored in S3.
    Stored {
        /// Media type.
        content_type: String,
        /// Key of the object.
        key: String,
        /// Length in bytes.
        length: u64,
        /// SHA-256 of the content.
        sha256: Digest,
        /// Retention after the job's end, if it is shorter than the job's.
        retention: Option<Duration>,
    },
}

impl ResultRef {
    /// Returns the retention after the job's end, if it is shorter than the job's.
    pub fn retention(&self) -> Option<Duration> {
        match self {
            Self::Inline { .. } => None,
            Self::Stored { retention, .. } => *retention,
        }
    }

    /// Returns the media type of the result.
    pub fn content_type(&self) -> &str {
        match self {
            Self::Inline { content_type, .. } | Self::Stored { content_type, .. } => content_type,
        }
    }
}

/// Location that a handler names: an absolute path on this site, or an `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(String);

impl Resource {
    /// Parses a location. Rejects URLs that browsers execute (`javascript:`) and paths that name another site
    /// (`//host`).
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        let url = ["http://", "https://"]
            .iter()
            .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
        if (path || url) && text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(
                "a resource is an absolute path (/x) or an http(s) URL, at most 2048 visible ASCII characters",
            ))
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A failure as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status of the response to polls. Satisfies [`may_be_answered`](Self::may_be_answered).
    pub status: u16,
    /// Stable kebab-case code.
    pub code: String,
    /// Description for users; at most [`Failure::DETAIL_LIMIT`] bytes.
    pub detail: String,
}

impl Failure {
    /// Maximum length of a detail in bytes. The rest is cut off.
    pub const DETAIL_LIMIT: usize = 2048;
    /// Code of a failure of a service that the job needs: S3, DynamoDB or SQS.
    pub const STORAGE_UNAVAILABLE: &str = "storage-unavailable";
    /// Default code, for handlers that give none.
    pub const JOB_FAILED: &str = "job-failed";

    /// Creates a failure with status 400 and code `job-failed`. A blank detail is replaced.
    pub fn new(detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if detail.trim().is_empty() {
            "no reason was given".clone_into(&mut detail);
        }
        Self {
            status: 400,
            code: Self::JOB_FAILED.to_owned(),
            detail: cut(detail, Self::DETAIL_LIMIT),
        }
    }

    /// Creates a failure with code [`STORAGE_UNAVAILABLE`](Self::STORAGE_UNAVAILABLE).
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(detail).with_code(Self::STORAGE_UNAVAILABLE)
    }

    /// Sets the code if it is a kebab-case word of at most 64 characters. Otherwise, leaves it unchanged.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        let word = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=64).contains(&code.len()) && code.bytes().all(word) {
            code.clone_into(&mut self.code);
        }
        self
    }

    /// Returns true if a status can report a failed job: 400 to 499, with these exceptions. 408, 425 and 429 ask the
    /// client to retry, but the job has ended. 401, 405, 407 and 426 require a header that tells the client how to
    /// retry.
    pub const fn may_be_answered(status: u16) -> bool {
        matches!(status, 400..=499) && !matches!(status, 401 | 405 | 407 | 408 | 425 | 426 | 429)
    }

    /// Sets the status if [it can report a failed job](Self::may_be_answered). Otherwise, leaves it unchanged.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        if Self::may_be_answered(status) {
            self.status = status;
        }
        self
    }
}

/// Truncates a text to at most `limit` bytes, at a character boundary.
pub fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

/// End of one attempt, as its worker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The handler succeeded.
    Done(Success),
    /// The handler failed, and another attempt would fail the same way.
    Terminal(Failure),
    /// The handler failed, but another attempt may succeed.
    Retryable {
        /// Failure of this attempt.
        failure: Failure,
        /// Delay before the next attempt, if the handler set one. At most the retry policy's cap.
        after: Option<Duration>,
    },
    /// A service that the attempt needs was unavailable. The attempt is not counted.
    Unavailable(Failure),
    /// The handler stopped because the worker requested it.
    Cancelled,
}

#[cfg(test)]
mod tests;
