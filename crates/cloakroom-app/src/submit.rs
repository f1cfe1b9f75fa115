//! Submission of a command. The order of effects is: check, claim check, record, send. Only then is the command
//! accepted.
//!
//! A crash can follow each step. A repeated submission continues from there:
//! - An object without a record is an orphan. A retry overwrites it with the same bytes, or its lifecycle rule deletes
//!   it.
//! - A record without a message is `accepted`, and a retry sends the message again. A second message is harmless: the
//!   claim of an attempt is a conditional write, so only one message succeeds.

mod accept;
mod payload;
mod submission;
mod uploads;
mod validate;

use std::sync::Arc;

use cloakroom_core::{CommandType, Fingerprint, Job, JobId, Namespace, NewJob, Timestamp};

use accept::Accepting;
use payload::ValidPayload;
pub use submission::{
    Body, Condition, DIGEST_LIMIT, INLINE_LIMIT, MEDIA_TYPE_LIMIT, SCHEDULED_LIMIT, Submission,
    SubmitError, Submitted,
};
use uploads::UploadFinder;
use validate::check_body;

use crate::command::Command;
use crate::listeners::Listeners;
use crate::ports::{Objects, PartUploads, Queue};
use crate::registry::Registry;
use crate::shared::Shared;

/// The use case, with its ports.
#[derive(Clone)]
pub struct Submit {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Queue of commands.
    pub queue: Arc<dyn Queue>,
    /// Store of payloads and results.
    pub objects: Arc<dyn Objects>,
    /// Multipart uploads, in the same store.
    pub parts: Arc<dyn PartUploads>,
    /// Accepted commands.
    pub commands: Registry,
    /// Namespace of derived job ids.
    pub namespace: Namespace,
    /// Maximum size in bytes of a message that contains its payload; see [`INLINE_LIMIT`].
    pub inline_limit: usize,
    /// Listeners that the deployment permits.
    pub listeners: Listeners,
}

impl Submit {
    /// Returns the command of a type.
    pub fn command(&self, name: &CommandType) -> Result<&Command, SubmitError> {
        self.commands.get(name).ok_or(SubmitError::UnknownCommand)
    }

    /// Accepts a command, or returns the job that was accepted before.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        self.submit_if(submission, &|_| true).await
    }

    /// Accepts a command, or returns the job that was accepted before, if the condition holds.
    ///
    /// The condition is evaluated with `None` before a job is recorded, and with the existing job of the key. A
    /// submission that would be rejected anyway is rejected regardless of the condition.
    pub async fn submit_if(
        &self,
        submission: Submission,
        holds: Condition<'_>,
    ) -> Result<Submitted, SubmitError> {
        let host = &self.shared.host;
        let command = self.command(&submission.command)?;
        let (now, retention) = (host.now(), command.limits().retention);
        let not_before = submission.not_before.map(|at| host.at(at));
        let payload = self.validate(command, &submission, now).await?;
        let events = self.listeners.complete(submission.events.clone())?;
        let job = Job::accept(
            NewJob {
                id: self.job_id(&submission),
                tenant: submission.tenant,
                client_job_id: submission.client_job_id,
                fingerprint: Fingerprint::new(
                    command.name(),
                    &submission.query,
                    &payload.content_type,
                    &payload.sha256,
                    payload.length,
                ),
                command: submission.command,
                retention,
                not_before,
                events,
            },
            now,
        );
        let accepting = Accepting {
            shared: &self.shared,
            queue: &*self.queue,
            objects: &*self.objects,
            inline_limit: self.inline_limit,
            job,
            query: &submission.query,
            payload,
            trace: submission.trace,
            holds,
        };
        accepting.accept().await
    }

    /// Checks everything that can be checked before anything is recorded.
    async fn validate(
        &self,
        command: &Command,
        submission: &Submission,
        now: Timestamp,
    ) -> Result<ValidPayload, SubmitError> {
        let limits = command.limits();
        if limits.key_required && submission.client_job_id.is_none() {
            return Err(SubmitError::KeyRequired);
        }
        if submission
            .not_before
            .is_some_and(|at| self.shared.host.at(at) > now.after(limits.retention))
        {
            return Err(SubmitError::TooLate(limits.retention));
        }
        let query = &submission.query;
        match &submission.body {
            Body::Sent {
                content_type,
                bytes,
            } => check_body(command, query, content_type.as_deref(), bytes, limits.body),
            Body::Fetched {
                content_type,
                bytes,
            } => check_body(
                command,
                query,
                content_type.as_deref(),
                bytes,
                limits.upload,
            ),
            Body::Uploaded(id) => {
                let finder = UploadFinder {
                    shared: &self.shared,
                    objects: &*self.objects,
                    parts: &*self.parts,
                    command,
                    tenant: &submission.tenant,
                    query,
                };
                finder.find(*id).await
            }
        }
    }

    fn job_id(&self, submission: &Submission) -> JobId {
        match (&submission.client_job_id, &submission.body) {
            (Some(id), _) => self.namespace.job_id(&submission.tenant, id),
            (None, Body::Uploaded(upload)) => {
                self.namespace.job_id_of_upload(&submission.tenant, *upload)
            }
            (None, Body::Sent { .. } | Body::Fetched { .. }) => {
                JobId::from_uuid(self.shared.host.uuid())
            }
        }
    }
}

#[cfg(test)]
mod tests;
