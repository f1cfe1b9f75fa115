//! A submission, its outcome, and the reasons to reject it.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{ClientJobId, CommandType, EventContext, Job, Tenant, Timestamp, UploadId};

use crate::envelope::RequestTrace;
use crate::payload::PayloadError;
use crate::ports::{PortError, ReadError};

/// Maximum size in bytes of a message that contains its payload. For larger payloads a claim check is cheaper; a test
/// of `cloakroom-cost` derives the limit from AWS prices.
pub const INLINE_LIMIT: usize = 448 * 1024;

/// Maximum size in bytes of a message with a long delay: `EventBridge` Scheduler accepts 256 KB, as JSON within JSON.
pub const SCHEDULED_LIMIT: usize = 128 * 1024;

/// Maximum length of a media type with its parameters, in characters.
pub const MEDIA_TYPE_LIMIT: usize = 255;

/// Maximum length in bytes of an upload that is read to compute a missing digest: 256 MiB, which takes some seconds of
/// the gateway's 29. A larger upload is identified by its `ETag`.
pub const DIGEST_LIMIT: u64 = 256 * 1024 * 1024;

/// A submission: the command that a client requests.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Tenant of the client.
    pub tenant: Tenant,
    /// Type of the command.
    pub command: CommandType,
    /// Client-supplied id of the job.
    pub client_job_id: Option<ClientJobId>,
    /// The payload.
    pub body: Body,
    /// Query string, as sent, without its `?`.
    pub query: String,
    /// Earliest start, if the job must not start at once.
    pub not_before: Option<Timestamp>,
    /// Trace of the request.
    pub trace: RequestTrace,
    /// Listeners, and the ids that events carry.
    pub events: Option<Box<EventContext>>,
}

/// Location of a submission's payload.
#[derive(Debug, Clone)]
pub enum Body {
    /// Body of the request.
    Sent {
        /// `Content-Type`, as sent.
        content_type: Option<String>,
        /// Content.
        bytes: Bytes,
    },
    /// Object from a producer's bucket. The limit of uploads applies.
    Fetched {
        /// Media type that the producer declared.
        content_type: Option<String>,
        /// Content.
        bytes: Bytes,
    },
    /// A finished upload.
    Uploaded(UploadId),
}

/// Condition on the existing job of a submission's key; `None` means that there is no such job.
pub type Condition<'c> = &'c (dyn Fn(Option<&Job>) -> bool + Send + Sync);

/// An accepted job.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// True if an earlier submission was accepted.
    pub replayed: bool,
}

/// Reason to reject a submission. Nothing was recorded, except possibly with `Unavailable`: retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// No command of this type is registered.
    UnknownCommand,
    /// The command requires a client job id.
    KeyRequired,
    /// The command accepts only these media types.
    UnsupportedMediaType(&'static [&'static str]),
    /// The payload exceeds this limit.
    TooLarge {
        /// Limit in bytes.
        limit: u64,
    },
    /// The payload violates the command's schema.
    Payload(PayloadError),
    /// No finished upload with this id is available for this job.
    UploadNotFound,
    /// Some parts of the upload are not stored yet.
    PartsMissing {
        /// Numbers of the missing parts.
        missing: Vec<u32>,
        /// Number of all parts.
        parts: u32,
    },
    /// The start is too late: the delay would exceed the command's retention. Contains the maximum delay.
    TooLate(Duration),
    /// The deployment has no reply queue of this name.
    UnknownReplyQueue,
    /// The client job id belongs to another command.
    KeyReused,
    /// The condition does not hold. Nothing was changed.
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
            // The client has to upload the payload again.
            ReadError::Corrupted => Self::UploadNotFound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_upload_is_to_be_sent_again_and_a_fault_is_not_the_uploads() {
        assert_eq!(
            SubmitError::from(ReadError::Corrupted),
            SubmitError::UploadNotFound
        );
        let away = PortError::Unavailable {
            service: "the store",
            reason: "away".into(),
        };
        assert_eq!(
            SubmitError::from(ReadError::Port(away.clone())),
            SubmitError::Unavailable(away)
        );
    }
}
