//! What is done in an attempt: fetch the payload and check it, run the handler, keep its result.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cloakroom::outcome::INLINE_RESULT_LIMIT;
use cloakroom::{AttemptEnd, Digest, DigestBuilder, Failure, LeaseToken, ResultRef, Success};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use crate::body::{BodyError, BodyStream};
use crate::command::Command;
use crate::context::JobContext;
use crate::envelope::{Carried, Envelope};
use crate::handler::{HandlerError, Made, Output};
use crate::ports::{BrokenOff, Objects, Opened, keys};
use crate::work::Worker;

/// Does the work of an attempt, to its end. Dropped, it stops the handler at its next `await`.
pub(super) async fn perform(
    worker: &Worker,
    envelope: &Envelope,
    command: &Command,
    token: LeaseToken,
    context: JobContext,
) -> AttemptEnd {
    let body = match body(worker, envelope).await {
        Ok(body) => body,
        Err(end) => return end,
    };
    let key = || keys::result(&envelope.key(), token, command.limits().result_days());
    let made = async {
        let output = command.run(&envelope.query, body.shared(), context).await?;
        keep(&*worker.objects, key, command.limits().shorter_result(), output).await
    };
    let end = match AssertUnwindSafe(made).catch_unwind().await {
        Ok(Ok(success)) => AttemptEnd::Done(success),
        Ok(Err(error)) => {
            tracing::warn!(?error, "the handler failed");
            error.into_end()
        }
        // The panic hook logged it, with its place.
        Err(_panic) => retryable("the handler panicked"),
    };
    judged(end, body).await
}

/// The end of an attempt, by what is known of its payload: whatever a handler made of other bytes does not count.
async fn judged(end: AttemptEnd, body: BodyStream) -> AttemptEnd {
    let trouble = match end {
        // What it left unread is read now: no job succeeds on a payload that was not checked.
        AttemptEnd::Done(_) => body.finish().await.err(),
        AttemptEnd::Terminal(_) | AttemptEnd::Retryable { .. } => body.trouble(),
        AttemptEnd::Cancelled => None,
    };
    match trouble {
        // What the disk lacked, the handler's end says.
        None | Some(BodyError::Disk(_)) => end,
        Some(BodyError::Corrupted) => lost("payload-corrupted", "the payload is not what was accepted"),
        Some(BodyError::Unfetched(error)) => {
            tracing::warn!(%error, "failed to fetch the payload");
            retryable("the payload could not be fetched")
        }
    }
}

async fn body(worker: &Worker, envelope: &Envelope) -> Result<BodyStream, AttemptEnd> {
    let opened = match &envelope.payload {
        Carried::Stored(key) => match worker.objects.open(key).await {
            Ok(Some(opened)) => opened,
            Ok(None) => return Err(lost("payload-lost", "the payload is gone")),
            Err(error) => {
                tracing::warn!(%error, "failed to fetch the payload");
                return Err(retryable("the payload could not be fetched"));
            }
        },
        carried => match carried.bytes() {
            Some(Ok(bytes)) => Opened::of(bytes),
            _ => return Err(lost("payload-corrupted", "the payload can't be read")),
        },
    };
    Ok(BodyStream::new(opened, envelope.expected()))
}

/// Puts the result where it is kept: in the record, or, when it is large, in object storage before the record names it.
async fn keep(
    objects: &dyn Objects,
    key: impl FnOnce() -> String,
    retention: Option<Duration>,
    output: Output,
) -> Result<Success, HandlerError> {
    let Output { result, resource } = output;
    let Some(Made { content_type, pieces }) = result else { return Ok(Success { result: None, resource }) };
    let mut pieces = pieces.into_stream();
    let mut first = Vec::new();
    let mut length = 0;
    while length <= INLINE_RESULT_LIMIT
        && let Some(piece) = pieces.try_next().await?
    {
        length += piece.len();
        first.push(piece);
    }
    let result = if length <= INLINE_RESULT_LIMIT {
        ResultRef::Inline { content_type, bytes: first.concat() }
    } else {
        let (key, first) = (key(), futures::stream::iter(first).map(Ok));
        let Stored { length, sha256 } = store(objects, &key, &content_type, first.chain(pieces).boxed()).await?;
        ResultRef::Stored { content_type, key, length, sha256, retention }
    };
    Ok(Success { result: Some(result), resource })
}

/// A result that was stored.
struct Stored {
    length: u64,
    sha256: Digest,
}

async fn store(
    objects: &dyn Objects,
    key: &str,
    content_type: &str,
    pieces: BoxStream<'static, Result<Bytes, HandlerError>>,
) -> Result<Stored, HandlerError> {
    let making = Arc::new(Mutex::new(Making { sum: Digest::builder(), length: 0, error: None }));
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
                Err(BrokenOff)
            }
        }
    });
    let stored = objects.put_pieces(key, content_type, pieces.boxed()).await;
    let mut making = making.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = making.error.take() {
        return Err(error);
    }
    match stored {
        Ok(_) => Ok(Stored { length: making.length, sha256: making.sum.clone().finish() }),
        Err(error) => Err(HandlerError::retryable("the result could not be stored").because(error)),
    }
}

/// A result while it is stored.
struct Making {
    sum: DigestBuilder,
    length: u64,
    error: Option<HandlerError>,
}

fn retryable(detail: &str) -> AttemptEnd {
    AttemptEnd::Retryable { failure: Failure::new(detail), after: None }
}

fn lost(code: &str, detail: &str) -> AttemptEnd {
    tracing::error!(code, "{detail}");
    AttemptEnd::Terminal(Failure::new(format!("{detail}; submit the command again under a new key")).with_code(code))
}
