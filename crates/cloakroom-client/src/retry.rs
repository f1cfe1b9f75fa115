//! A request's failed attempt, and the condition for another.

use std::time::Duration;

/// Report of a retry, before it is sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retry {
    /// Number of the failed attempt, counted from 1.
    pub attempt: u32,
    /// Reason of the failure.
    pub reason: String,
    /// Delay before the next attempt.
    pub wait: Duration,
}

/// Condition for a retry of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The request changes nothing, or carries a key.
    Safe,
    /// The service can't have processed the request.
    UnlessReached,
}

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
    /// True if the service may have processed the request.
    pub(crate) reached: bool,
}

impl Again {
    pub(crate) fn broken(error: reqwest::Error) -> Self {
        Self {
            reached: !error.is_connect(),
            reason: crate::error::chain(error),
            retry_after: None,
        }
    }
}
