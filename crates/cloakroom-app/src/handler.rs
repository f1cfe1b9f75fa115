//! What a handler answers.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{AttemptEnd, Failure, Resource};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use tokio::task::JoinError;

/// How much of a file is read at once.
const FILE_PIECE: usize = 256 * 1024;

/// What a handler made of a command.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) result: Option<Made>,
    pub(crate) resource: Option<Resource>,
}

/// A result as its handler hands it over.
pub(crate) struct Made {
    pub(crate) content_type: String,
    pub(crate) pieces: Pieces,
}

/// The bytes of a result.
pub(crate) enum Pieces {
    /// There are no more than these.
    Whole(Bytes),
    /// They are in a file, which can be read again.
    File(Arc<Mutex<File>>),
    /// They are made one after the other.
    Made(BoxStream<'static, Result<Bytes, HandlerError>>),
}

impl Pieces {
    /// Returns the same bytes, if they can be read again.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::File(file) => Some(Self::File(Arc::clone(file))),
            Self::Made(_) => None,
        }
    }

    pub(crate) fn into_stream(self) -> BoxStream<'static, Result<Bytes, HandlerError>> {
        match self {
            Self::Whole(bytes) => futures::stream::iter([Ok(bytes)]).boxed(),
            Self::File(file) => read_from(file).boxed(),
            Self::Made(pieces) => pieces,
        }
    }
}

/// Reads a file from its beginning. Each piece is sought first: a read of an earlier stream may not have ended yet.
fn read_from(file: Arc<Mutex<File>>) -> impl Stream<Item = Result<Bytes, HandlerError>> {
    futures::stream::try_unfold((file, 0), async |(file, at)| {
        let reading = Arc::clone(&file);
        let piece = tokio::task::spawn_blocking(move || {
            let mut file = reading.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(at))?;
            let mut piece = Vec::with_capacity(FILE_PIECE);
            Read::by_ref(&mut *file)
                .take(FILE_PIECE as u64)
                .read_to_end(&mut piece)?;
            Ok::<_, std::io::Error>(piece)
        });
        let piece = piece.await??;
        let next = at + piece.len() as u64;
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), (file, next))))
    })
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made")
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// Nothing to keep: the work itself was the point.
    pub fn none() -> Self {
        Self::default()
    }

    /// A JSON result. Up to 32 KiB it stands in the job itself; a larger one is fetched from `/jobs/{id}/result`.
    pub fn json(result: &impl Serialize) -> Result<Self, HandlerError> {
        let bytes = serde_json::to_vec(result).map_err(|error| {
            HandlerError::terminal("the result can't be written as JSON").with_cause(error)
        })?;
        Ok(Self::bytes("application/json", bytes))
    }

    /// A result of any media type, served from `/jobs/{id}/result`.
    pub fn bytes(content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let made = Made {
            content_type: content_type.into(),
            pieces: Pieces::Whole(bytes.into()),
        };
        Self {
            result: Some(made),
            resource: None,
        }
    }

    /// A result that is made piece by piece, and stored as it is made: it is never whole in memory. An error of the stream
    /// is the handler's, and nothing of the result is kept then.
    pub fn stream<E: Into<HandlerError> + 'static>(
        content_type: impl Into<String>,
        pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    ) -> Self {
        let made = Made {
            content_type: content_type.into(),
            pieces: Pieces::Made(pieces.map_err(Into::into).boxed()),
        };
        Self {
            result: Some(made),
            resource: None,
        }
    }

    /// A result in a file, read from its beginning, wherever the handler left it.
    pub fn file(content_type: impl Into<String>, file: File) -> Self {
        let made = Made {
            content_type: content_type.into(),
            pieces: Pieces::File(Arc::new(Mutex::new(file))),
        };
        Self {
            result: Some(made),
            resource: None,
        }
    }

    /// Also names the place of what was made: an absolute path on this site (`/reports/7`) or an `http(s)` URL.
    pub fn at(mut self, resource: &str) -> Result<Self, HandlerError> {
        let resource = Resource::parse(resource).map_err(|error| {
            HandlerError::terminal("the handler named a place that is none").with_cause(error)
        })?;
        self.resource = Some(resource);
        Ok(self)
    }
}

/// Why a handler did not do its work. By its type, another attempt follows or none does.
///
/// `?` on any error makes a retryable one. Its text goes to the log; the client learns only that the work could not be done this
/// time. Return [`HandlerError::terminal`] for what no further attempt can fix.
///
/// An error type of a service's own maps itself to codes and statuses by `From`. It does not implement
/// [`std::error::Error`], for which `?` has a meaning already:
///
/// ```
/// use cloakroom_app::HandlerError;
///
/// enum OrderError {
///     SoldOut,
///     Busy(std::time::Duration),
/// }
///
/// impl From<OrderError> for HandlerError {
///     fn from(error: OrderError) -> Self {
///         match error {
///             OrderError::SoldOut => Self::terminal("it is sold out").code("sold-out").status(409),
///             OrderError::Busy(time) => Self::retry_after(time, "the warehouse is busy"),
///         }
///     }
/// }
///
/// async fn place(_: ()) -> Result<(), OrderError> {
///     Err(OrderError::SoldOut)
/// }
/// # let _ = cloakroom_app::Command::json("order.place", place);
/// # let _ = OrderError::Busy;
/// ```
pub struct HandlerError {
    kind: Kind,
    failure: Failure,
    cause: Option<String>,
}

enum Kind {
    Terminal,
    Retryable {
        after: Option<Duration>,
    },
    /// A part of the service was unavailable.
    Unavailable,
    Cancelled,
}

impl HandlerError {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            failure: Failure::new(detail),
            cause: None,
        }
    }

    /// The work can't be done: the job fails at once. `detail` is shown to the client (the first 2048 bytes).
    pub fn terminal(detail: impl Into<String>) -> Self {
        Self::new(Kind::Terminal, detail)
    }

    /// The work wasn't done, but may be in another attempt. `detail` is shown to the client.
    pub fn retryable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Retryable { after: None }, detail)
    }

    /// The work wasn't done: another attempt follows after this time, or after the backoff's cap if that is sooner. `detail`
    /// is shown to the client.
    pub fn retry_after(time: Duration, detail: impl Into<String>) -> Self {
        Self::new(Kind::Retryable { after: Some(time) }, detail)
    }

    /// The work wasn't done for a reason that the client does not learn. It is logged, and another attempt follows.
    pub(crate) fn unexpected(cause: impl fmt::Display) -> Self {
        Self::retryable("the work could not be done this time").with_cause(cause)
    }

    /// Converts the error of a task that ended before its end. Waiting for a task that panicked panics, too.
    pub(crate) fn from_join_error(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Self::retryable("the process is about to end"),
        }
    }

    /// The attempt could not go on as a part of the service was unavailable: it is not counted.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unavailable,
            failure: Failure::unavailable(detail),
            cause: None,
        }
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

    /// With the status that polls answer once the job failed: 400 (the default) to 499, if it
    /// [may tell of a failed job](Failure::may_be_answered); as it was otherwise.
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
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The end of the attempt. What the log is to say of it is its `Debug`.
    pub(crate) fn into_end(self) -> AttemptEnd {
        match self.kind {
            Kind::Terminal => AttemptEnd::Terminal(self.failure),
            Kind::Retryable { after } => AttemptEnd::Retryable {
                failure: self.failure,
                after,
            },
            Kind::Unavailable => AttemptEnd::Unavailable(self.failure),
            Kind::Cancelled => AttemptEnd::Cancelled,
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Terminal => "terminal",
            Kind::Retryable { .. } => "retryable",
            Kind::Unavailable => "unavailable",
            Kind::Cancelled => "cancelled",
        };
        write!(f, "{kind}: {}", self.failure.detail)?;
        self.cause
            .as_ref()
            .map_or(Ok(()), |cause| write!(f, " ({cause})"))
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::unexpected(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_ends_its_attempt_as_it_says() {
        let failure = Failure::new("no paper")
            .with_code("no-paper")
            .with_status(409);
        let said = |error: HandlerError| {
            error
                .code("no-paper")
                .status(409)
                .after(Duration::from_secs(7))
                .into_end()
        };
        assert_eq!(
            said(HandlerError::terminal("no paper")),
            AttemptEnd::Terminal(failure.clone())
        );
        let after = Some(Duration::from_secs(7));
        assert_eq!(
            said(HandlerError::retryable("no paper")),
            AttemptEnd::Retryable {
                failure: failure.clone(),
                after
            }
        );
        let retryable = HandlerError::retryable("no paper").into_end();
        assert_eq!(
            retryable,
            AttemptEnd::Retryable {
                failure: Failure::new("no paper"),
                after: None
            }
        );
        assert_eq!(said(HandlerError::cancelled()), AttemptEnd::Cancelled);
        let unavailable = HandlerError::unavailable("away").into_end();
        assert_eq!(
            unavailable,
            AttemptEnd::Unavailable(Failure::unavailable("away"))
        );
    }

    #[test]
    fn what_is_known_inside_is_for_the_log_alone() {
        let error = HandlerError::from(io_error());
        assert_eq!(
            format!("{error:?}"),
            "retryable: the work could not be done this time (tray 2)"
        );
        let AttemptEnd::Retryable { failure, .. } = error.into_end() else {
            panic!("it is retryable")
        };
        assert_eq!(
            failure,
            Failure::new("the work could not be done this time")
        );
        let shown = [
            HandlerError::terminal("no").with_cause("tray 2"),
            HandlerError::unavailable("away"),
            HandlerError::cancelled(),
        ];
        let shown = shown.map(|error| format!("{error:?}"));
        assert_eq!(
            shown,
            [
                "terminal: no (tray 2)",
                "unavailable: away",
                "cancelled: the handler stopped as it was told"
            ]
        );
    }

    fn io_error() -> std::io::Error {
        std::io::Error::other("tray 2")
    }

    #[test]
    fn an_output_is_of_the_type_and_at_the_place_that_it_says() {
        let output = Output::json(&[1, 2])
            .and_then(|output| output.at("/reports/7"))
            .expect("an output");
        let Some(Made {
            content_type,
            pieces: Pieces::Whole(bytes),
        }) = output.result
        else {
            panic!("a result")
        };
        assert_eq!(
            (content_type.as_str(), &bytes[..]),
            ("application/json", &b"[1,2]"[..])
        );
        assert_eq!(
            output.resource.as_ref().map(Resource::as_str),
            Some("/reports/7")
        );
        let nothing = Output::none();
        assert!(nothing.result.is_none() && nothing.resource.is_none());
        let unwritten =
            Output::json(&std::collections::HashMap::from([((1, 2), 3)])).expect_err("no JSON");
        assert!(matches!(unwritten.into_end(), AttemptEnd::Terminal(_)));
        assert!(matches!(
            Output::none()
                .at("//example.com")
                .expect_err("no place")
                .into_end(),
            AttemptEnd::Terminal(_)
        ));
    }
}
