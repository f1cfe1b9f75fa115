//! Context of a handler: information about its job, and reports of progress.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{CommandType, JobId, Progress, Tenant, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admission::Permit;
use crate::host::Host;
use crate::trace::TraceContext;

/// Context of one attempt. Cheap to clone, and to move into `spawn_blocking`.
///
/// The memory and the place of the attempt are held until the last clone is dropped. Move a clone into each thread that
/// works for the attempt: a thread that runs on after a timeout then still counts, and the next attempt waits for it.
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
    /// Held until the context is dropped, never read.
    pub(crate) _permit: Permit,
}

impl JobContext {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// Returns the job's id. All attempts of a job have the same id.
    pub fn id(&self) -> JobId {
        self.0.id
    }

    /// Returns the tenant that owns the job.
    pub fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    /// Returns the command type.
    pub fn command(&self) -> &CommandType {
        &self.0.command
    }

    /// Returns the number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Returns the time at which the job was accepted.
    pub fn created_at(&self) -> Timestamp {
        self.0.created_at
    }

    /// Returns the media type that the payload was sent with.
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// Returns the W3C `traceparent` for the handler's outgoing requests: the trace of the request, with this attempt
    /// as parent.
    pub fn traceparent(&self) -> &str {
        self.0.trace.as_str()
    }

    /// Returns the W3C `tracestate` of the request. Send it along with [`traceparent`](Self::traceparent).
    pub fn tracestate(&self) -> Option<&str> {
        self.0.tracestate.as_deref()
    }

    /// Returns the trace id of the request, as in the log: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.trace.trace_id()
    }

    /// Returns the latest time at which the attempt is stopped.
    pub fn deadline(&self) -> Timestamp {
        self.0.deadline
    }

    /// Returns the time until the deadline.
    pub fn time_left(&self) -> Duration {
        self.0.deadline.since(self.0.host.now())
    }

    /// Returns a token for the idempotency of the handler's own effects. It is the same in every attempt of this job,
    /// and differs between jobs. An attempt that timed out may have done part of its work, so pass the token on
    /// (`Idempotency-Key`, a unique column, a client token).
    pub fn idempotency_token(&self) -> String {
        format!("{}-{:x}", self.0.id, self.0.created_at.as_millis())
    }

    /// Reports progress: 0 to 100 percent, and a message for users (at most 256 bytes; the rest is cut off). Returns
    /// immediately. The latest report is recorded at most once a second.
    pub fn progress(&self, percent: f64, message: impl Into<String>) {
        let message = Some(message.into()).filter(|text| !text.is_empty());
        self.0
            .progress
            .send_replace(Some(Progress::new(percent, message)));
    }

    /// Reports what the attempt waits for after the handler has returned.
    pub(crate) fn waits(&self, message: &str) {
        self.0
            .progress
            .send_replace(Some(Progress::new(100.0, Some(message.to_owned()))));
    }

    /// Resolves when the attempt should stop: the client cancelled, the time is nearly over, or the lease was lost. A
    /// handler that then returns [`crate::HandlerError::cancelled`] ends in an orderly way. A handler that continues is
    /// dropped at its next `await` after the grace period; if it finishes first, its result counts.
    pub async fn cancelled(&self) {
        self.0.stop.cancelled().await;
    }

    /// Returns true if the attempt should stop. For loops without `await`.
    pub fn is_cancelled(&self) -> bool {
        self.0.stop.is_cancelled()
    }
}
