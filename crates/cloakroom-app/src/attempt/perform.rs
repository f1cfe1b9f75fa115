//! What is done in an attempt: fetch the payload and check it, run the handler, keep its result.

use bytes::Bytes;
use cloakroom::{AttemptEnd, Digest, Failure, JobKey, LeaseToken, ResultRef, Success};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::command::Command;
use crate::context::JobContext;
use crate::envelope::{Carried, Envelope};
use crate::handler::Output;
use crate::ports::keys;
use crate::work::Worker;

/// Does the work of an attempt, to its end. Dropped, it stops the handler at its next `await`.
pub(super) async fn perform(
    worker: &Worker,
    envelope: &Envelope,
    command: &Command,
    token: LeaseToken,
    context: JobContext,
) -> AttemptEnd {
    let payload = match payload(worker, envelope).await {
        Ok(payload) => payload,
        Err(end) => return end,
    };
    // A task of its own: a handler that computes without waiting must not keep the heartbeat from beating.
    let handler = tokio::spawn(command.run(&envelope.query, payload, context).in_current_span());
    match AbortOnDropHandle::new(handler).await {
        Ok(Ok(output)) => keep(worker, &envelope.key(), token, output).await,
        Ok(Err(error)) => {
            tracing::warn!(?error, "the handler failed");
            error.into_end()
        }
        // The panic hook logged it, with its place.
        Err(_panic) => retryable("the handler panicked"),
    }
}

async fn payload(worker: &Worker, envelope: &Envelope) -> Result<Bytes, AttemptEnd> {
    let bytes = match &envelope.payload {
        Carried::Stored(key) => match worker.objects.get(key).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(lost("payload-lost", "the payload is gone")),
            Err(error) => {
                tracing::warn!(%error, "failed to fetch the payload");
                return Err(retryable("the payload could not be fetched"));
            }
        },
        carried => match carried.bytes() {
            Some(Ok(bytes)) => bytes,
            _ => return Err(lost("payload-corrupted", "the payload can't be read")),
        },
    };
    if envelope.is_payload(&bytes) {
        Ok(bytes)
    } else {
        Err(lost("payload-corrupted", "the payload is not what was accepted"))
    }
}

/// Puts the result where it is kept: in the record, or, when it is large, in object storage before the record names it.
async fn keep(worker: &Worker, job: &JobKey, token: LeaseToken, output: Output) -> AttemptEnd {
    let Output { result, resource } = output;
    let result = match result {
        None => None,
        Some((content_type, bytes)) if bytes.len() <= cloakroom::outcome::INLINE_RESULT_LIMIT => {
            Some(ResultRef::Inline { content_type, bytes: bytes.to_vec() })
        }
        Some((content_type, bytes)) => {
            let key = keys::result(job, token);
            let (length, sha256) = (bytes.len() as u64, Digest::of(&bytes));
            if let Err(error) = worker.objects.put(&key, &content_type, bytes).await {
                tracing::warn!(%error, "failed to store the result");
                return retryable("the result could not be stored");
            }
            Some(ResultRef::Stored { content_type, key, length, sha256 })
        }
    };
    AttemptEnd::Done(Success { result, resource })
}

fn retryable(detail: &str) -> AttemptEnd {
    AttemptEnd::Retryable { failure: Failure::new(detail), after: None }
}

fn lost(code: &str, detail: &str) -> AttemptEnd {
    tracing::error!(code, "{detail}");
    AttemptEnd::Terminal(Failure::new(format!("{detail}; submit the command again under a new key")).with_code(code))
}
