//! What can go wrong, and what to do next.
//!
//! The policy: an error is of the one who has to act on it.
//!
//! - [`Error::Problem`]: the service refused the request and will refuse it again. The request has to change; `detail`
//!   says how, and fits to be shown to a person.
//! - [`Error::JobFailed`], [`Error::JobCancelled`]: the request went well, and the job is over without success.
//!   Asking again changes nothing. The problem's `job` is the job.
//! - [`Error::Unavailable`]: no answer is known, though the client asked as often as its limits let it. Ask later:
//!   a submission with the same key, so that the work is not done twice.
//! - [`Error::Transport`]: a connection broke where the client can't ask again by itself, as in the middle of a result.
//!   Make the call again.
//! - [`Error::Protocol`]: the answer is not by the contract: most likely the base URL is not that of a Cloakroom.
//! - [`Error::Input`]: the call itself can't be sent: a URL, key, command type or file that is not what it has to be.

use std::time::Duration;

use cloakroom_core::{Problem, redact};

/// What can go wrong: written to follow "failed to".
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The service refused the request: change it.
    #[error("have the request accepted: {} ({} {})", .0.detail, .0.status, .0.code)]
    Problem(Box<Problem>),
    /// The job is over: it failed. `job` is set.
    #[error("do the job: {} ({})", .0.detail, .0.code)]
    JobFailed(Box<Problem>),
    /// The job is over: it was cancelled. `job` is set.
    #[error("do the job: {}", .0.detail)]
    JobCancelled(Box<Problem>),
    /// No answer is known: ask later.
    #[error("get an answer (attempts: {attempts}): {reason}")]
    Unavailable {
        /// How often the client asked.
        attempts: u32,
        /// What came the last time.
        reason: String,
        /// When to come back, where the service said so.
        retry_after: Option<Duration>,
    },
    /// A connection broke: make the call again.
    #[error("{what}: {reason}")]
    Transport {
        /// What the client was about.
        what: &'static str,
        /// How it broke.
        reason: String,
    },
    /// The answer is not by the contract: check the base URL.
    #[error("understand an answer: {0}; is the base URL that of a Cloakroom?")]
    Protocol(String),
    /// The call can't be sent: correct it.
    #[error("use {what}: {reason}")]
    Input {
        /// What can't be used.
        what: String,
        /// Why.
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

    /// The problem document, where the service sent one.
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

/// An error and its causes in one line. Of the URL it shows the site alone: a presigned one is a secret.
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
