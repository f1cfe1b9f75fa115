//! Results and errors of handlers.

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

/// Number of bytes that are read from a file at once.
const FILE_PIECE: usize = 256 * 1024;

/// Successful outcome of a handler.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) result: Option<Made>,
    pub(crate) resource: Option<Resource>,
}

/// A result as its handler returned it.
pub(crate) struct Made {
    pub(crate) content_type: String,
    pub(crate) pieces: Pieces,
}

/// Content of a result.
pub(crate) enum Pieces {
    /// Bytes in memory.
    Whole(Bytes),
    /// A file, which can be read again.
    File(Arc<Mutex<File>>),
    /// A stream that produces the content piece by piece.
    Made(BoxStream<'static, Result<Bytes, HandlerError>>),
}

impl Pieces {
    /// Returns the same content, if it can be read again.
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

/// Reads a file from its start. Seeks before each piece, because a read of an earlier stream may still be in progress.
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
    /// Creates an outcome without a result.
    pub fn none() -> Self {
        Self::default()
    }

    /// Creates a JSON result. Up to 32 KiB, it is part of the job document. A larger one is available at
    /// `/jobs/{id}/result`.
    pub fn json(result: &impl Serialize) -> Result<Self, HandlerError> {
        let bytes = serde_json::to_vec(result).map_err(|error| {
            HandlerError::terminal("the result can't be serialized as JSON").with_cause(error)
        })?;
        Ok(Self::bytes("application/json", bytes))
    }

    /// Creates a result of any media type, available at `/jobs/{id}/result`.
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

    /// Creates a result from a stream. It is stored while it is produced, and never completely in memory. An error of
    /// the stream counts as the handler's error, and discards the result.
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

    /// Creates a result from a file. It is read from its start, whatever the file's position.
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

    /// Sets the location of a created resource: an absolute path on this site (`/reports/7`) or an `http(s)` URL.
    pub fn at(mut self, resource: &str) -> Result<Self, HandlerError> {
        let resource = Resource::parse(resource).map_err(|error| {
            HandlerError::terminal("the handler returned an invalid resource").with_cause(error)
        })?;
        self.resource = Some(resource);
        Ok(self)
    }
}

/// Error of a handler. Its kind determines whether another attempt follows.
///
/// The `?` operator converts any error to a retryable one. The error's text goes to the log; the client only learns
/// that the work could not be done this time. Return [`HandlerError::terminal`] for errors that a further attempt can't
/// fix.
///
/// A service can define its own error type, and map it to codes and statuses with `From`. Such a type must not
/// implement [`std::error::Error`], because `?` already converts those:
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
    /// A service that the attempt needs was unavailable.
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

    /// Creates an error that fails the job at once. The client sees `detail` (at most 2048 bytes).
    pub fn terminal(detail: impl Into<String>) -> Self {
        Self::new(Kind::Terminal, detail)
    }

    /// Creates an error after which another attempt follows. The client sees `detail`.
    pub fn retryable(detail: impl Into<String>) -> Self {
        Self::new(Kind::Retryable { after: None }, detail)
    }

    /// Creates an error after which another attempt follows after `time`, or after the backoff's cap if that is
    /// shorter. The client sees `detail`.
    pub fn retry_after(time: Duration, detail: impl Into<String>) -> Self {
        Self::new(Kind::Retryable { after: Some(time) }, detail)
    }

    /// Creates a retryable error whose cause is logged, but not shown to the client.
    pub(crate) fn unexpected(cause: impl fmt::Display) -> Self {
        Self::retryable("the attempt failed").with_cause(cause)
    }

    /// Converts the error of a task that did not complete. If the task panicked, resumes the panic.
    pub(crate) fn from_join_error(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Self::retryable("the process is shutting down"),
        }
    }

    /// Creates an error for an unavailable service. The attempt is not counted.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unavailable,
            failure: Failure::unavailable(detail),
            cause: None,
        }
    }

    /// Creates the error of a handler that stopped on request: see [`crate::JobContext::cancelled`].
    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "the handler stopped as requested")
    }

    /// Sets the code that the client sees: a kebab-case word of at most 64 characters.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.failure = self.failure.with_code(code);
        self
    }

    /// Sets the HTTP status of polls after the job has failed: 400 (the default) to 499. Ignored if the status [can't
    /// report a failed job](Failure::may_be_answered).
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.failure = self.failure.with_status(status);
        self
    }

    /// Sets the delay before the next attempt, up to the backoff's cap. Only affects retryable errors.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        if let Kind::Retryable { after } = &mut self.kind {
            *after = Some(time);
        }
        self
    }

    /// Sets the internal cause, which only goes to the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Converts to the end of the attempt. The `Debug` text of the error is for the log.
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

    #[tokio::test]
    async fn a_handler_whose_runtime_ends_is_tried_again() {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        let error = HandlerError::from_join_error(task.await.expect_err("aborted"));
        assert_eq!(
            format!("{error:?}"),
            "retryable: the process is shutting down"
        );
    }

    #[tokio::test]
    async fn a_file_is_read_again_while_an_earlier_read_may_be_in_progress() {
        use std::io::Write as _;
        let bytes: Vec<u8> = (0..=250).cycle().take(2 * FILE_PIECE + 1).collect();
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("written");
        let file = Arc::new(Mutex::new(file));
        let (mut one, mut two) = (
            Box::pin(read_from(Arc::clone(&file))),
            Box::pin(read_from(file)),
        );
        let (mut of_one, mut of_two) = (vec![], vec![]);
        while let Some(piece) = one.next().await {
            of_one.extend(piece.expect("readable"));
            of_two.extend(two.next().await.expect("as many").expect("readable"));
        }
        assert!(of_one == bytes && of_two == bytes);
    }

    #[test]
    fn what_is_known_inside_is_for_the_log_alone() {
        let error = HandlerError::from(io_error());
        assert_eq!(
            format!("{error:?}"),
            "retryable: the attempt failed (tray 2)"
        );
        let AttemptEnd::Retryable { failure, .. } = error.into_end() else {
            panic!("it is retryable")
        };
        assert_eq!(failure, Failure::new("the attempt failed"));
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
                "cancelled: the handler stopped as requested"
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
