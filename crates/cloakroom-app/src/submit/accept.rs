//! Acceptance: claim check, record, send, in this order.

use cloakroom_core::{Job, Status};

use super::payload::{NamedUpload, Source, UploadContent, UploadPlace, ValidPayload};
use super::submission::{Condition, SCHEDULED_LIMIT, SubmitError, Submitted};
use crate::envelope::{Envelope, PayloadRef, RequestTrace};
use crate::meter::Fact;
use crate::ports::{Acceptance, LONGEST_DELAY, Objects, PartsRecord, Queue, keys};
use crate::shared::Shared;

/// A valid submission that can be accepted.
pub(super) struct Accepting<'a> {
    pub(super) shared: &'a Shared,
    pub(super) queue: &'a dyn Queue,
    pub(super) objects: &'a dyn Objects,
    pub(super) inline_limit: usize,
    /// Job to record, unless one exists.
    pub(super) job: Job,
    pub(super) query: &'a str,
    pub(super) payload: ValidPayload,
    pub(super) trace: RequestTrace,
    pub(super) holds: Condition<'a>,
}

/// A serialized message.
struct Message {
    envelope: Envelope,
    body: String,
}

impl Message {
    fn new(envelope: Envelope) -> Self {
        Self {
            body: envelope.write(),
            envelope,
        }
    }
}

impl Accepting<'_> {
    /// Accepts the submission, or returns the job that was accepted before.
    pub(super) async fn accept(self) -> Result<Submitted, SubmitError> {
        // The upload may belong to another job by now. It must only be taken again if the job still waits for a
        // message. That message may require a copy of the upload, because the lost one may have contained the payload.
        if let Source::Upload(upload) = &self.payload.source {
            let existing = self.shared.store.load(&self.job.key()).await?;
            if let Some(existing) = existing.filter(|existing| self.is_settled(existing)) {
                return self.replay(existing, self.stored()).await;
            }
            if upload.content == UploadContent::Deleted {
                return Err(SubmitError::UploadNotFound);
            }
        }
        if !(self.holds)(None) {
            return self.replay_only().await;
        }
        let message = self.store_payload().await?;
        match self.shared.store.accept(&self.job).await? {
            // Without a key, the found record may be this job: the adapter wrote it, lost the response, and retried.
            Acceptance::Exists(existing)
                if self.job.client_job_id.is_some() || *existing != self.job =>
            {
                self.replay(*existing, message.envelope).await
            }
            Acceptance::Created | Acceptance::Exists(_) => self.send(message).await,
        }
    }

    /// Returns true if an existing job needs no message from this submission.
    fn is_settled(&self, existing: &Job) -> bool {
        existing.is_alive(self.job.created_at)
            && (existing.status != Status::Accepted || existing.fingerprint != self.job.fingerprint)
    }

    /// Sends the message of a recorded job.
    async fn send(self, message: Message) -> Result<Submitted, SubmitError> {
        let (job, Message { envelope, body }) = (self.job, message);
        let delay = job.ready_at.since(job.created_at);
        let sent = self
            .queue
            .send(&job.tenant, body, delay, envelope.xray.as_deref())
            .await;
        // Counted even if sending failed, because the job is recorded. Counted here, so that its line is written with
        // the request's.
        self.shared.meter.count(&job.command, Fact::Accepted);
        sent?;
        tracing::debug!(job_id = %job.id, tenant = %job.tenant, command = %job.command, "accepted a job");
        Ok(Submitted {
            job,
            replayed: false,
        })
    }

    /// Returns the job that was accepted before, and records none.
    async fn replay_only(&self) -> Result<Submitted, SubmitError> {
        let existing = if self.job.client_job_id.is_some() {
            self.shared.store.load(&self.job.key()).await?
        } else {
            None
        };
        let existing = existing
            .filter(|job| job.is_alive(self.job.created_at))
            .ok_or(SubmitError::Conflict)?;
        // The submission that recorded the job may have failed before it sent the message.
        let unsent =
            existing.status == Status::Accepted && existing.fingerprint == self.job.fingerprint;
        let envelope = if unsent && (self.holds)(Some(&existing)) {
            self.store_payload().await?.envelope
        } else {
            self.stored()
        };
        self.replay(existing, envelope).await
    }

    /// Returns a job that was accepted before, and sends its message if it may not have been sent.
    async fn replay(&self, existing: Job, envelope: Envelope) -> Result<Submitted, SubmitError> {
        if self.job.client_job_id.is_none() {
            // Without a key, the job was found by its upload, which can't be used by another request.
            return Err(SubmitError::UploadNotFound);
        }
        if existing.fingerprint != self.job.fingerprint {
            return Err(SubmitError::KeyReused);
        }
        if !(self.holds)(Some(&existing)) {
            return Err(SubmitError::Conflict);
        }
        if existing.status == Status::Accepted {
            // The submission that recorded the job may have failed before it sent the message. A second message is
            // harmless.
            let delay = existing.ready_at.since(self.shared.host.now());
            let envelope = envelope.for_job(&existing);
            self.queue
                .send(
                    &existing.tenant,
                    envelope.write(),
                    delay,
                    envelope.xray.as_deref(),
                )
                .await?;
        }
        self.shared.meter.count(&existing.command, Fact::Replayed);
        Ok(Submitted {
            job: existing,
            replayed: true,
        })
    }

    /// Stores the payload in the message or in the object store, before anything refers to it.
    async fn store_payload(&self) -> Result<Message, SubmitError> {
        let payload = &self.payload;
        match &payload.source {
            Source::Bytes(bytes) => {
                if let Some(message) = self.inline(bytes) {
                    return Ok(message);
                }
                let key = keys::payload(&self.job.key(), &payload.sha256);
                self.objects
                    .put(&key, &payload.content_type, bytes.clone())
                    .await?;
            }
            Source::Upload(upload) => self.take(upload).await?,
        }
        Ok(Message::new(self.stored()))
    }

    /// Returns a message that contains the payload, if it is small enough.
    fn inline(&self, bytes: &[u8]) -> Option<Message> {
        let (job, payload) = (&self.job, &self.payload);
        let much_later = job.ready_at.since(job.created_at) > LONGEST_DELAY;
        let limit = if much_later {
            self.inline_limit.min(SCHEDULED_LIMIT)
        } else {
            self.inline_limit
        };
        if bytes.len() >= limit {
            return None;
        }
        let message = Message::new(Envelope::new(
            job,
            &payload.content_type,
            self.query,
            PayloadRef::from_bytes(bytes),
            &payload.sha256,
            self.trace.clone(),
        ));
        (message.body.len() <= limit).then_some(message)
    }

    /// Assigns an upload to the job.
    async fn take(&self, upload: &NamedUpload) -> Result<(), SubmitError> {
        let (job, store) = (&self.job, &self.shared.store);
        // An open job expires later than any upload, so the owner is known for as long as the upload can be used.
        if !store
            .take_upload(&job.tenant, upload.id, job.id, job.expires_at)
            .await?
        {
            return Err(SubmitError::UploadNotFound);
        }
        let sha256 = self.payload.sha256;
        match &upload.place {
            // The object is already at its final key. It is deleted after the job's end, and a replay is recognized by
            // the digest.
            UploadPlace::Payloads(record) if record.known_digest() != Some(sha256) => {
                let record = PartsRecord {
                    digest: Some(sha256),
                    ..PartsRecord::clone(record)
                };
                store.keep_upload(&record).await?;
            }
            UploadPlace::Payloads(_) => {}
            UploadPlace::Uploads => {
                let from = keys::upload(&job.tenant, upload.id);
                let to = keys::payload(&job.key(), &sha256);
                if !self.objects.copy(&from, &upload.info, &to).await? {
                    return Err(SubmitError::UploadNotFound);
                }
            }
        }
        Ok(())
    }

    /// Returns the envelope of a message with a stored payload.
    fn stored(&self) -> Envelope {
        let (job, payload) = (&self.job, &self.payload);
        let own_key = || keys::payload(&job.key(), &payload.sha256);
        let key = match &payload.source {
            Source::Bytes(_) => own_key(),
            Source::Upload(upload) => match &upload.place {
                UploadPlace::Uploads => own_key(),
                UploadPlace::Payloads(_) => keys::parts(&job.tenant, upload.id),
            },
        };
        let envelope = Envelope::new(
            job,
            &payload.content_type,
            self.query,
            PayloadRef::Stored(key),
            &payload.sha256,
            self.trace.clone(),
        );
        let content = match &payload.source {
            Source::Bytes(bytes) if std::str::from_utf8(bytes).is_ok() => UploadContent::Text,
            Source::Bytes(_) => UploadContent::Digested,
            Source::Upload(upload) => upload.content,
        };
        match content {
            UploadContent::Text => envelope.with_text_length(payload.length),
            UploadContent::Unread => envelope.with_unverified_length(payload.length),
            UploadContent::Digested | UploadContent::Deleted => {
                envelope.with_length(payload.length)
            }
        }
    }
}
