//! Intake: commands that producers send to the queue themselves, by any SDK or by Amazon's SQS Extended Client.
//!
//! The message's body is the payload, or points to it in S3; its attributes say what is to be done ([`attributes`]). It is
//! submitted as a request would be: recorded, and sent on as a message of our own, and only then is the producer's deleted. So
//! a job has one kind of message, and all that ends, sweeps, buries and redrives jobs knows no other. Each step can be the
//! last one before a crash: the producer's message comes back, and finds its job.
//!
//! - a payload that the command refuses, or that is gone, fails the job: whoever polls is told why;
//! - what no job can be recorded of is kept among the dead letters, with the reason, and is not tried again;
//! - a command that is not known stays in the queue: it may be deployed in a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cloakroom_core::transition::{LAST_CALL, Verdict};
use cloakroom_core::{
    ClientJobId, Code, CommandType, Digest, Failure, Fingerprint, Job, NewJob, Tenant, Timestamp,
};
use serde_json::json;
use tracing::Instrument as _;

use crate::command::Command;
use crate::envelope::RequestTrace;
use crate::meter::{Fact, Measure};
use crate::payload::PayloadError;
use crate::ports::{
    Acceptance, Change, DeadLetterStore, FetchedPayload, PortError, ProducerPayloads, keys,
};
use crate::submit::{Body, Submission, Submit, SubmitError, Submitted};
use crate::work::{Delivery, Disposition};

/// The attributes of a producer's message, all of type `String`.
pub mod attributes {
    /// What is to be done, as in `thumbnail.create`. It makes a message a producer's.
    pub const COMMAND: &str = "Cloakroom-Command-Type";
    /// The producer's own id of the job, as a request's `Idempotency-Key`. Without it the job's client job id is `sqs:` and the
    /// message's id.
    pub const CLIENT_JOB_ID: &str = "Cloakroom-Client-Job-Id";
    /// Whose job it is, where producers may say that.
    pub const TENANT: &str = "Cloakroom-Tenant";
    /// The media type of the payload, where the command takes several.
    pub const CONTENT_TYPE: &str = "Cloakroom-Content-Type";
    /// The query string of a command that takes its parameters there.
    pub const QUERY: &str = "Cloakroom-Query";
}

/// Attributes and payload of a message that a producer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerMessage {
    /// Its attributes that are text.
    pub attributes: BTreeMap<String, String>,
    /// Location of its payload.
    pub payload: PayloadLocation,
    /// Time of its sending, by the queue's clock, where the queue reports it.
    pub sent_at: Option<Timestamp>,
}

/// Location of a producer's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadLocation {
    /// The body of the message.
    Body,
    /// An object in S3.
    Object {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
    /// Not known: the body should point to it but does not, for this reason.
    Unknown(String),
}

/// Whose jobs producers' commands are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProducerTenants {
    /// All are this tenant's.
    One(Tenant),
    /// The message says whose: whoever may send to the queue may act for anyone.
    Named,
}

/// The use case, over its ports.
#[derive(Clone)]
pub struct ProducerIntake {
    /// Use case that records jobs and sends their messages.
    pub submit: Submit,
    /// Storage of large payloads, read by the worker and written by producers.
    pub payloads: Arc<dyn ProducerPayloads>,
    /// The buckets that they may point into. Never our own: whoever points into that reads what is another's.
    pub buckets: Vec<String>,
    /// Store of messages that no job can be recorded of.
    pub dead_letters: Arc<dyn DeadLetterStore>,
    /// ProducerTenants that the jobs belong to.
    pub tenants: ProducerTenants,
}

/// The command that a message asks for.
struct ProducerCommand {
    tenant: Tenant,
    command: CommandType,
    /// As the producer gave it.
    key: Option<ClientJobId>,
    client_job_id: ClientJobId,
    content_type: Option<String>,
    query: String,
}

/// Why a message is refused.
struct Refused {
    code: &'static str,
    detail: String,
}

fn refused(code: Code, detail: impl Into<String>) -> Refused {
    Refused {
        code: code.as_str(),
        detail: detail.into(),
    }
}

impl ProducerIntake {
    /// Accepts or rejects the command of a message. After an error the outcome is unknown, and the message comes back.
    pub async fn take(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
    ) -> Result<Disposition, PortError> {
        let request = match self.parse(delivery, producer_message) {
            Ok(request) => request,
            Err(refused) => return self.reject(delivery, producer_message, None, refused).await,
        };
        let span = tracing::info_span!(
            "produced", message_id = delivery.message_id, tenant = %request.tenant, command = %request.command
        );
        self.accept(delivery, producer_message, request)
            .instrument(span)
            .await
    }

    fn parse(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
    ) -> Result<ProducerCommand, Refused> {
        let said = |name: &str| producer_message.attributes.get(name).map(String::as_str);
        let invalid = |name: &str, error: cloakroom_core::ids::InvalidName| {
            refused(Code::InvalidRequest, format!("{name}: {error}"))
        };
        let command = said(attributes::COMMAND).unwrap_or_default();
        let command = command
            .parse()
            .map_err(|error| invalid(attributes::COMMAND, error))?;
        let tenant = match (&self.tenants, said(attributes::TENANT)) {
            (ProducerTenants::One(tenant), None) => tenant.clone(),
            (ProducerTenants::One(tenant), Some(said)) if said == tenant.as_str() => tenant.clone(),
            (ProducerTenants::One(_), Some(_)) => {
                return Err(refused(
                    Code::Forbidden,
                    "producers may not name another tenant here",
                ));
            }
            (ProducerTenants::Named, said) => said
                .unwrap_or_default()
                .parse()
                .map_err(|error| invalid(attributes::TENANT, error))?,
        };
        let key = said(attributes::CLIENT_JOB_ID)
            .map(str::parse::<ClientJobId>)
            .transpose();
        let key = key.map_err(|error| invalid(attributes::CLIENT_JOB_ID, error))?;
        let client_job_id = match &key {
            Some(key) => key.clone(),
            None => format!("sqs:{}", delivery.message_id)
                .parse()
                .map_err(|error| invalid("message id", error))?,
        };
        let content_type = said(attributes::CONTENT_TYPE).map(ToOwned::to_owned);
        let query = said(attributes::QUERY).unwrap_or_default().to_owned();
        Ok(ProducerCommand {
            tenant,
            command,
            key,
            client_job_id,
            content_type,
            query,
        })
    }

    async fn accept(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
        request: ProducerCommand,
    ) -> Result<Disposition, PortError> {
        let Ok(command) = self.submit.command(&request.command) else {
            if delivery.receive_count <= 1 {
                tracing::error!(
                    "no such command is deployed; the message waits for one, or for the dead letters"
                );
            }
            return Ok(Disposition::Keep);
        };
        // One that came before, and whose deletion was lost, must not come again when its job is forgotten.
        let kept_until = producer_message
            .sent_at
            .map(|at| at.after(command.limits().retention).before(LAST_CALL));
        if kept_until.is_some_and(|until| until <= self.submit.host.now()) {
            let detail = "the message is older than jobs of its command are kept; send it again if it is wanted still";
            let refused = Refused {
                code: "expired",
                detail: detail.to_owned(),
            };
            return self
                .reject(delivery, producer_message, Some(&request), refused)
                .await;
        }
        if command.limits().key_required && request.key.is_none() {
            let detail = format!("this command asks for {}", attributes::CLIENT_JOB_ID);
            let refused = refused(Code::IdempotencyKeyRequired, detail);
            return self
                .reject(delivery, producer_message, Some(&request), refused)
                .await;
        }
        let (bytes, fetched) = match &producer_message.payload {
            PayloadLocation::Body => (Bytes::copy_from_slice(delivery.body.as_bytes()), false),
            PayloadLocation::Object { bucket, .. } if !self.buckets.contains(bucket) => {
                let detail = format!("producers may not keep payloads in the bucket {bucket:?}");
                return self
                    .reject(
                        delivery,
                        producer_message,
                        Some(&request),
                        refused(Code::Forbidden, detail),
                    )
                    .await;
            }
            PayloadLocation::Object { bucket, key } => {
                let limit = command.limits().upload;
                match self.payloads.fetch(bucket, key, limit).await? {
                    FetchedPayload::Whole(bytes) => (bytes, true),
                    FetchedPayload::Gone => {
                        let failure = Failure::new(
                            "the payload is not where the message says; send both again",
                        )
                        .with_code("payload-lost");
                        return self
                            .fail(
                                delivery,
                                producer_message,
                                command,
                                &request,
                                &Bytes::new(),
                                failure,
                            )
                            .await;
                    }
                    FetchedPayload::TooLarge(bytes) => {
                        let failure = too_large(bytes, limit);
                        return self
                            .fail(
                                delivery,
                                producer_message,
                                command,
                                &request,
                                &Bytes::new(),
                                failure,
                            )
                            .await;
                    }
                }
            }
            PayloadLocation::Unknown(why) => {
                let refused = refused(Code::InvalidRequest, why);
                return self
                    .reject(delivery, producer_message, Some(&request), refused)
                    .await;
            }
        };
        let content_type = request.content_type.clone();
        let submission = Submission {
            tenant: request.tenant.clone(),
            command: request.command.clone(),
            client_job_id: Some(request.client_job_id.clone()),
            body: if fetched {
                Body::Fetched {
                    content_type,
                    bytes: bytes.clone(),
                }
            } else {
                Body::Sent {
                    content_type,
                    bytes: bytes.clone(),
                }
            },
            query: request.query.clone(),
            not_before: None,
            trace: RequestTrace::default(),
        };
        let failure = match self.submit.submit(submission).await {
            Ok(Submitted { job, replayed }) => {
                // No line of a request says it, as of other jobs.
                tracing::info!(job_id = %job.id, replayed, "accepted a producer's command");
                return Ok(Disposition::Done);
            }
            Err(SubmitError::Unavailable(error)) => return Err(error),
            Err(SubmitError::KeyReused) => {
                let refused = refused(
                    Code::IdempotencyKeyReused,
                    "the client job id belongs to another command",
                );
                return self
                    .reject(delivery, producer_message, Some(&request), refused)
                    .await;
            }
            Err(SubmitError::TooLarge { limit }) => too_large(bytes.len() as u64, limit),
            Err(SubmitError::UnsupportedMediaType(types)) => {
                let name = attributes::CONTENT_TYPE;
                of_code(
                    Code::UnsupportedMediaType,
                    format!("{name} is to be one of {}", types.join(", ")),
                )
            }
            Err(SubmitError::Payload(PayloadError::Malformed {
                line,
                column,
                detail,
            })) => of_code(
                Code::MalformedJson,
                format!("the payload is no JSON: {detail} at line {line}, column {column}"),
            ),
            Err(SubmitError::Payload(PayloadError::Invalid(errors))) => {
                let errors: Vec<_> = errors
                    .iter()
                    .map(|error| format!("{} {}", error.pointer, error.detail))
                    .collect();
                of_code(
                    Code::InvalidPayload,
                    format!("the payload is refused: {}", errors.join("; ")),
                )
            }
            // None of these is said of what is asked here; should one be, the dead letters will have it.
            Err(
                SubmitError::UnknownCommand
                | SubmitError::KeyRequired
                | SubmitError::UploadNotFound
                | SubmitError::PartsMissing { .. }
                | SubmitError::TooLate(_)
                | SubmitError::Conflict,
            ) => return Ok(Disposition::Keep),
        };
        self.fail(
            delivery,
            producer_message,
            command,
            &request,
            &bytes,
            failure,
        )
        .await
    }

    /// Records the job, and that it failed.
    async fn fail(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
        command: &Command,
        request: &ProducerCommand,
        bytes: &Bytes,
        failure: Failure,
    ) -> Result<Disposition, PortError> {
        let Submit {
            store,
            host,
            meter,
            namespace,
            ..
        } = &self.submit;
        let now = host.now();
        let content_type = request.content_type.as_deref().unwrap_or_default();
        let (digest, length) = (Digest::of(bytes), bytes.len() as u64);
        let new = NewJob {
            id: namespace.job_id(&request.tenant, &request.client_job_id),
            tenant: request.tenant.clone(),
            client_job_id: Some(request.client_job_id.clone()),
            fingerprint: Fingerprint::of(
                &request.command,
                &request.query,
                content_type,
                &digest,
                length,
            ),
            command: request.command.clone(),
            retention: command.limits().retention,
            not_before: None,
        };
        let mut job = Job::accept(new, now);
        match store.accept(&job).await? {
            Acceptance::Created => meter.count(&request.command, Fact::Accepted),
            Acceptance::Exists(existing) if existing.fingerprint == job.fingerprint => {
                job = *existing
            }
            Acceptance::Exists(_) => {
                let refused = refused(
                    Code::IdempotencyKeyReused,
                    "the client job id belongs to another command",
                );
                return self
                    .reject(delivery, producer_message, Some(request), refused)
                    .await;
            }
        }
        let code = failure.code.clone();
        if let Some(transition) = Verdict::of_refused(&job, failure, now)
            && let Change::Made(job) = store.change(&job.key(), &transition).await?
        {
            tracing::warn!(job_id = %job.id, code, "failed the job of a producer's message");
            meter.count(
                &request.command,
                Fact::Failed {
                    code,
                    run_time: None,
                },
            );
        }
        Ok(Disposition::Done)
    }

    /// Stores a message that no job can be recorded of among the dead letters, with the reason.
    async fn reject(
        &self,
        delivery: &Delivery,
        producer_message: &ProducerMessage,
        request: Option<&ProducerCommand>,
        Refused { code, detail }: Refused,
    ) -> Result<Disposition, PortError> {
        let body = dead_letter_body(delivery, producer_message, Some((code, &detail)));
        self.dead_letters
            .store(&keys::dead_letter(None, &delivery.message_id), &body)
            .await?;
        tracing::error!(
            message_id = delivery.message_id,
            code,
            detail,
            "kept a producer's message among the dead letters"
        );
        let fact = Fact::Dead {
            code: code.to_owned(),
        };
        self.submit.meter.record(&Measure {
            command: request.map(|request| request.command.clone()),
            fact,
        });
        Ok(Disposition::Done)
    }
}

/// Returns the body of the dead letter for a producer's message, with the reason if it is known.
pub(crate) fn dead_letter_body(
    delivery: &Delivery,
    producer_message: &ProducerMessage,
    refused: Option<(&str, &str)>,
) -> String {
    let refused = refused.map(|(code, detail)| json!({ "code": code, "detail": detail }));
    let sent_at = producer_message.sent_at.map(|at| at.to_string());
    let ProducerMessage { attributes, .. } = producer_message;
    json!({ "refused": refused, "sent_at": sent_at, "attributes": attributes, "body": delivery.body }).to_string()
}

fn of_code(code: Code, detail: String) -> Failure {
    Failure::new(detail)
        .with_code(code.as_str())
        .with_status(code.status())
}

fn too_large(bytes: u64, limit: u64) -> Failure {
    of_code(
        Code::PayloadTooLarge,
        format!("the payload has {bytes} bytes, and the command takes {limit}"),
    )
}

#[cfg(test)]
mod tests;
