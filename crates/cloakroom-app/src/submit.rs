//! Submit: check, claim check, record, send; in that order, and only then is it accepted.
//!
//! Each step can be the last one before a crash, and the same submission again goes on from there:
//! - an object without a record is an orphan, written over with the same bytes by the retry, or gone by its lifecycle;
//! - a record without a message is `accepted`, and a retry sends the message again. A second message is harmless: the
//!   claim of an attempt is a conditional write, and only one message's claim holds.

mod named;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::problem::FieldError;
use cloakroom_core::{
    ClientJobId, CommandType, Digest, Fingerprint, Job, JobId, Namespace, NewJob, Status, Tenant,
    Timestamp, UploadId,
};

use crate::command::{Command, Registry, Takes};
use crate::envelope::{Envelope, PayloadRef, RequestTrace};
use crate::host::Host;
use crate::meter::{Fact, Meter};
use crate::payload::PayloadError;
use crate::ports::{
    Acceptance, JobStore, LONGEST_DELAY, ObjectInfo, Objects, PartsRecord, PortError, Queue,
    ReadError, keys,
};

/// The largest message that carries its payload itself, in bytes: beyond it a claim check is cheaper, by the table of prices.
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 1 MiB, a message's own limit"
)]
pub const INLINE_LIMIT: usize = cloakroom_core::cost::inline::LIMIT as usize;

/// The largest message that is sent much later: what `EventBridge` Scheduler takes is 256 KB, as JSON in JSON.
pub const SCHEDULED_LIMIT: usize = 128 * 1024;

/// The most characters of a media type, its parameters counted.
pub const MEDIA_TYPE_LIMIT: usize = 255;

/// The largest upload that is read for its digest, where neither client nor store said one: 256 MiB, some seconds within the
/// gateway's 29. A larger one is told from others by its `ETag`.
pub const DIGEST_LIMIT: u64 = 256 * 1024 * 1024;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who asks.
    pub tenant: Tenant,
    /// For what.
    pub command: CommandType,
    /// Under which id of its own.
    pub client_job_id: Option<ClientJobId>,
    /// The payload.
    pub body: Body,
    /// The query string, as sent, without its `?`.
    pub query: String,
    /// When it may begin, if not at once.
    pub not_before: Option<Timestamp>,
    /// Trace of the request.
    pub trace: RequestTrace,
}

/// Where the payload of a submission is.
#[derive(Debug, Clone)]
pub enum Body {
    /// In the request.
    Sent {
        /// The `Content-Type`, as sent.
        content_type: Option<String>,
        /// The bytes.
        bytes: Bytes,
    },
    /// Fetched from where a producer keeps it: as large as an upload may be.
    Fetched {
        /// The media type, as the producer said it.
        content_type: Option<String>,
        /// The bytes.
        bytes: Bytes,
    },
    /// In a finished upload.
    Uploaded(UploadId),
}

/// Condition on the job that a submission's key names already; `None` stands for no such job.
pub type Condition<'c> = &'c (dyn Fn(Option<&Job>) -> bool + Send + Sync);

/// A job that was accepted, now or before.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether it was there already.
    pub replayed: bool,
}

/// A submission that is refused. Nothing was recorded, but of `Unavailable`, where it may have been: ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// No command of this type is registered.
    UnknownCommand,
    /// The command asks for a client job id.
    KeyRequired,
    /// The command takes these media types.
    UnsupportedMediaType(&'static [&'static str]),
    /// The payload has more than so many bytes.
    TooLarge {
        /// The limit that it breaks.
        limit: u64,
    },
    /// The payload is refused.
    Payload(PayloadError),
    /// No upload of this id is ready for this job.
    UploadNotFound,
    /// Of the upload, which has so many parts, some are not there yet.
    PartsMissing {
        /// Their numbers.
        missing: Vec<u32>,
        /// How many there are to be.
        parts: u32,
    },
    /// It is to begin later than jobs of this command are kept: so long from now at most.
    TooLate(Duration),
    /// The client job id belongs to another command.
    KeyReused,
    /// The condition does not hold, and nothing was changed.
    Conflict,
    /// A port failed.
    Unavailable(PortError),
}

impl From<PortError> for SubmitError {
    fn from(error: PortError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<ReadError> for SubmitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Port(error) => Self::Unavailable(error),
            // It has to be uploaded again.
            ReadError::Corrupted => Self::UploadNotFound,
        }
    }
}

/// The use case, over its ports.
#[derive(Clone)]
pub struct Submit {
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
    /// What can be asked for.
    pub commands: Registry,
    /// What job ids are derived in.
    pub namespace: Namespace,
    /// The largest message, in bytes, that carries its payload itself; see [`INLINE_LIMIT`].
    pub inline_limit: usize,
}

/// A payload that was checked, and where it is until the job has it.
struct Checked {
    content_type: String,
    sha256: Digest,
    length: u64,
    source: Source,
}

enum Source {
    Bytes(Bytes),
    /// Upload: the end of the time to name it, the record of one in parts, and whether it is known to be UTF-8.
    Upload {
        id: UploadId,
        until: Timestamp,
        parts: Option<Box<PartsRecord>>,
        text: bool,
        info: ObjectInfo,
        /// Whether the digest is only of what names this state of it.
        unread: bool,
        /// Set if its bytes were deleted at the end of its job: it is good for a replay alone.
        gone: bool,
    },
}

/// A message that is written.
struct Message {
    envelope: Envelope,
    body: String,
}

impl Message {
    fn of(envelope: Envelope) -> Self {
        Self {
            body: envelope.write(),
            envelope,
        }
    }
}

impl Submit {
    /// The command of a type.
    pub fn command(&self, name: &CommandType) -> Result<&Command, SubmitError> {
        self.commands.get(name).ok_or(SubmitError::UnknownCommand)
    }

    /// Accepts a command, or finds that it was accepted before.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        self.submit_if(submission, &|_| true).await
    }

    /// Accepts a command, or finds that it was accepted before, if the condition holds. It is asked of no job before one is
    /// recorded, and of the job that is found under the key. A rejected submission is rejected whatever the condition.
    pub async fn submit_if(
        &self,
        submission: Submission,
        holds: Condition<'_>,
    ) -> Result<Submitted, SubmitError> {
        let command = self.command(&submission.command)?;
        let (now, retention) = (self.host.now(), command.limits().retention);
        let not_before = submission.not_before.map(|at| self.host.at(at));
        let checked = self.check(command, &submission, now).await?;
        let job = Job::accept(
            NewJob {
                id: self.job_id(&submission),
                tenant: submission.tenant,
                client_job_id: submission.client_job_id,
                fingerprint: Fingerprint::of(
                    command.name(),
                    &submission.query,
                    &checked.content_type,
                    &checked.sha256,
                    checked.length,
                ),
                command: submission.command,
                retention,
                not_before,
            },
            now,
        );
        // The upload may be another job's by now, and needs not be taken again: unless the job still waits for a message. That
        // may need a copy of the upload, as the one before carried the payload itself.
        let settled = |existing: &Job| {
            existing.is_alive(job.created_at)
                && (existing.status != Status::Accepted || existing.fingerprint != job.fingerprint)
        };
        if let Source::Upload { .. } = checked.source
            && let Some(existing) = self.store.load(&job.key()).await?.filter(settled)
        {
            let envelope = stored(&job, &submission.query, &checked, submission.trace);
            return self.replay(&job, existing, envelope, holds).await;
        }
        if let Source::Upload { gone: true, .. } = checked.source {
            return Err(SubmitError::UploadNotFound);
        }
        if !holds(None) {
            return self
                .replay_only(&job, &submission.query, checked, submission.trace, holds)
                .await;
        }
        let Message { envelope, body } = self
            .check_in(&job, &submission.query, checked, submission.trace)
            .await?;
        match self.store.accept(&job).await? {
            // Without a key what is found may be the very job: the adapter wrote it, lost the answer, and tried again.
            Acceptance::Exists(existing) if job.client_job_id.is_some() || *existing != job => {
                self.replay(&job, *existing, envelope, holds).await
            }
            Acceptance::Created | Acceptance::Exists(_) => {
                let delay = job.ready_at.since(job.created_at);
                let sent = self
                    .queue
                    .send(&job.tenant, body, delay, envelope.xray.as_deref())
                    .await;
                // Recorded, whatever became of the message; and only now, so that its line goes along with the request's own.
                self.meter.count(&job.command, Fact::Accepted);
                sent?;
                tracing::debug!(job_id = %job.id, tenant = %job.tenant, command = %job.command, "accepted a job");
                Ok(Submitted {
                    job,
                    replayed: false,
                })
            }
        }
    }

    /// Checks all of a submission that can be checked before anything is recorded.
    async fn check(
        &self,
        command: &Command,
        submission: &Submission,
        now: Timestamp,
    ) -> Result<Checked, SubmitError> {
        let limits = command.limits();
        if limits.key_required && submission.client_job_id.is_none() {
            return Err(SubmitError::KeyRequired);
        }
        if submission
            .not_before
            .is_some_and(|at| self.host.at(at) > now.after(limits.retention))
        {
            return Err(SubmitError::TooLate(limits.retention));
        }
        match &submission.body {
            Body::Sent {
                content_type,
                bytes,
            } => check_body(
                command,
                &submission.query,
                content_type.as_deref(),
                bytes,
                limits.body,
            ),
            Body::Fetched {
                content_type,
                bytes,
            } => check_body(
                command,
                &submission.query,
                content_type.as_deref(),
                bytes,
                limits.upload,
            ),
            Body::Uploaded(id) => self.check_upload(command, submission, *id).await,
        }
    }

    fn job_id(&self, submission: &Submission) -> JobId {
        match (&submission.client_job_id, &submission.body) {
            (Some(id), _) => self.namespace.job_id(&submission.tenant, id),
            (None, Body::Uploaded(upload)) => {
                self.namespace.job_id_of_upload(&submission.tenant, *upload)
            }
            (None, Body::Sent { .. } | Body::Fetched { .. }) => JobId::from_uuid(self.host.uuid()),
        }
    }

    /// Finds the job that was accepted before, and records none.
    async fn replay_only(
        &self,
        asked: &Job,
        query: &str,
        checked: Checked,
        trace: RequestTrace,
        holds: Condition<'_>,
    ) -> Result<Submitted, SubmitError> {
        let existing = if asked.client_job_id.is_some() {
            self.store.load(&asked.key()).await?
        } else {
            None
        };
        let existing = existing
            .filter(|job| job.is_alive(asked.created_at))
            .ok_or(SubmitError::Conflict)?;
        // The submission that recorded it may have died before it sent the message.
        let unsent =
            existing.status == Status::Accepted && existing.fingerprint == asked.fingerprint;
        let envelope = if unsent && holds(Some(&existing)) {
            self.check_in(asked, query, checked, trace).await?.envelope
        } else {
            stored(asked, query, &checked, trace)
        };
        self.replay(asked, existing, envelope, holds).await
    }

    async fn replay(
        &self,
        asked: &Job,
        existing: Job,
        envelope: Envelope,
        holds: Condition<'_>,
    ) -> Result<Submitted, SubmitError> {
        if asked.client_job_id.is_none() {
            // Without a key the job was found by its upload, which serves it and no other request.
            return Err(SubmitError::UploadNotFound);
        }
        if existing.fingerprint != asked.fingerprint {
            return Err(SubmitError::KeyReused);
        }
        if !holds(Some(&existing)) {
            return Err(SubmitError::Conflict);
        }
        if existing.status == Status::Accepted {
            // Whoever recorded it may have died before it sent the message; a second one does no harm.
            let delay = existing.ready_at.since(self.host.now());
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
        self.meter.count(&existing.command, Fact::Replayed);
        Ok(Submitted {
            job: existing,
            replayed: true,
        })
    }

    /// Puts the payload where the worker will find it, before anything refers to it.
    async fn check_in(
        &self,
        job: &Job,
        query: &str,
        checked: Checked,
        trace: RequestTrace,
    ) -> Result<Message, SubmitError> {
        let key = || keys::payload(&job.key(), &checked.sha256);
        match &checked.source {
            Source::Bytes(bytes) => {
                let much_later = job.ready_at.since(job.created_at) > LONGEST_DELAY;
                let limit = if much_later {
                    self.inline_limit.min(SCHEDULED_LIMIT)
                } else {
                    self.inline_limit
                };
                if bytes.len() < limit {
                    let payload = PayloadRef::from_bytes(bytes);
                    let envelope = Envelope::new(
                        job,
                        &checked.content_type,
                        query,
                        payload,
                        &checked.sha256,
                        trace.clone(),
                    );
                    let message = Message::of(envelope);
                    if message.body.len() <= limit {
                        return Ok(message);
                    }
                }
                self.objects
                    .put(&key(), &checked.content_type, bytes.clone())
                    .await?;
            }
            Source::Upload {
                id,
                until,
                parts,
                info,
                ..
            } => {
                // As long as the upload can be named it is known whose it is, however short the job is kept.
                if !self
                    .store
                    .take_upload(&job.tenant, *id, job.id, job.expires_at.max(*until))
                    .await?
                {
                    return Err(SubmitError::UploadNotFound);
                }
                match parts {
                    // Among the payloads already. They go with the job's end, and a replay is known by the digest.
                    Some(record) if record.known_digest() != Some(checked.sha256) => {
                        let digest = Some(checked.sha256);
                        self.store
                            .keep_upload(&PartsRecord {
                                digest,
                                ..PartsRecord::clone(record)
                            })
                            .await?;
                    }
                    Some(_) => {}
                    None => {
                        if !self
                            .objects
                            .copy(&keys::upload(&job.tenant, *id), info, &key())
                            .await?
                        {
                            return Err(SubmitError::UploadNotFound);
                        }
                    }
                }
            }
        }
        Ok(Message::of(stored(job, query, &checked, trace)))
    }
}

/// Checks that the command accepts an upload's declared media type and length.
fn check_description(
    command: &Command,
    content_type: &str,
    length: u64,
) -> Result<(), SubmitError> {
    accepted_media_type(command, content_type)?;
    let limit = command.limits().upload;
    if length > limit {
        Err(SubmitError::TooLarge { limit })
    } else {
        Ok(())
    }
}

fn stored(job: &Job, query: &str, checked: &Checked, trace: RequestTrace) -> Envelope {
    let key = match checked.source {
        Source::Upload {
            id, parts: Some(_), ..
        } => keys::parts(&job.tenant, id),
        Source::Upload { .. } | Source::Bytes(_) => keys::payload(&job.key(), &checked.sha256),
    };
    let envelope = Envelope::new(
        job,
        &checked.content_type,
        query,
        PayloadRef::Stored(key),
        &checked.sha256,
        trace,
    );
    let (text, unread) = match &checked.source {
        Source::Bytes(bytes) => (std::str::from_utf8(bytes).is_ok(), false),
        Source::Upload { text, unread, .. } => (*text, *unread),
    };
    match (text, unread) {
        (true, _) => envelope.with_text_length(checked.length),
        (false, true) => envelope.with_unverified_length(checked.length),
        (false, false) => envelope.with_length(checked.length),
    }
}

fn check_body(
    command: &Command,
    query: &str,
    content_type: Option<&str>,
    bytes: &Bytes,
    limit: u64,
) -> Result<Checked, SubmitError> {
    // A client that names no type is taken at the word of a command that takes one only.
    let content_type = match (content_type, command.media_types()) {
        (Some(sent), _) => sent,
        (None, [only]) => only,
        (None, several) => return Err(SubmitError::UnsupportedMediaType(several)),
    };
    let content_type = accepted_media_type(command, content_type)?;
    let length = bytes.len() as u64;
    if length > limit {
        return Err(SubmitError::TooLarge { limit });
    }
    if let (Takes::Binary(_), true) = (command.takes(), bytes.is_empty()) {
        let error = FieldError::new(
            "",
            "the body is empty; send the bytes as the body, or name a finished upload by Upload-Id",
        );
        return Err(SubmitError::Payload(PayloadError::Invalid(vec![error])));
    }
    command.check(query, bytes).map_err(SubmitError::Payload)?;
    Ok(Checked {
        content_type,
        sha256: Digest::of(bytes),
        length,
        source: Source::Bytes(bytes.clone()),
    })
}

/// Other names of media types, as some programs and browsers write them.
const ALIASES: [(&str, &str); 2] = [("image/jpg", "image/jpeg"), ("image/pjpeg", "image/jpeg")];

/// Returns the media type to record for what a client sent.
///
/// Parameters belong to text and JSON, where a `charset` other than UTF-8 makes another type. For other types, images
/// say, they mean nothing (`image/jpeg; charset=binary` is what `file -bi` prints): the type is recorded as the command
/// names it.
fn accepted_media_type(command: &Command, sent: &str) -> Result<String, SubmitError> {
    // It goes into messages and beside objects, where not every character may go.
    let held =
        sent.len() <= MEDIA_TYPE_LIMIT && sent.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~'));
    let mut parts = sent.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let alias = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(essence))
        .map(|&(_, name)| name);
    let known = command.media_types().iter().find(|known| {
        known.eq_ignore_ascii_case(essence)
            || alias.is_some_and(|name| known.eq_ignore_ascii_case(name))
    });
    let utf_8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    match known.filter(|_| held) {
        Some(known) if is_textual(known) && parts.all(utf_8) => Ok(sent.to_owned()),
        Some(known) if !is_textual(known) => Ok((*known).to_owned()),
        _ => Err(SubmitError::UnsupportedMediaType(command.media_types())),
    }
}

fn is_textual(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || media_type == "application/json"
        || media_type.ends_with("+json")
}

#[cfg(test)]
mod tests;
