//! Context of a handler: information about its job, and reports of progress.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_core::listeners::{PUBLISHED_BYTES_LIMIT, PUBLISHED_LIMIT, PublishedEvent};
use cloakroom_core::{Cause, CommandType, JobId, Progress, Tenant, Timestamp};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admission::Permit;
use crate::handler::HandlerError;
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
    /// Id that connects related jobs.
    pub(crate) correlation_id: String,
    /// Id of the event or job that caused this one.
    pub(crate) causation_id: Option<String>,
    /// Events that the handler has published so far.
    pub(crate) published: Mutex<Published>,
    /// Held until the context is dropped, never read.
    pub(crate) _permit: Permit,
}

/// Events that a handler has published, with their total length as JSON.
#[derive(Debug, Default)]
pub(crate) struct Published {
    events: Vec<PublishedEvent>,
    bytes: usize,
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

    /// Returns the id that connects this job with related ones: the client's `Correlation-Id`, or the job's own id.
    /// [`cause`](Self::cause) passes it on with the commands that the handler submits.
    pub fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// Returns the id of the event or job that caused this job, if the client sent one.
    pub fn causation_id(&self) -> Option<&str> {
        self.0.causation_id.as_deref()
    }

    /// Returns this job as the cause of the commands that the handler submits. Their events then have the same
    /// correlation id, and this job's id as their causation id. The client takes it from the context:
    /// `client.submit(…).caused_by(&job)`.
    pub fn cause(&self) -> Cause {
        Cause {
            correlation_id: self.0.correlation_id.clone(),
            causation_id: self.0.id.to_string(),
            traceparent: self.traceparent().to_owned(),
            tracestate: self.0.tracestate.clone(),
        }
    }

    /// Publishes an event of the service's own, for example `movie.created`. It is recorded with the job's success, and
    /// then sent to the event bus and the job's reply queue. If the attempt fails, nothing is published.
    ///
    /// # Errors
    /// Returns a terminal error with the code `invalid-event` if the type is not valid, or the job has reached the limit of
    /// 10 events or 32 KiB.
    ///
    /// # Panics
    /// If another thread panicked while it published an event of this job.
    pub fn publish(&self, kind: &str, data: &impl Serialize) -> Result<(), HandlerError> {
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !(1..=128).contains(&kind.len())
            || !kind.bytes().all(valid)
            || kind.starts_with("cloakroom.")
        {
            return Err(invalid_event(format!(
                "an event has the type {kind:?}: a type is 1 to 128 letters, digits, '.', '-' and '_', and does not begin with \"cloakroom.\""
            )));
        }
        let data = serde_json::to_value(data)
            .map_err(|error| invalid_event(format!("the data of an event is not JSON: {error}")))?;
        let length = kind.len() + data.to_string().len();
        let mut published = self.0.published.lock().expect("nothing panics meanwhile");
        if published.events.len() >= PUBLISHED_LIMIT {
            return Err(invalid_event(format!(
                "the job publishes more than {PUBLISHED_LIMIT} events; put the rest into one event"
            )));
        }
        if published.bytes + length > PUBLISHED_BYTES_LIMIT {
            return Err(invalid_event(format!(
                "the job publishes more than {PUBLISHED_BYTES_LIMIT} bytes of events; publish a reference to the data"
            )));
        }
        published.bytes += length;
        published.events.push(PublishedEvent {
            kind: kind.to_owned(),
            data,
        });
        Ok(())
    }

    /// Takes the events that the handler has published.
    pub(crate) fn take_published(&self) -> Vec<PublishedEvent> {
        let mut published = self.0.published.lock().expect("nothing panics meanwhile");
        std::mem::take(&mut *published).events
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

impl From<&JobContext> for Cause {
    fn from(job: &JobContext) -> Self {
        job.cause()
    }
}

fn invalid_event(detail: String) -> HandlerError {
    HandlerError::terminal(detail).code("invalid-event")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use cloakroom_core::{Cause, EventContext, ResultRef, Status};
    use serde_json::{Value, json};

    use crate::envelope::RequestTrace;
    use crate::submit::{Body, Submission};
    use crate::testing::{Nothing, Room};
    use crate::{Command, HandlerError, JobContext};

    /// A type of 129 bytes.
    const LONG: &str = concat!(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    );

    /// Runs a job that publishes these events, in two attempts. The first attempt fails after that.
    async fn published(events: Vec<(&'static str, Value)>) -> cloakroom_core::Job {
        let (events, attempts) = (Arc::new(events), Arc::new(AtomicU32::new(0)));
        let publish = move |_: Nothing, job: JobContext| {
            let (events, attempts) = (Arc::clone(&events), Arc::clone(&attempts));
            async move {
                for (kind, data) in &*events {
                    job.publish(kind, data)?;
                }
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    return Err(HandlerError::retryable("once"));
                }
                Ok::<_, HandlerError>(json!("published"))
            }
        };
        let room = Room::new(vec![Command::json("publish", publish)]);
        let job = room.send("publish", None, "{}").await.expect("accepted");
        room.work_until_idle().await;
        room.poll(&job.job.key()).await
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_attempt_that_succeeds_publishes_its_events_in_order() {
        let job = published(vec![("a.made", json!(1)), ("b.made", json!({ "n": 2 }))]).await;
        let events = job.success.expect("it succeeded").published;
        let events: Vec<_> = events
            .iter()
            .map(|event| (event.kind.as_str(), event.data.clone()))
            .collect();
        assert_eq!(
            events,
            [("a.made", json!(1)), ("b.made", json!({ "n": 2 }))]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_may_not_be_published_fails_the_job_for_good() {
        let most = |n| vec![("a", json!(n)); n];
        assert_eq!(published(most(10)).await.status, Status::Succeeded);
        let long = |n: usize| vec![("a", json!("x".repeat(n)))];
        assert_eq!(
            published(long(32 * 1024 - 3)).await.status,
            Status::Succeeded
        );
        let name = vec![("A-z_0.9", json!(1)), (&LONG[1..], json!(1))];
        assert_eq!(published(name).await.status, Status::Succeeded);
        // The limit of bytes is that of all events together.
        let two = |n: usize| [long(16 * 1024 - 3), long(n)].concat();
        assert_eq!(
            published(two(16 * 1024 - 3)).await.status,
            Status::Succeeded
        );
        for events in [
            most(11),
            two(16 * 1024 - 2),
            [long(12 * 1024), two(12 * 1024)].concat(),
            long(32 * 1024 - 2),
            vec![("", json!(1))],
            vec![("a b", json!(1))],
            vec![("cloakroom.job.succeeded", json!(1))],
            vec![("äöü", json!(1))],
            vec![(LONG, json!(1))],
        ] {
            let job = published(events).await;
            assert_eq!(job.attempt, 1);
            assert_eq!(job.failure.expect("it failed").code, "invalid-event");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_sees_what_its_job_is_related_to() {
        let related = |_: Nothing, job: JobContext| async move {
            let ids = (job.correlation_id(), job.causation_id());
            let cause = Cause::from(&job);
            assert_eq!(cause.traceparent, job.traceparent());
            let of_others = (cause.correlation_id, cause.causation_id, cause.tracestate);
            Ok::<_, HandlerError>(json!([job.tenant().as_str(), ids, of_others]))
        };
        let room = Room::new(vec![Command::json("related", related)]);
        let asked = EventContext {
            correlation_id: Some("order-1042".parse().expect("an id")),
            causation_id: Some("event-7".parse().expect("an id")),
            ..EventContext::default()
        };
        let submission = Submission {
            tenant: "acme".parse().expect("a name"),
            events: Some(Box::new(asked)),
            trace: RequestTrace {
                tracestate: Some("vendor=7".to_owned()),
                ..RequestTrace::default()
            },
            ..Room::submission(
                "related",
                Body::Sent {
                    content_type: Some("application/json".to_owned()),
                    bytes: "{}".into(),
                },
            )
        };
        let job = room.submit.submit(submission).await.expect("accepted").job;
        room.work_until_idle().await;
        let result = room.poll(&job.key()).await.success.expect("it succeeded");
        let Some(ResultRef::Inline { bytes, .. }) = result.result else {
            panic!("{result:?}")
        };
        let seen: Value = serde_json::from_slice(&bytes).expect("JSON");
        let of_others = ("order-1042", job.id, "vendor=7");
        assert_eq!(seen, json!(["acme", ["order-1042", "event-7"], of_others]));
    }
}
