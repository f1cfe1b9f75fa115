//! A request's failed attempt, and the condition for another.

use std::time::Duration;

/// Another attempt that is about to be made, for those who watch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retry {
    /// The attempt that brought no answer, from 1.
    pub attempt: u32,
    /// What it brought.
    pub reason: String,
    /// How long the client waits before the next one.
    pub wait: Duration,
}

/// Whether a request may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, or carries a key.
    Safe,
    /// Only if the service can't have acted on it.
    UnlessReached,
}

/// An attempt that brought no answer.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the service may have acted on it.
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
