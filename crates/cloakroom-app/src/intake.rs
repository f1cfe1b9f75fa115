//! Intake of commands that producers send to the queue themselves, with any SDK or with Amazon's SQS Extended Client.
//!
//! The message's body is the payload, or a reference to it in S3. Its attributes specify the command ([`attributes`]).
//! The command is submitted like a request: the job is recorded, then a message of Cloakroom's own is sent, and only
//! then is the producer's message deleted. So a job has one kind of message, and all other use cases only handle that
//! kind. A crash can follow each step: the producer's message then becomes visible again, and finds its job.
//!
//! - A payload that is missing, or that the command rejects, fails the job. The client sees the reason when it polls.
//! - A message for which no job can be recorded becomes a dead letter with the reason. It is not retried.
//! - A message with an unknown command stays in the queue, because the command may be deployed soon.

mod command;
mod dead_letter;
pub(crate) mod message;
mod rejection;

use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::transition::{LAST_CALL, Verdict};
use cloakroom_core::{Code, Digest, Failure, Fingerprint, Job, NewJob};
use tracing::Instrument as _;

use command::ProducerCommand;
pub use command::ProducerTenants;
pub(crate) use dead_letter::dead_letter_body;
pub use message::{PayloadLocation, ProducerMessage, attributes};
use rejection::{Rejected, Rejection, too_large};

use crate::command::Command;
use crate::delivery::{Delivery, Disposition};
use crate::envelope::RequestTrace;
use crate::meter::{Fact, Measure};
use crate::ports::{
    Acceptance, Change, DeadLetterStore, FetchedPayload, PortError, ProducerPayloads, keys,
};
use crate::shared::Shared;
use crate::submit::{Body, Submission, Submit, Submitted};

/// The use case, with its ports.
#[derive(Clone)]
pub struct ProducerIntake {
    /// Use case that records jobs and sends their messages.
    pub submit: Submit,
    /// Storage of large payloads that producers write.
    pub payloads: Arc<dyn ProducerPayloads>,
    /// Buckets that producers may refer to. Never Cloakroom's own: a message could refer to the payload of another
    /// tenant.
    pub buckets: Vec<String>,
    /// Store of messages for which no job can be recorded.
    pub dead_letters: Arc<dyn DeadLetterStore>,
    /// Tenants that own the jobs.
    pub tenants: ProducerTenants,
}

/// Outcome of a producer's message.
enum Outcome {
    /// The message can be deleted, or must be kept.
    Decided(Disposition),
    /// No job can be recorded for the message.
    Rejected(Rejection),
    /// The job fails. Contains the payload, as far as it is known.
    Failed(Bytes, Failure),
}

/// A payload and its origin.
enum Payload {
    /// Body of the message.
    Sent(Bytes),
    /// Object in a producer's bucket.
    Fetched(Bytes),
}

impl ProducerIntake {
    /// Accepts or rejects the command of a message. After an error the outcome is unknown, and the message becomes
    /// visible again.
    pub async fn take(
        &self,
        delivery: &Delivery,
        message: &ProducerMessage,
    ) -> Result<Disposition, PortError> {
        let asked = match ProducerCommand::parse(&self.tenants, delivery, message) {
            Ok(asked) => asked,
            Err(rejection) => return self.reject(delivery, message, None, rejection).await,
        };
        let span = tracing::info_span!(
            "produced", message_id = delivery.message_id, tenant = %asked.tenant, command = %asked.command
        );
        self.accept(delivery, message, &asked)
            .instrument(span)
            .await
    }

    async fn accept(
        &self,
        delivery: &Delivery,
        message: &ProducerMessage,
        asked: &ProducerCommand,
    ) -> Result<Disposition, PortError> {
        let Ok(command) = self.submit.command(&asked.command) else {
            if delivery.is_first_receipt() {
                tracing::error!(
                    "the command is not deployed; the message stays in the queue until it is, or becomes a dead letter"
                );
            }
            return Ok(Disposition::Keep);
        };
        let rejection = match self.submit(delivery, message, command, asked).await? {
            Outcome::Decided(disposition) => return Ok(disposition),
            Outcome::Rejected(rejection) => rejection,
            Outcome::Failed(bytes, failure) => {
                match self.fail(command, asked, &bytes, failure).await? {
                    None => return Ok(Disposition::Done),
                    Some(rejection) => rejection,
                }
            }
        };
        self.reject(delivery, message, Some(asked), rejection).await
    }

    /// Submits the command of a message, if a job can be recorded for it.
    async fn submit(
        &self,
        delivery: &Delivery,
        message: &ProducerMessage,
        command: &Command,
        asked: &ProducerCommand,
    ) -> Result<Outcome, PortError> {
        if let Some(rejection) = self.check(message, command, asked) {
            return Ok(Outcome::Rejected(rejection));
        }
        let payload = match self.payload(delivery, message, command).await? {
            Ok(payload) => payload,
            Err(outcome) => return Ok(outcome),
        };
        let content_type = asked.content_type.clone();
        let (bytes, body) = match payload {
            Payload::Sent(bytes) => (
                bytes.clone(),
                Body::Sent {
                    content_type,
                    bytes,
                },
            ),
            Payload::Fetched(bytes) => (
                bytes.clone(),
                Body::Fetched {
                    content_type,
                    bytes,
                },
            ),
        };
        let submission = Submission {
            tenant: asked.tenant.clone(),
            command: asked.command.clone(),
            client_job_id: Some(asked.client_job_id.clone()),
            body,
            query: asked.query.clone(),
            not_before: None,
            trace: RequestTrace::default(),
            events: asked.events.clone(),
        };
        let error = match self.submit.submit(submission).await {
            Ok(Submitted { job, replayed }) => {
                // Logged here, because there is no request whose log line would report it.
                tracing::info!(job_id = %job.id, replayed, "accepted a producer's command");
                return Ok(Outcome::Decided(Disposition::Done));
            }
            Err(error) => error,
        };
        Ok(match Rejected::from_error(error, bytes.len() as u64)? {
            Rejected::Message(rejection) => Outcome::Rejected(rejection),
            Rejected::Job(failure) => Outcome::Failed(bytes, failure),
            Rejected::Unexpected => Outcome::Decided(Disposition::Keep),
        })
    }

    /// Checks the parts of a message that don't require its payload.
    fn check(
        &self,
        message: &ProducerMessage,
        command: &Command,
        asked: &ProducerCommand,
    ) -> Option<Rejection> {
        // If deleting a processed message failed, it must not run again after its job has expired.
        let kept_until = message
            .sent_at
            .map(|at| at.after(command.limits().retention).before(LAST_CALL));
        if kept_until.is_some_and(|until| until <= self.submit.shared.host.now()) {
            let detail = "the message is older than the retention of its command's jobs; send it again if it is still needed";
            return Some(Rejection {
                code: "expired",
                detail: detail.to_owned(),
            });
        }
        if command.limits().key_required && asked.key.is_none() {
            let detail = format!("this command requires {}", attributes::CLIENT_JOB_ID);
            return Some(Rejection::new(Code::IdempotencyKeyRequired, detail));
        }
        None
    }

    /// Reads the payload of a message.
    async fn payload(
        &self,
        delivery: &Delivery,
        message: &ProducerMessage,
        command: &Command,
    ) -> Result<Result<Payload, Outcome>, PortError> {
        let (bucket, key) = match &message.payload {
            PayloadLocation::Body => {
                let bytes = Bytes::copy_from_slice(delivery.body.as_bytes());
                return Ok(Ok(Payload::Sent(bytes)));
            }
            PayloadLocation::Object { bucket, .. } if !self.buckets.contains(bucket) => {
                let detail = format!("producers may not store payloads in the bucket {bucket:?}");
                let rejection = Rejection::new(Code::Forbidden, detail);
                return Ok(Err(Outcome::Rejected(rejection)));
            }
            PayloadLocation::Object { bucket, key } => (bucket, key),
            PayloadLocation::Unknown(why) => {
                let rejection = Rejection::new(Code::InvalidRequest, why);
                return Ok(Err(Outcome::Rejected(rejection)));
            }
        };
        let limit = command.limits().upload;
        let failure = match self.payloads.fetch(bucket, key, limit).await? {
            FetchedPayload::Whole(bytes) => return Ok(Ok(Payload::Fetched(bytes))),
            FetchedPayload::Gone => Failure::new(
                "the payload does not exist at the location in the message; send both again",
            )
            .with_code("payload-lost"),
            FetchedPayload::TooLarge(bytes) => too_large(bytes, limit),
        };
        Ok(Err(Outcome::Failed(Bytes::new(), failure)))
    }

    /// Records the job, and its failure. If the client job id belongs to another command, returns a rejection instead.
    async fn fail(
        &self,
        command: &Command,
        asked: &ProducerCommand,
        bytes: &Bytes,
        failure: Failure,
    ) -> Result<Option<Rejection>, PortError> {
        let Shared { store, host, meter } = &self.submit.shared;
        let now = host.now();
        let new = self.new_job(command, asked, bytes);
        let mut job = Job::accept(new, now);
        match store.accept(&job).await? {
            Acceptance::Created => meter.count(&asked.command, Fact::Accepted),
            Acceptance::Exists(existing) if existing.fingerprint == job.fingerprint => {
                job = *existing;
            }
            Acceptance::Exists(_) => return Ok(Some(Rejection::key_reused())),
        }
        let code = failure.code.clone();
        if let Some(transition) = Verdict::for_rejected_payload(&job, failure, now)
            && let Change::Made(job) = store.change(&job.key(), &transition).await?
        {
            tracing::warn!(job_id = %job.id, code, "failed the job of a producer's message");
            meter.count(
                &asked.command,
                Fact::Failed {
                    code,
                    run_time: None,
                },
            );
        }
        Ok(None)
    }

    fn new_job(&self, command: &Command, asked: &ProducerCommand, bytes: &Bytes) -> NewJob {
        let content_type = asked.content_type.as_deref().unwrap_or_default();
        let (digest, length) = (Digest::from_content(bytes), bytes.len() as u64);
        NewJob {
            id: self
                .submit
                .namespace
                .job_id(&asked.tenant, &asked.client_job_id),
            tenant: asked.tenant.clone(),
            client_job_id: Some(asked.client_job_id.clone()),
            fingerprint: Fingerprint::new(
                &asked.command,
                &asked.query,
                content_type,
                &digest,
                length,
            ),
            command: asked.command.clone(),
            retention: command.limits().retention,
            not_before: None,
            events: self
                .submit
                .listeners
                .complete(asked.events.clone())
                .ok()
                .flatten(),
        }
    }

    /// Stores a message for which no job can be recorded as a dead letter, with the reason.
    async fn reject(
        &self,
        delivery: &Delivery,
        message: &ProducerMessage,
        asked: Option<&ProducerCommand>,
        Rejection { code, detail }: Rejection,
    ) -> Result<Disposition, PortError> {
        let body = dead_letter_body(delivery, message, Some((code, &detail)));
        self.dead_letters
            .store(&keys::dead_letter(None, &delivery.message_id), &body)
            .await?;
        tracing::error!(
            message_id = delivery.message_id,
            code,
            detail,
            "stored a producer's message with the dead letters"
        );
        let fact = Fact::Dead {
            code: code.to_owned(),
        };
        self.submit.shared.meter.record(&Measure {
            command: asked.map(|asked| asked.command.clone()),
            fact,
        });
        Ok(Disposition::Done)
    }
}

#[cfg(test)]
mod tests;
