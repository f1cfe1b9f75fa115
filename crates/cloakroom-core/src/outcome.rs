//! How an attempt, and in the end a job, came out.

use std::time::Duration;

use crate::Digest;
use crate::ids::InvalidName;

/// Work that is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Success {
    /// What the service keeps of it.
    pub result: Option<ResultRef>,
    /// Where what was made can be found, when the handler named a place.
    pub resource: Option<Resource>,
}

/// The most bytes a result may have to be kept in the job's own record: 32 KiB. A larger one goes to object storage.
pub const INLINE_RESULT_LIMIT: usize = 32 * 1024;

/// A result, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultRef {
    /// In the job's record: at most [`INLINE_RESULT_LIMIT`] bytes.
    Inline {
        /// Its media type.
        content_type: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// In object storage.
    Stored {
        /// Its media type.
        content_type: String,
        /// The object's key.
        key: String,
        /// How many bytes.
        length: u64,
        /// Their SHA-256.
        sha256: Digest,
        /// How long it is kept after the job's end, where that is not as long as the job.
        retention: Option<Duration>,
    },
}

impl ResultRef {
    /// How long it is kept after the job's end, where that is not as long as the job.
    pub fn retention(&self) -> Option<Duration> {
        match self {
            Self::Inline { .. } => None,
            Self::Stored { retention, .. } => *retention,
        }
    }

    /// The media type of the result.
    pub fn content_type(&self) -> &str {
        match self {
            Self::Inline { content_type, .. } | Self::Stored { content_type, .. } => content_type,
        }
    }
}

/// A place that a handler names: an absolute path on this site, or an `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(String);

impl Resource {
    /// Checks a place. What a browser would run (`javascript:`) or read as another site (`//host`) is refused.
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

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Work that can't be done, or wasn't: what the client is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The status that polls answer: one that [may tell of a failed job](Self::may_be_answered).
    pub status: u16,
    /// A stable kebab-case word.
    pub code: String,
    /// Fit to show a person; at most [`Failure::DETAIL_LIMIT`] bytes.
    pub detail: String,
}

impl Failure {
    /// The most bytes a detail may have; the rest is cut.
    pub const DETAIL_LIMIT: usize = 2048;
    /// The code of a failure of what the service itself needs: the object storage, the table, the queue.
    pub const STORAGE_UNAVAILABLE: &str = "storage-unavailable";
    /// The code of a failure that the handler gave none.
    pub const JOB_FAILED: &str = "job-failed";

    /// A failure of status 400 and code `job-failed`. A detail that is blank says nothing, which is said in its place.
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

    /// Creates a failure of what the service itself needs.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(detail).with_code(Self::STORAGE_UNAVAILABLE)
    }

    /// With this code, if it is a kebab-case word of at most 64 characters; as it was otherwise.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        let word = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=64).contains(&code.len()) && code.bytes().all(word) {
            code.clone_into(&mut self.code);
        }
        self
    }

    /// Whether a status may tell of a job that failed: 400 to 499, but none that says to ask again (408, 425 and 429, as
    /// a 5xx would), as the job is over, or to ask otherwise, which takes a header that says how (401, 405, 407 and 426).
    pub const fn may_be_answered(status: u16) -> bool {
        matches!(status, 400..=499) && !matches!(status, 401 | 405 | 407 | 408 | 425 | 426 | 429)
    }

    /// With this status, if it [may tell of a failed job](Self::may_be_answered); as it was otherwise.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        if Self::may_be_answered(status) {
            self.status = status;
        }
        self
    }
}

/// Cuts a text to at most `limit` bytes, at a character's end.
pub fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

/// How one attempt ended, as its worker saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The work is done.
    Done(Success),
    /// The work can't be done: another attempt would end the same.
    Terminal(Failure),
    /// The work wasn't done: another attempt may do it.
    Retryable {
        /// What went wrong.
        failure: Failure,
        /// When to try again, where the handler knows better than the backoff.
        after: Option<Duration>,
    },
    /// A service that the attempt needs was unavailable: the attempt is not counted.
    Unavailable(Failure),
    /// The handler stopped because it was told to.
    Cancelled,
}

#[cfg(test)]
mod tests;
