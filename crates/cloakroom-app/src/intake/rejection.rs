//! Rejections of producers' messages, and failures of their jobs.

use cloakroom_core::{Code, Failure};

use super::message::attributes;
use crate::payload::PayloadError;
use crate::ports::PortError;
use crate::submit::SubmitError;

/// Reason to reject a message for which no job can be recorded.
pub(super) struct Rejection {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Rejection {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code: code.as_str(),
            detail: detail.into(),
        }
    }

    /// Returns the rejection of a message whose client job id belongs to another command.
    pub(super) fn key_reused() -> Self {
        Self::new(
            Code::IdempotencyKeyReused,
            "the client job id belongs to another command",
        )
    }
}

/// Consequence of a rejected submission for its message.
pub(super) enum Rejected {
    /// No job can be recorded.
    Message(Rejection),
    /// The job fails.
    Job(Failure),
    /// The message stays in the queue.
    Unexpected,
}

impl Rejected {
    /// Returns the consequence of a rejected submission of `length` bytes for its message.
    ///
    /// # Errors
    /// Returns the submission's [`PortError`]: its outcome is unknown.
    pub(super) fn from_error(error: SubmitError, length: u64) -> Result<Self, PortError> {
        Ok(match error {
            SubmitError::Unavailable(error) => return Err(error),
            SubmitError::UnknownReplyQueue => Self::Message(Rejection::new(
                Code::UnknownReplyQueue,
                "the deployment has no reply queue of this name; correct it and send the message again",
            )),
            SubmitError::KeyReused => Self::Message(Rejection::key_reused()),
            SubmitError::TooLarge { limit } => Self::Job(too_large(length, limit)),
            SubmitError::UnsupportedMediaType(types) => {
                let name = attributes::CONTENT_TYPE;
                Self::Job(failure(
                    Code::UnsupportedMediaType,
                    format!("{name} must be one of {}", types.join(", ")),
                ))
            }
            SubmitError::Payload(error) => Self::Job(invalid_payload(error)),
            // Submissions without uploads, conditions and start times have none of these errors. If one occurs, the
            // message becomes a dead letter.
            SubmitError::UnknownCommand
            | SubmitError::KeyRequired
            | SubmitError::UploadNotFound
            | SubmitError::PartsMissing { .. }
            | SubmitError::TooLate(_)
            | SubmitError::Conflict => Self::Unexpected,
        })
    }
}

fn invalid_payload(error: PayloadError) -> Failure {
    match error {
        PayloadError::Malformed {
            line,
            column,
            detail,
        } => failure(
            Code::MalformedJson,
            format!("the payload is not JSON: {detail} at line {line}, column {column}"),
        ),
        PayloadError::Invalid(errors) => {
            let errors: Vec<_> = errors
                .iter()
                .map(|error| format!("{} {}", error.pointer, error.detail))
                .collect();
            failure(
                Code::InvalidPayload,
                format!("the payload is not valid: {}", errors.join("; ")),
            )
        }
    }
}

/// Returns the failure of a job whose payload is too large.
pub(super) fn too_large(bytes: u64, limit: u64) -> Failure {
    failure(
        Code::PayloadTooLarge,
        format!("the payload has {bytes} bytes, and the command accepts {limit}"),
    )
}

fn failure(code: Code, detail: String) -> Failure {
    Failure::new(detail)
        .with_code(code.as_str())
        .with_status(code.status())
}
