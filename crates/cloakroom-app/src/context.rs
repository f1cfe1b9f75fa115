//! What a handler is told of its job, and what it can say of it.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{CommandType, JobId, Progress, Tenant, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admission::Permit;
use crate::host::Host;
use crate::trace::TraceContext;

/// One attempt, as its handler sees it. Cheap to clone, and to move into `spawn_blocking`.
///
/// The memory and the place of the attempt are taken until the last clone is dropped. So move a clone into each thread
/// that works for the attempt: one that goes on after a timeout still counts, and the next attempt waits for it.
#[derive(Clone)]
pub struct JobContext(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) id: JobId,
    pub(crate) tenant: Tenant,
    pub(crate) command: CommandType,
    pub(crate) attempt: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) content_type: String,
    pub(crate) trace: TraceContext,
    pub(crate) tracestate: Option<String>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) progress: watch::Sender<Option<Progress>>,
    pub(crate) stop: CancellationToken,
    /// Held, and never read.
    pub(crate) _permit: Permit,
}

impl JobContext {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The job's id: the same in every attempt.
    pub fn id(&self) -> JobId {
        self.0.id
    }

    /// Whose job it is.
    pub fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    /// The command's type.
    pub fn command(&self) -> &CommandType {
        &self.0.command
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// When the job was accepted.
    pub fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// The media type that the payload was sent with.
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// The W3C `traceparent` to send along with what the handler calls: of the request's trace, with this attempt as the
    /// parent.
    pub fn traceparent(&self) -> &str {
        self.0.trace.as_str()
    }

    /// The W3C `tracestate` that came with the request, to be sent along with [`traceparent`](Self::traceparent).
    pub fn tracestate(&self) -> Option<&str> {
        self.0.tracestate.as_deref()
    }

    /// The id of the request's trace, as the log has it: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.trace.trace_id()
    }

    /// When the attempt is stopped at the latest.
    pub fn deadline(&self) -> Timestamp {
        self.0.deadline
    }

    /// How long is left until the deadline.
    pub fn time_left(&self) -> Duration {
        self.0.deadline.since(self.0.host.now())
    }

    /// A token for the idempotency of the handler's own effects: the same in every attempt of this job, and of no
    /// other. An attempt that timed out may have done part of its work, so pass it on (`Idempotency-Key`, a unique
    /// column, a client token).
    pub fn idempotency_token(&self) -> String {
        format!("{}-{:x}", self.0.id, self.0.created_at.as_millis())
    }

    /// Says how far the attempt is: 0 to 100 percent, and a text for a person (the first 256 bytes are kept).
    /// Never waits: the latest report is written at most once a second.
    pub fn progress(&self, percent: f64, message: impl Into<String>) {
        let message = Some(message.into()).filter(|text| !text.is_empty());
        self.0
            .progress
            .send_replace(Some(Progress::new(percent, message)));
    }

    /// Reports what the attempt waits for after its handler's end.
    pub(crate) fn waits(&self, message: &str) {
        self.0
            .progress
            .send_replace(Some(Progress::new(100.0, Some(message.to_owned()))));
    }

    /// Resolves when the attempt is to stop: the client cancelled, the time is nearly over, or the lease was lost.
    /// A handler that answers [`crate::HandlerError::cancelled`] soon after ends in order; one that goes on is
    /// dropped at its next `await` when the grace is over, but what is done first still counts.
    pub async fn cancelled(&self) {
        self.0.stop.cancelled().await;
    }

    /// Whether the attempt is to stop: for loops that never wait.
    pub fn is_cancelled(&self) -> bool {
        self.0.stop.is_cancelled()
    }
}
