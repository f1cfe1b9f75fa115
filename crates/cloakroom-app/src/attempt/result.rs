//! Writes the result of an attempt: into the record, or, if it is large, to object storage before the record refers to
//! it.
//!
//! If object storage is unavailable, a result that can be read again is held and stored later, for as long as the
//! process lives. A streamed result can't be read again: its handler runs again, and the attempt is not counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::outcome::INLINE_RESULT_LIMIT;
use cloakroom_core::{Digest, DigestBuilder, LeaseToken, ResultRef, RetryPolicy, Success};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

use super::ports::AttemptPorts;
use super::stage::{Stage, Stages};
use crate::body::BodyStream;
use crate::command::Command;
use crate::context::JobContext;
use crate::envelope::Envelope;
use crate::handler::{HandlerError, Made, Output, Pieces};
use crate::meter::Fact;
use crate::ports::{PortError, SourceAborted, keys};

/// Delays between calls that store a result.
const STORE_AGAIN: RetryPolicy = RetryPolicy {
    max_attempts: u32::MAX,
    base: Duration::from_secs(1),
    cap: Duration::from_secs(15),
};

/// Writer of an attempt's result.
pub(super) struct ResultWriter<'a> {
    pub(super) ports: AttemptPorts<'a>,
    pub(super) envelope: &'a Envelope,
    pub(super) command: &'a Command,
    pub(super) token: LeaseToken,
    pub(super) context: JobContext,
    pub(super) stages: &'a Stages,
    pub(super) body: &'a BodyStream,
}

impl ResultWriter<'_> {
    /// Writes the output of a handler.
    pub(super) async fn write(&self, output: Output) -> Result<Success, HandlerError> {
        let Output { result, resource } = output;
        let published = self.context.take_published();
        let Some(Made {
            content_type,
            pieces,
        }) = result
        else {
            return Ok(Success {
                result: None,
                resource,
                published,
            });
        };
        let again = pieces.again();
        let mut pieces = match &again {
            Some(_) => {
                self.stages.enter(Stage::Storing);
                pieces.into_stream()
            }
            None => self.observed(pieces.into_stream()),
        };
        let mut first = Vec::new();
        let mut length = 0;
        while length <= INLINE_RESULT_LIMIT
            && let Some(piece) = pieces.try_next().await?
        {
            length += piece.len();
            first.push(piece);
        }
        let result = if length <= INLINE_RESULT_LIMIT {
            ResultRef::Inline {
                content_type,
                bytes: first.concat(),
            }
        } else {
            let pieces = futures::stream::iter(first).map(Ok).chain(pieces).boxed();
            self.store(content_type, pieces, again).await?
        };
        Ok(Success {
            result: Some(result),
            resource,
            published,
        })
    }

    async fn store(
        &self,
        content_type: String,
        mut pieces: BoxStream<'static, Result<Bytes, HandlerError>>,
        again: Option<Pieces>,
    ) -> Result<ResultRef, HandlerError> {
        let limits = self.command.limits();
        let key = keys::result(&self.envelope.key(), self.token, limits.result_days());
        let mut tries = 0;
        loop {
            let error = match self.try_to_store(&key, &content_type, pieces).await? {
                Ok((length, sha256)) => {
                    let retention = limits.shorter_result();
                    return Ok(ResultRef::Stored {
                        content_type,
                        key,
                        length,
                        sha256,
                        retention,
                    });
                }
                Err(error) => error,
            };
            tries += 1;
            let unstored =
                || HandlerError::unavailable("the result could not be stored").with_cause(&error);
            let Some(same) = again.as_ref().and_then(Pieces::again) else {
                return Err(unstored());
            };
            tracing::warn!(%error, tries, "failed to store the result; retrying");
            if tries == 1 {
                self.stages.enter(Stage::Waiting);
                self.ports
                    .shared
                    .meter
                    .count(self.command.name(), Fact::StorageUnavailable);
                self.context
                    .waits("storing the result: the object storage is unavailable, retrying");
            }
            tokio::select! {
                biased;
                () = self.context.cancelled() => return Err(unstored()),
                () = sleep(STORE_AGAIN.delay(tries, 0.5 + self.ports.shared.host.unit() / 2.0)) => {}
            }
            pieces = same.into_stream();
        }
    }

    /// Stores a result once. The outer error is the handler's, from the stream of pieces.
    async fn try_to_store(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, HandlerError>>,
    ) -> Result<Result<(u64, Digest), PortError>, HandlerError> {
        let making = Arc::new(Mutex::new(Making {
            sum: Digest::builder(),
            length: 0,
            error: None,
        }));
        let making_ = Arc::clone(&making);
        let pieces = pieces.map(move |piece| {
            let mut making = making_.lock().unwrap_or_else(PoisonError::into_inner);
            match piece {
                Ok(piece) => {
                    making.sum.update(&piece);
                    making.length += piece.len() as u64;
                    Ok(piece)
                }
                Err(error) => {
                    making.error = Some(error);
                    Err(SourceAborted)
                }
            }
        });
        let stored = self
            .ports
            .objects
            .put_pieces(key, content_type, pieces.boxed())
            .await;
        let mut making = making.lock().unwrap_or_else(PoisonError::into_inner);
        match making.error.take() {
            Some(error) => Err(error),
            None => Ok(stored.map(|_| (making.length, making.sum.clone().finish()))),
        }
    }

    /// Wraps a stream to track the stage: a pending piece means waiting for the handler, otherwise for the storage.
    fn observed(
        &self,
        mut pieces: BoxStream<'static, Result<Bytes, HandlerError>>,
    ) -> BoxStream<'static, Result<Bytes, HandlerError>> {
        let (stages, body) = (self.stages.clone(), self.body.shared());
        futures::stream::poll_fn(move |cx| {
            let next = pieces.poll_next_unpin(cx);
            let handling = matches!(next, Poll::Pending | Poll::Ready(Some(Err(_))));
            stages.enter(if handling {
                Stage::Handling(body.shared())
            } else {
                Stage::Storing
            });
            next
        })
        .boxed()
    }
}

/// State of a result while it is being stored.
struct Making {
    sum: DigestBuilder,
    length: u64,
    error: Option<HandlerError>,
}
