//! Errors of the client, and what to do next.
//!
//! The policy: a variant says who has to act, and how.
//!
//! - [`Error::Problem`]: the service rejected the request, and would reject it again. Change the request; `detail` says how,
//!   in words for a person.
//! - [`Error::JobFailed`], [`Error::JobCancelled`]: the request succeeded, and the job has ended without success. A retry
//!   changes nothing. The problem's `job` is the job.
//! - [`Error::Unavailable`]: the outcome is unknown after all retries. Call again later, and submit with the same key, so that
//!   the work is done once.
//! - [`Error::Transport`]: a connection broke where the client can't retry, such as in the middle of a result. Call again.
//! - [`Error::Protocol`]: the response violates the contract. Most likely the base URL is not that of a Cloakroom service.
//! - [`Error::Input`]: the request can't be sent: a URL, key, command type or file is not valid.

use std::time::Duration;

use cloakroom_core::{Problem, redact};

/// An error of a call. Its text follows "failed to".
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The service rejected the request: change it.
    #[error("complete the request: {} ({} {})", .0.detail, .0.status, .0.code)]
    Problem(Box<Problem>),
    /// The job failed. `job` is set.
    #[error("complete the job: {} ({})", .0.detail, .0.code)]
    JobFailed(Box<Problem>),
    /// The job was cancelled. `job` is set.
    #[error("complete the job: {}", .0.detail)]
    JobCancelled(Box<Problem>),
    /// The outcome is unknown: call again later.
    #[error("get a response (attempts: {attempts}): {reason}")]
    Unavailable {
        /// Number of attempts.
        attempts: u32,
        /// Result of the last attempt.
        reason: String,
        /// Delay before the next call, if the service sent one.
        retry_after: Option<Duration>,
    },
    /// A connection broke: call again.
    #[error("{what}: {reason}")]
    Transport {
        /// The operation that was interrupted.
        what: &'static str,
        /// Reason of the interruption.
        reason: String,
    },
    /// The response violates the contract: check the base URL.
    #[error("read the response: {0}; check that the base URL is that of a Cloakroom service")]
    Protocol(String),
    /// The request can't be sent: correct it.
    #[error("use {what}: {reason}")]
    Input {
        /// The input that can't be used.
        what: String,
        /// Reason why it can't be used.
        reason: String,
    },
}

impl Error {
    pub(crate) fn input(what: impl Into<String>, reason: &dyn std::fmt::Display) -> Self {
        Self::Input {
            what: what.into(),
            reason: reason.to_string(),
        }
    }

    /// Returns the problem document, if the service sent one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) | Self::JobFailed(problem) | Self::JobCancelled(problem) => {
                Some(problem)
            }
            Self::Unavailable { .. }
            | Self::Transport { .. }
            | Self::Protocol(_)
            | Self::Input { .. } => None,
        }
    }
}

/// Joins an error and its causes in one line. It shows only the origin of the URL: a presigned URL is a secret.
pub(crate) fn chain(error: reqwest::Error) -> String {
    let site = error
        .url()
        .map(|url| format!("{}: ", url.origin().ascii_serialization()));
    let error = error.without_url();
    let mut text = format!("{}{error}", site.unwrap_or_default());
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    redact::text(&text)
}
