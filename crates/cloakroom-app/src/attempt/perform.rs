//! The work of an attempt: fetches and checks the payload, runs the handler, and stores the result.

use std::panic::AssertUnwindSafe;

use cloakroom_core::{AttemptEnd, Failure, LeaseToken};
use futures::FutureExt as _;

use super::ports::AttemptPorts;
use super::result::ResultWriter;
use super::stage::{Stage, Stages};
use crate::body::{BodyError, BodyStream};
use crate::command::Command;
use crate::context::JobContext;
use crate::envelope::{Envelope, PayloadRef};
use crate::ports::{ObjectReader, PortError};

/// The work of an attempt.
pub(super) struct Performance<'a> {
    pub(super) ports: AttemptPorts<'a>,
    pub(super) envelope: &'a Envelope,
    pub(super) command: &'a Command,
    pub(super) token: LeaseToken,
    pub(super) context: JobContext,
    pub(super) stages: Stages,
    /// True if the previous attempt was deferred.
    pub(super) deferred: bool,
}

impl Performance<'_> {
    /// Performs the attempt until its end. Dropping the future stops the handler at its next `await`.
    pub(super) async fn perform(self) -> AttemptEnd {
        let body = match self.body().await {
            Ok(body) => body,
            Err(end) => return end,
        };
        let Self {
            ports,
            envelope,
            command,
            token,
            context,
            stages,
            ..
        } = self;
        stages.enter(Stage::Handling(body.shared()));
        let made = async {
            let output = command
                .run(&envelope.query, body.shared(), context.clone())
                .await?;
            let writer = ResultWriter {
                ports,
                envelope,
                command,
                token,
                context,
                stages: &stages,
                body: &body,
            };
            writer.write(output).await
        };
        let end = match AssertUnwindSafe(made).catch_unwind().await {
            Ok(Ok(success)) => AttemptEnd::Done(success),
            Ok(Err(error)) => {
                tracing::warn!(?error, "the handler failed");
                error.into_end()
            }
            // The panic hook has logged it with its location.
            Err(_panic) => AttemptEnd::Retryable {
                failure: Failure::new("the handler panicked"),
                after: None,
            },
        };
        if let AttemptEnd::Done(_) = end {
            // The rest of the payload is read next.
            stages.enter(Stage::Storing);
        }
        verify_payload(end, body).await
    }

    async fn body(&self) -> Result<BodyStream, AttemptEnd> {
        let reader = match &self.envelope.payload {
            PayloadRef::Stored(key) => match self.ports.objects.open(key).await {
                Ok(Some(reader)) => reader,
                Ok(None) => return Err(lost("payload-lost", "the payload no longer exists")),
                Err(error) => return Err(unfetched(&error)),
            },
            payload => {
                self.probe().await?;
                match payload.bytes() {
                    Some(Ok(bytes)) => ObjectReader::from_bytes(bytes),
                    _ => return Err(lost("payload-corrupted", "the payload can't be read")),
                }
            }
        };
        Ok(BodyStream::new(reader, self.envelope.expected()))
    }

    /// Probes the object storage if the previous attempt was deferred. This prevents the handler from producing another
    /// result that can't be stored.
    async fn probe(&self) -> Result<(), AttemptEnd> {
        if !self.deferred {
            return Ok(());
        }
        match self.ports.objects.open(&self.envelope.payload_key()).await {
            Err(error @ PortError::Unavailable { .. }) => {
                tracing::warn!(%error, "the object storage is still unavailable");
                Err(AttemptEnd::Unavailable(Failure::unavailable(
                    "the object storage is unavailable",
                )))
            }
            // The service answered. It may deny access because the object does not exist.
            Ok(_) | Err(PortError::Misconfigured { .. } | PortError::Unreadable { .. }) => Ok(()),
        }
    }
}

/// Verifies the payload, and returns the end of the attempt. A payload that does not match invalidates the handler's
/// output.
async fn verify_payload(end: AttemptEnd, body: BodyStream) -> AttemptEnd {
    let trouble = match end {
        // Reads the rest of the payload: no job succeeds on a payload that was not verified.
        AttemptEnd::Done(_) => body.finish().await.err(),
        AttemptEnd::Terminal(_) | AttemptEnd::Retryable { .. } | AttemptEnd::Unavailable(_) => {
            body.trouble()
        }
        AttemptEnd::Cancelled => None,
    };
    match trouble {
        // The handler's own error reports a failure of the disk.
        None | Some(BodyError::Disk(_)) => end,
        Some(BodyError::Corrupted) => lost(
            "payload-corrupted",
            "the stored payload does not match its digest",
        ),
        Some(BodyError::Unfetched(error)) => unfetched(&error),
    }
}

fn unfetched(error: &PortError) -> AttemptEnd {
    tracing::warn!(%error, "failed to fetch the payload");
    AttemptEnd::Unavailable(Failure::unavailable("the payload could not be fetched"))
}

fn lost(code: &str, detail: &str) -> AttemptEnd {
    tracing::error!(code, "{detail}");
    AttemptEnd::Terminal(
        Failure::new(format!(
            "{detail}; submit the command again under a new key"
        ))
        .with_code(code),
    )
}
