//! What a handler answers.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use cloakroom::{AttemptEnd, Failure, Resource};
use serde::Serialize;

/// What a handler made of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    pub(crate) result: Option<(String, Bytes)>,
    pub(crate) resource: Option<Resource>,
}

impl Output {
    /// Nothing to keep: the work itself was the point.
    pub fn none() -> Self {
        Self::default()
    }

    /// A JSON result. Up to 32 KiB it stands in the job itself; a larger one is fetched from `/jobs/{id}/result`.
    pub fn json(result: &impl Serialize) -> Result<Self, HandlerError> {
        let bytes = serde_json::to_vec(result)
            .map_err(|error| HandlerError::terminal("the result can't be written as JSON").because(error))?;
        Ok(Self::bytes("application/json", bytes))
    }

    /// A result of any media type, served from `/jobs/{id}/result`.
    pub fn bytes(content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { result: Some((content_type.into(), bytes.into())), resource: None }
    }

    /// Also names the place of what was made: an absolute path on this site (`/reports/7`) or an `http(s)` URL.
    pub fn at(mut self, resource: &str) -> Result<Self, HandlerError> {
        let resource = Resource::parse(resource)
            .map_err(|error| HandlerError::terminal("the handler named a place that is none").because(error))?;
        self.resource = Some(resource);
        Ok(self)
    }
}

/// Why a handler did not do its work. By its type, another attempt follows or none does.
///
/// `?` on any error makes a retryable one: what it says goes to the log, and the client is told only that the work
/// could not be done this time. Say [`HandlerError::terminal`] for what no further attempt can mend.
pub struct HandlerError {
    kind: Kind,
    failure: Failure,
    because: Option<String>,
}

enum Kind {
    Terminal,
    Retryable { after: Option<Duration> },
    Cancelled,
}

impl HandlerError {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, failure: Failure::new(detail), because: None }
    }

    /// The work can't be done: the job fails at once. `detail` is shown to the client (the first 2048 bytes).
    pub fn terminal(detail: impl Into<String>) -> Self {
        Self::new(Kind::Terminal, detail)
    }

    /// The work wasn't done, but may be in another attempt. `detail` is shown to the client.
    pub fn retryable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Retryable { after: None }, detail)
    }

    /// The handler stopped because it was told to (see [`crate::JobContext::cancelled`]).
    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "the handler stopped as it was told")
    }

    /// With the client's code for it: a kebab-case word of at most 64 characters.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.failure = self.failure.with_code(code);
        self
    }

    /// With the status that polls answer once the job failed: 400 (the default) to 499.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.failure = self.failure.with_status(status);
        self
    }

    /// Of a retryable error: the next attempt after this time instead of the backoff's, up to the backoff's cap.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        if let Kind::Retryable { after } = &mut self.kind {
            *after = Some(time);
        }
        self
    }

    /// With what is known inside: for the log alone.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.because = Some(cause.to_string());
        self
    }

    /// The end of the attempt. What the log is to say of it is its `Debug`.
    pub(crate) fn into_end(self) -> AttemptEnd {
        match self.kind {
            Kind::Terminal => AttemptEnd::Terminal(self.failure),
            Kind::Retryable { after } => AttemptEnd::Retryable { failure: self.failure, after },
            Kind::Cancelled => AttemptEnd::Cancelled,
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Terminal => "terminal",
            Kind::Retryable { .. } => "retryable",
            Kind::Cancelled => "cancelled",
        };
        write!(f, "{kind}: {}", self.failure.detail)?;
        self.because.as_ref().map_or(Ok(()), |because| write!(f, " ({because})"))
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::retryable("the work could not be done this time").because(error)
    }
}
