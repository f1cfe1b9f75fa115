//! Work on one message, from its receipt to the end of its attempt.
//!
//! A message is deleted only if its job has ended, or if another message is responsible for the job. Otherwise it stays
//! in the queue, hidden until it is needed again: after a crash, it brings the job to another worker.

mod begin;
mod handlers;
mod message;
mod outcome;
mod refusal;
pub(crate) mod settings;
mod settle;

use std::sync::Arc;

use cloakroom_core::{AttemptEnd, JobKey, Timestamp};
use tracing::Instrument as _;

use begin::{AttemptRequest, ClaimedAttempt};
pub use handlers::Handlers;
use message::JobMessage;
pub use settings::WorkerSettings;
use settle::Settlement;

use crate::admission::Admission;
use crate::attempt::Attempt;
use crate::attempt::ports::AttemptPorts;
use crate::command::Command;
use crate::delivery::{self, Delivery, Disposition};
use crate::envelope::Envelope;
use crate::intake::{ProducerIntake, ProducerMessage};
use crate::ports::{Objects, Queue};
use crate::shared::Shared;
use crate::trace::TraceContext;

/// The use case, with its ports.
#[derive(Clone)]
pub struct Worker {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Queue of commands.
    pub queue: Arc<dyn Queue>,
    /// Store of payloads and results.
    pub objects: Arc<dyn Objects>,
    /// Commands with handlers.
    pub commands: Handlers,
    /// Timing of the worker.
    pub settings: WorkerSettings,
    /// Admission of attempts to this process. All of its workers share one.
    pub admission: Admission,
    /// Use case for producers' commands. Without it, their messages become dead letters.
    pub intake: Option<Arc<ProducerIntake>>,
}

impl Worker {
    /// Handles messages concurrently and independently. The dispositions are in the same order. `ends_at` is the time
    /// at which the function times out.
    pub async fn handle_batch(
        &self,
        deliveries: &[Delivery],
        ends_at: Timestamp,
    ) -> Vec<Disposition> {
        // Each future is created where it is polled, because it is large.
        let each = deliveries.iter().map(|delivery| {
            delivery::keep_on_panic(async move || self.handle(delivery, ends_at).await)
        });
        futures::future::join_all(each).await
    }

    /// Handles one message.
    pub async fn handle(&self, delivery: &Delivery, ends_at: Timestamp) -> Disposition {
        if let Some(producer_message) = &delivery.producer_message {
            return self.accept_from_producer(delivery, producer_message).await;
        }
        let envelope = match Envelope::read(&delivery.body) {
            Ok(envelope) => envelope,
            Err(error) => {
                // The message stays in its queue until it becomes a dead letter.
                if delivery.is_first_receipt() {
                    tracing::error!(message_id = delivery.message_id, %error, "failed to read a message; it becomes a dead letter");
                }
                return Disposition::Keep;
            }
        };
        let key = envelope.key();
        // A message without a trace, from an older version, starts its own trace.
        let trace = envelope
            .traceparent
            .as_deref()
            .and_then(TraceContext::parse);
        let trace = trace
            .unwrap_or_else(|| TraceContext::new(self.shared.host.random()))
            .child(self.shared.host.random());
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

    /// Accepts a producer's command. The job arrives with a message of Cloakroom's own.
    async fn accept_from_producer(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
    ) -> Disposition {
        let Some(intake) = &self.intake else {
            if delivery.is_first_receipt() {
                tracing::error!(
                    message_id = delivery.message_id,
                    "a producer sent a command, and the service has no producers; the message becomes a dead letter"
                );
            }
            return Disposition::Keep;
        };
        match intake.take(delivery, producer_message).await {
            Ok(disposition) => disposition,
            Err(error) => {
                tracing::error!(%error, "failed to accept a producer's command; the message will be received again");
                delivery::hide(&*self.queue, delivery, message::wait_of_others(delivery)).await
            }
        }
    }

    /// Processes the job of a message.
    async fn work(
        &self,
        delivery: &Delivery,
        envelope: &Envelope,
        key: &JobKey,
        trace: TraceContext,
        ends_at: Timestamp,
    ) -> Disposition {
        let Some(command) = self.commands.0.get(&envelope.command) else {
            if delivery.is_first_receipt() {
                tracing::error!(
                    "no handler of this command is deployed; the message stays in the queue until it is, or becomes a dead letter"
                );
            }
            return Disposition::Keep;
        };
        let ports = self.attempt_ports();
        let message = JobMessage {
            queue: ports.queue,
            delivery,
            envelope,
        };
        let request = AttemptRequest {
            ports,
            admission: &self.admission,
            message,
            key,
            command,
            ends_at,
        };
        match request.begin().await {
            Ok(claimed) => run(ports, message, command, trace, claimed).await,
            Err(disposition) => disposition,
        }
    }

    fn attempt_ports(&self) -> AttemptPorts<'_> {
        AttemptPorts {
            shared: &self.shared,
            queue: &*self.queue,
            objects: &*self.objects,
            settings: self.settings,
        }
    }
}

/// Runs an attempt whose job was claimed, and records its end.
async fn run(
    ports: AttemptPorts<'_>,
    message: JobMessage<'_>,
    command: &Command,
    trace: TraceContext,
    claimed: ClaimedAttempt,
) -> Disposition {
    let host = &ports.shared.host;
    let token = claimed.token;
    let mut attempt = Attempt {
        ports,
        receipt: &message.delivery.receipt,
        envelope: message.envelope,
        command,
        token,
        trace,
        job: claimed.job,
        deadline: claimed.deadline,
        last_moment: claimed.last_moment,
    };
    let begun = host.now();
    let end = match claimed.permit {
        // Boxed, because this future is by far the largest, and every enclosing future would contain it.
        Ok(permit) => Box::pin(attempt.run(permit)).await,
        Err(too_large) => Some(AttemptEnd::Terminal(too_large.failure())),
    };
    let Some(end) = end else {
        // The worker that took over has received this message, too, or has its own.
        return Disposition::Keep;
    };
    let settlement = Settlement {
        ports,
        message,
        command,
        token,
        run_time: host.now().since(begun),
    };
    settlement.settle(attempt.job, end).await
}

#[cfg(test)]
mod tests;
