//! Work: one message, from its receipt to the write of its attempt's end.
//!
//! A message is done with only when its job is over, or is another message's to bring to its end. Whatever else
//! happens it stays in the queue, hidden until it can be of use: it is what brings the job back after a crash.

mod begin;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use begin::{AttemptRequest, Begun};
use cloakroom_core::transition::{Event, Refusal};
use cloakroom_core::{AttemptEnd, Job, JobKey, LeaseToken, Status, Timestamp, Transition};
use futures::FutureExt as _;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;

use crate::admission::Admission;
use crate::attempt::Attempt;
use crate::command::Registry;
use crate::envelope::Envelope;
use crate::host::Host;
use crate::intake::{ProducerIntake, ProducerMessage};
use crate::meter::{Fact, Meter};
use crate::ports::{Change, JobStore, Objects, PortError, Queue};
use crate::trace::TraceContext;

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's id of the message: the same at every receipt.
    pub message_id: String,
    /// What this receipt is answered by.
    pub receipt: String,
    /// The message.
    pub body: String,
    /// How often it was received, this time counted.
    pub receive_count: u32,
    /// Attributes and payload, if a producer sent it.
    pub producer_message: Option<Box<ProducerMessage>>,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It has done its work: delete it.
    Done,
    /// It stays, hidden for as long as was found right.
    Keep,
}

/// The times that a worker keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How long a lease lasts without a sign of life; renewed at every third of it.
    pub lease: Duration,
    /// How long before the function's own end an attempt is stopped, so that its end can still be written.
    pub margin: Duration,
    /// How long a handler that was told to stop may take to end in order.
    pub grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            margin: Duration::from_secs(4),
            grace: Duration::from_secs(2),
        }
    }
}

/// Wait of a message after a port failed for the first time; four times as long each further time.
const AFTER_A_FAULT: Duration = Duration::from_secs(5);

/// Longest wait of a message of our own after a port failed: jobs go on so soon after an outage.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Longest wait of a message that can't be sent again: ten receipts last longer than an hour.
const LONGEST_WAIT_OF_OTHERS: Duration = Duration::from_secs(900);

/// Receipt from which on a message is sent again, so that its receipts are counted from 1.
const RECEIVED_OFTEN: u32 = 4;

/// Time before its function's end at which a worker stops trying to write the end of an attempt.
const LAST_CHANCE: Duration = Duration::from_millis(1500);

/// Longest wait between two tries to write the end of an attempt.
const LONGEST_WAIT_TO_SETTLE: Duration = Duration::from_secs(10);

/// How long before its job expires a payload is still deleted: longer than any function lives. After that the job's id may be
/// another job's, and a payload of the same bytes under the same key that one's.
const BEFORE_EXPIRY: Duration = Duration::from_secs(1800);

/// Most times that the end of an attempt is written again because the job changed.
const CHANGES_TO_SETTLE: u32 = 10;

/// The use case, over its ports.
#[derive(Clone)]
pub struct Worker {
    /// The table.
    pub store: Arc<dyn JobStore>,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
    /// What counts.
    pub meter: Arc<dyn Meter>,
    /// What can be done.
    pub commands: Registry,
    /// Its times.
    pub settings: WorkerSettings,
    /// Admission of attempts to this process: all of its workers share one.
    pub admission: Admission,
    /// What accepts the commands of producers; without it their messages are left for the dead letters.
    pub intake: Option<Arc<ProducerIntake>>,
}

impl Worker {
    /// Handles messages side by side, each on its own; the dispositions are in their order. `ends_at` is when the
    /// function itself is ended.
    pub async fn handle_batch(
        &self,
        deliveries: &[Delivery],
        ends_at: Timestamp,
    ) -> Vec<Disposition> {
        // Each future is made where it is polled, as it is large.
        let each = deliveries
            .iter()
            .map(|delivery| kept_if_it_panics(async move || self.handle(delivery, ends_at).await));
        futures::future::join_all(each).await
    }

    /// Handles one message.
    pub async fn handle(&self, delivery: &Delivery, ends_at: Timestamp) -> Disposition {
        if let Some(producer_message) = &delivery.producer_message {
            return self.take_in(delivery, producer_message).await;
        }
        let envelope = match Envelope::read(&delivery.body) {
            Ok(envelope) => envelope,
            Err(error) => {
                // Kept as it is: it will be received until the queue puts it among the dead letters.
                if delivery.receive_count <= 1 {
                    tracing::error!(message_id = delivery.message_id, %error, "can't read a message; it is left for the dead letters");
                }
                return Disposition::Keep;
            }
        };
        let key = envelope.key();
        // A message of a time when none was carried begins a trace of its own.
        let trace = envelope
            .traceparent
            .as_deref()
            .and_then(TraceContext::parse);
        let trace = trace
            .unwrap_or_else(|| TraceContext::new(self.host.random()))
            .child(self.host.random());
        let span = tracing::info_span!(
            "job",
            job_id = %key.id,
            tenant = %key.tenant,
            command = %envelope.command,
            attempt = tracing::field::Empty,
            request_id = envelope.request_id,
            trace_id = trace.trace_id(),
        );
        self.work(delivery, &envelope, &key, trace, ends_at)
            .instrument(span)
            .await
    }

    /// Accepts a producer's command. A message of our own brings its job.
    async fn take_in(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
    ) -> Disposition {
        let Some(intake) = &self.intake else {
            if delivery.receive_count <= 1 {
                tracing::error!(
                    message_id = delivery.message_id,
                    "a producer sent a command, and producers are not let in; it is left for the dead letters"
                );
            }
            return Disposition::Keep;
        };
        match intake.take(delivery, producer_message).await {
            Ok(disposition) => disposition,
            Err(error) => {
                tracing::error!(%error, "failed to accept a producer's command; the message comes back");
                self.hide(delivery, after_a_fault(delivery, LONGEST_WAIT_OF_OTHERS))
                    .await
            }
        }
    }

    async fn work(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        key: &JobKey,
        trace: TraceContext,
        ends_at: Timestamp,
    ) -> Disposition {
        let Some(command) = self.commands.get(&envelope.command) else {
            if delivery.receive_count <= 1 {
                tracing::error!(
                    "no handler for this command is deployed; the message waits for one, or for the dead letters"
                );
            }
            return Disposition::Keep;
        };
        let request = AttemptRequest {
            delivery,
            envelope,
            key,
            command,
            ends_at,
        };
        let Begun {
            job,
            token,
            permit,
            deadline,
            last_moment,
        } = match self.begin(&request).await {
            Ok(begun) => begun,
            Err(disposition) => return disposition,
        };
        let mut attempt = Attempt {
            worker: self,
            delivery,
            envelope,
            command,
            token,
            trace,
            job,
            deadline,
            last_moment,
        };
        let begun = self.host.now();
        let end = match permit {
            Ok(permit) => attempt.run(permit).await,
            Err(too_large) => Some(AttemptEnd::Terminal(too_large.failure())),
        };
        match end {
            Some(end) => {
                let run_time = self.host.now().since(begun);
                self.settle(attempt, end, run_time).await
            }
            // Whoever took over has the message too, or one of its own.
            None => Disposition::Keep,
        }
    }

    async fn refused(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        refusal: Refusal,
        job: Option<&Job>,
    ) -> Disposition {
        // The refused write may have taken seconds.
        let now = self.host.now();
        let transition = match (refusal, job) {
            (Refusal::Over, Some(job)) => {
                self.delete_payload(envelope, job).await;
                return Disposition::Done;
            }
            // Perhaps of a late claim whose answer was lost, and that nobody works on.
            (Refusal::Duplicate, Some(job)) if envelope.unrecorded().is_some() => {
                return self
                    .bring_back(delivery, envelope, job.ready_at.since(now))
                    .await;
            }
            (Refusal::Over | Refusal::Duplicate, _) => return Disposition::Done,
            (Refusal::Later(at), job) => {
                let wait = at.since(now);
                // Of a job that runs, this very message has to come back: another one would be taken for one too many.
                let runs = job
                    .is_some_and(|job| !matches!(job.status, Status::Accepted | Status::Retrying));
                return if runs {
                    self.hide(delivery, wait).await
                } else {
                    self.bring_back(delivery, envelope, wait).await
                };
            }
            (Refusal::Cancel(token), _) => Transition::confirm_cancel(token, now),
            (Refusal::Exhausted(token), Some(job)) => Transition::give_up(job, token, now),
            // Not found, or taken over elsewhere: the next receipt decides again.
            (Refusal::Exhausted(_) | Refusal::Mine | Refusal::TakeOver { .. }, _) => {
                return self.hide(delivery, Duration::ZERO).await;
            }
        };
        match self.store.change(&envelope.key(), &transition).await {
            Ok(Change::Made(job)) => {
                self.count(&job, None);
                self.delete_payload(envelope, &job).await;
                tracing::warn!(
                    status = job.status.as_str(),
                    attempts = job.attempt,
                    "ended a job whose worker is gone"
                );
                Disposition::Done
            }
            // Something else happened to it meanwhile: the next receipt sees what.
            Ok(Change::Refused(_)) => self.hide(delivery, Duration::ZERO).await,
            Err(error) => self.fault(delivery, envelope, &error, "end the job").await,
        }
    }

    /// Writes the end of an attempt, again and again while the table is away: the work is done, and its record all that is
    /// missing. Just before the function's end the message is sent again, and says that the attempt is not to be counted.
    async fn settle(
        &self,
        attempt: Attempt<'_>,
        end: AttemptEnd,
        run_time: Duration,
    ) -> Disposition {
        let Attempt {
            delivery,
            envelope,
            command,
            token,
            mut job,
            ..
        } = attempt;
        let ends_at = job
            .lease
            .as_ref()
            .and_then(|lease| lease.ends_at)
            .unwrap_or_else(|| self.host.now());
        let left = ends_at.since(self.host.now()).saturating_sub(LAST_CHANCE);
        let last_chance = Instant::now() + left.max(Duration::from_millis(500));
        let (mut tries, mut changes) = (0, 0);
        loop {
            let (now, unit) = (self.host.now(), self.host.unit());
            let transition =
                Transition::settle(&job, token, end.clone(), &command.limits().retry, now, unit);
            let written =
                timeout_at(last_chance, self.store.change_unseen(&job, &transition)).await;
            job = match written.unwrap_or_else(|_| Err(no_answer())) {
                Ok(Change::Made(job)) => {
                    return self.settled(delivery, envelope, &job, run_time).await;
                }
                Ok(Change::Refused(found)) => {
                    match found
                        .filter(|job| job.lease.as_ref().is_some_and(|lease| lease.token == token))
                    {
                        // The client cancelled since the last sign of life: settle again, knowing it.
                        Some(found)
                            if found.status == Status::Cancelling
                                && changes < CHANGES_TO_SETTLE =>
                        {
                            *found
                        }
                        // An earlier try went through, and its answer was lost.
                        Some(found)
                            if !matches!(found.status, Status::Running | Status::Cancelling) =>
                        {
                            return self.settled(delivery, envelope, &found, run_time).await;
                        }
                        _ => {
                            tracing::warn!(
                                "lost the lease: the outcome of this attempt does not count"
                            );
                            return Disposition::Keep;
                        }
                    }
                }
                Err(error) => {
                    let wait =
                        Duration::from_millis(200 << tries.min(6)).min(LONGEST_WAIT_TO_SETTLE);
                    if Instant::now() + wait >= last_chance {
                        return self
                            .unrecorded(
                                delivery,
                                envelope,
                                token,
                                &error,
                                "write the end of the attempt",
                            )
                            .await;
                    }
                    tracing::warn!(%error, "failed to write the end of the attempt; trying again");
                    if wait > Duration::from_secs(2) {
                        self.hide(delivery, self.settings.lease + wait).await;
                    }
                    sleep(wait).await;
                    tries += 1;
                    continue;
                }
            };
            changes += 1;
        }
    }

    /// Stops counting an attempt whose begin or end could not be recorded, as its message says.
    async fn give_back(&self, envelope: &Envelope, key: &JobKey) -> Result<(), PortError> {
        let Some(token) = envelope.unrecorded() else {
            return Ok(());
        };
        if let Change::Made(job) = self
            .store
            .change(key, &Transition::give_back(token, self.host.now()))
            .await?
        {
            tracing::warn!("an attempt is not counted: the table was unavailable");
            self.meter.count(&job.command, Fact::StorageUnavailable);
        }
        Ok(())
    }

    async fn settled(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        job: &Job,
        run_time: Duration,
    ) -> Disposition {
        self.count(job, Some(run_time));
        self.delete_payload(envelope, job).await;
        let now = self.host.now();
        let code = job
            .failure
            .as_ref()
            .filter(|_| job.status != Status::Succeeded)
            .map(|failure| failure.code.as_str());
        let (age_ms, run_time_ms) = (millis(now.since(job.created_at)), millis(run_time));
        tracing::info!(
            status = job.status.as_str(),
            attempt = job.attempt,
            age_ms,
            run_time_ms,
            code,
            "ended an attempt"
        );
        if job.status.is_terminal() {
            Disposition::Done
        } else {
            self.bring_back(delivery, envelope, job.ready_at.since(now))
                .await
        }
    }

    /// Deletes a payload that is needed no more, once its job's end is recorded. One that can't be deleted goes by the bucket's
    /// lifecycle; so does that of a job that failed, which may be sent back to work.
    async fn delete_payload(&self, envelope: &Envelope, job: &Job) {
        let over = matches!(job.status, Status::Succeeded | Status::Cancelled);
        let its_own = job.created_at == envelope.accepted_at();
        let in_time = job.expires_at.since(self.host.now()) > BEFORE_EXPIRY;
        if let Some(key) = envelope
            .stored_payload_key()
            .filter(|_| over && its_own && in_time)
            && let Err(error) = self.objects.delete(key).await
        {
            tracing::warn!(%error, "failed to delete a payload; it goes by the bucket's lifecycle");
        }
    }

    /// Counts what an attempt came to, by the record after it.
    fn count(&self, job: &Job, run_time: Option<Duration>) {
        let code = || {
            job.failure
                .as_ref()
                .map(|failure| failure.code.clone())
                .unwrap_or_default()
        };
        let deferred = job
            .history
            .last()
            .is_some_and(|step| step.event == Event::Defer);
        let fact = match (job.status, run_time) {
            (Status::Retrying, Some(_)) if deferred => Fact::StorageUnavailable,
            (Status::Succeeded, Some(run_time)) => Fact::Succeeded { run_time },
            (Status::Failed, run_time) => Fact::Failed {
                code: code(),
                run_time,
            },
            (Status::Cancelled, run_time) => Fact::Cancelled { run_time },
            (Status::Retrying, Some(run_time)) => Fact::Retried { run_time },
            // None is the end of an attempt, or of a job whose worker is gone.
            (Status::Succeeded | Status::Retrying, None)
            | (Status::Accepted | Status::Running | Status::Cancelling, _) => return,
        };
        self.meter.count(&job.command, fact);
    }

    async fn fault(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        error: &PortError,
        doing: &str,
    ) -> Disposition {
        tracing::error!(%error, "failed to {doing}; the message comes back");
        let wait = after_a_fault(delivery, LONGEST_WAIT);
        match error {
            // It stays so, however often the message is sent again: in the end it is a dead letter.
            PortError::Unreadable { .. } => self.hide(delivery, wait).await,
            PortError::Unavailable { .. } | PortError::Misconfigured { .. } => {
                self.bring_back(delivery, envelope, wait).await
            }
        }
    }

    /// Handles a fault after which nobody knows whether the record holds the attempt of `token` as running. The message that
    /// comes back says so.
    async fn unrecorded(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        token: LeaseToken,
        error: &PortError,
        doing: &str,
    ) -> Disposition {
        tracing::error!(%error, "failed to {doing}; the attempt is not counted, and the message is sent again");
        let wait = after_a_fault(delivery, LONGEST_WAIT);
        self.send_again(delivery, &envelope.clone().with_unrecorded(token), wait)
            .await
    }

    /// Brings a message back after this time. One that was received often is sent again, so that its receipts are counted from 1: those
    /// that are no fault of its job's must not make it a dead letter.
    ///
    /// Not for the message of a live attempt: the one that is sent again is another message.
    pub(crate) async fn bring_back(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        wait: Duration,
    ) -> Disposition {
        if delivery.receive_count < RECEIVED_OFTEN {
            self.hide(delivery, wait).await
        } else {
            self.send_again(delivery, envelope, wait).await
        }
    }

    /// Sends a message again, and lets the received one be deleted. If it can't be sent, the received one is hidden.
    async fn send_again(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        wait: Duration,
    ) -> Disposition {
        match self
            .queue
            .send(&envelope.key().tenant, envelope.write(), wait, None)
            .await
        {
            Ok(()) => Disposition::Done,
            Err(error) => {
                tracing::error!(%error, "failed to send a message again; it is hidden");
                self.hide(
                    delivery,
                    wait.max(after_a_fault(delivery, LONGEST_WAIT_OF_OTHERS)),
                )
                .await
            }
        }
    }

    async fn hide(&self, delivery: &Delivery, time: Duration) -> Disposition {
        hide(&*self.queue, delivery, time).await
    }
}

/// Returns the wait of a message after a fault, by how often it was received.
fn after_a_fault(delivery: &Delivery, longest: Duration) -> Duration {
    let times = delivery.receive_count.saturating_sub(1).min(8);
    AFTER_A_FAULT.saturating_mul(1 << (2 * times)).min(longest)
}

/// The error of a call that was given up.
fn no_answer() -> PortError {
    PortError::Unavailable {
        service: "the table",
        reason: "no answer before the function's end".to_owned(),
    }
}

/// Leaves the message in its queue, to come back after this time. If that can't be said, it comes back in the queue's own.
pub(crate) async fn hide(queue: &dyn Queue, delivery: &Delivery, time: Duration) -> Disposition {
    if let Err(error) = queue.hide(&delivery.receipt, time).await {
        tracing::warn!(message_id = delivery.message_id, %error, "failed to hide a message");
    }
    Disposition::Keep
}

/// Handles a message. One whose handling panics stays in its queue.
///
/// A panic of our own code, that is: a handler has a task of its own. The panic hook logs it.
pub(crate) async fn kept_if_it_panics(handle: impl AsyncFnOnce() -> Disposition) -> Disposition {
    AssertUnwindSafe(handle())
        .catch_unwind()
        .await
        .unwrap_or(Disposition::Keep)
}

/// For the log, where a number of 128 bits is written as text.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
