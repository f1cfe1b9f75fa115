//! Redrive: an operator lists stored dead letters, and sends selected ones back to the queue.
//!
//! The job is reset first, then its message is sent, and the dead letter is deleted last. After a crash between two
//! steps, a second redrive finds the job `accepted`, and sends the message again.

use std::sync::Arc;

use cloakroom_core::{Job, JobKey, Status, Tenant, Transition};

use crate::ports::{Change, DeadLetterStore, PortError, Queue, keys};
use crate::shared::Shared;

/// The use cases, with their ports.
#[derive(Clone)]
pub struct Redrive {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Queue of commands.
    pub queue: Arc<dyn Queue>,
    /// Store of dead letters.
    pub dead_letters: Arc<dyn DeadLetterStore>,
}

/// A stored dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Key in the store.
    pub key: String,
    /// Job of the dead letter; `None` if Cloakroom did not write the message.
    pub job: Option<JobKey>,
    /// Current job; `None` if it does not exist or has expired.
    pub record: Option<Job>,
}

/// Outcome of redriving a dead letter.
#[derive(Debug, Clone, PartialEq)]
pub enum RedriveOutcome {
    /// The job is accepted again, and its message was sent.
    Sent,
    /// The redrive was rejected for this reason.
    Rejected(&'static str),
}

impl Redrive {
    /// Lists a page of dead letters of one tenant or of all, starting after a key. An empty page means the end.
    pub async fn list(
        &self,
        tenant: Option<&Tenant>,
        after: Option<&str>,
    ) -> Result<Vec<DeadLetter>, PortError> {
        let prefix =
            tenant.map_or_else(|| keys::DEAD_LETTERS.to_owned(), keys::dead_letters_prefix);
        let mut letters = Vec::new();
        for key in self.dead_letters.list(&prefix, after).await? {
            let job = keys::job_of_dead_letter(&key);
            let record = match &job {
                Some(job) => self
                    .shared
                    .store
                    .load(job)
                    .await?
                    .filter(|job| job.is_alive(self.shared.host.now())),
                None => None,
            };
            letters.push(DeadLetter { key, job, record });
        }
        Ok(letters)
    }

    /// Resets the job of a dead letter to `accepted`, and sends its message.
    pub async fn send(&self, letter: &DeadLetter) -> Result<RedriveOutcome, PortError> {
        let Some(key) = &letter.job else {
            return Ok(RedriveOutcome::Rejected(
                "it is not a message of this service",
            ));
        };
        let Some(body) = self.dead_letters.read(&letter.key).await? else {
            return Ok(RedriveOutcome::Rejected("it is no longer stored"));
        };
        let found = self.shared.store.load(key).await?;
        let now = self.shared.host.now();
        let Some(job) = found.filter(|job| job.is_alive(now)) else {
            return Ok(RedriveOutcome::Rejected(
                "its job has expired; submit the command again",
            ));
        };
        match job.status {
            Status::Failed => match self
                .shared
                .store
                .change(key, &Transition::redrive(&job, now))
                .await?
            {
                Change::Made(_) => {}
                Change::Refused(_) => {
                    return Ok(RedriveOutcome::Rejected(
                        "its job has changed; list the dead letters again",
                    ));
                }
            },
            // The job was reset before, but the message may not have been sent. A second message is harmless.
            Status::Accepted => {}
            Status::Running | Status::Retrying | Status::Cancelling => {
                return Ok(RedriveOutcome::Rejected("its job is running"));
            }
            Status::Succeeded => return Ok(RedriveOutcome::Rejected("its job succeeded")),
            Status::Cancelled => return Ok(RedriveOutcome::Rejected("its job was cancelled")),
        }
        self.queue
            .send(&key.tenant, body, job.ready_at.since(now), None)
            .await?;
        self.dead_letters.remove(&letter.key).await?;
        tracing::info!(job_id = %key.id, tenant = %key.tenant, "redrove a dead letter");
        Ok(RedriveOutcome::Sent)
    }
}

#[cfg(test)]
mod tests;
