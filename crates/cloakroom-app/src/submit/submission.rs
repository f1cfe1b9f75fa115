//! A submission, its outcome, and the reasons to reject it.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{ClientJobId, CommandType, Job, Tenant, Timestamp, UploadId};

use crate::envelope::RequestTrace;
use crate::payload::PayloadError;
use crate::ports::{PortError, ReadError};

/// The largest message, in bytes, that carries its payload itself. Above it a claim check is cheaper, as a test of
/// `cloakroom-cost` computes from AWS's prices.
pub const INLINE_LIMIT: usize = 448 * 1024;

/// Largest message, in bytes, that is sent much later: `EventBridge` Scheduler takes 256 KB, as JSON in JSON.
pub const SCHEDULED_LIMIT: usize = 128 * 1024;

/// Most characters of a media type, with its parameters.
pub const MEDIA_TYPE_LIMIT: usize = 255;

/// Largest upload that is read for its digest, if neither client nor store has one: 256 MiB, some seconds of the gateway's
/// 29. A larger one is identified by its `ETag`.
pub const DIGEST_LIMIT: u64 = 256 * 1024 * 1024;

/// A submission: the command that a client requests.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Tenant of the client.
    pub tenant: Tenant,
    /// Type of the command.
    pub command: CommandType,
    /// The client's own id of the job.
    pub client_job_id: Option<ClientJobId>,
    /// The payload.
    pub body: Body,
    /// The query string, as sent, without its `?`.
    pub query: String,
    /// Earliest time at which the job begins, if not at once.
    pub not_before: Option<Timestamp>,
    /// Trace of the request.
    pub trace: RequestTrace,
}

/// Location of a submission's payload.
#[derive(Debug, Clone)]
pub enum Body {
    /// Body of the request.
    Sent {
        /// The `Content-Type`, as sent.
        content_type: Option<String>,
        /// The bytes.
        bytes: Bytes,
    },
    /// Fetched from a producer's bucket. The limit on uploads holds for it.
    Fetched {
        /// Media type, as the producer declared it.
        content_type: Option<String>,
        /// The bytes.
        bytes: Bytes,
    },
    /// A finished upload.
    Uploaded(UploadId),
}

/// Condition on the job that a submission's key names already; `None` stands for no such job.
pub type Condition<'c> = &'c (dyn Fn(Option<&Job>) -> bool + Send + Sync);

/// A job that was accepted, now or before.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// True if it was accepted before.
    pub replayed: bool,
}

/// Reason to reject a submission. Nothing was recorded, except perhaps with `Unavailable`: retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// No command of this type is registered.
    UnknownCommand,
    /// The command requires a client job id.
    KeyRequired,
    /// The command takes these media types.
    UnsupportedMediaType(&'static [&'static str]),
    /// The payload is longer than this limit.
    TooLarge {
        /// Limit in bytes.
        limit: u64,
    },
    /// The payload is not what the command takes.
    Payload(PayloadError),
    /// No upload of this id is ready for this job.
    UploadNotFound,
    /// Some parts of the upload are not stored yet.
    PartsMissing {
        /// Their numbers.
        missing: Vec<u32>,
        /// Number of all parts.
        parts: u32,
    },
    /// The job would begin later than jobs of this command are retained. Contains the longest delay.
    TooLate(Duration),
    /// The client job id belongs to another command.
    KeyReused,
    /// The condition does not hold, and nothing was changed.
    Conflict,
    /// A port failed.
    Unavailable(PortError),
}

impl From<PortError> for SubmitError {
    fn from(error: PortError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<ReadError> for SubmitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Port(error) => Self::Unavailable(error),
            // It has to be uploaded again.
            ReadError::Corrupted => Self::UploadNotFound,
        }
    }
}
