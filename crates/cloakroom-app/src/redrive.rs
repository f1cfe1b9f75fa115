//! Redrive: an operator looks at the dead letters that are kept, and sends chosen ones back to work.
//!
//! The job is reset first, then its message is sent, and the letter is forgotten last: a crash between any two leaves a job
//! that a second redrive finds `accepted` and sends again.

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
    /// Its job; `None` if the message is not one of ours.
    pub job: Option<JobKey>,
    /// The job as it is now; `None` when it is unknown or expired.
    pub record: Option<Job>,
}

/// Outcome of sending a dead letter back.
#[derive(Debug, Clone, PartialEq)]
pub enum RedriveOutcome {
    /// Its job is accepted again, and the message sent.
    Sent,
    /// It is rejected, for this reason.
    Rejected(&'static str),
}

impl Redrive {
    /// Lists a page of dead letters after the key of the last one, of one tenant or of all. The last page is empty.
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

    /// Sends a dead letter back to work, with its job reset to `accepted`.
    pub async fn send(&self, letter: &DeadLetter) -> Result<RedriveOutcome, PortError> {
        let Some(key) = &letter.job else {
            return Ok(RedriveOutcome::Rejected("it is no message of ours"));
        };
        let Some(body) = self.dead_letters.read(&letter.key).await? else {
            return Ok(RedriveOutcome::Rejected("it is kept no longer"));
        };
        let found = self.shared.store.load(key).await?;
        let now = self.shared.host.now();
        let Some(job) = found.filter(|job| job.is_alive(now)) else {
            return Ok(RedriveOutcome::Rejected(
                "its job is gone; submit the command again",
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
                        "its job changed meanwhile; look at it again",
                    ));
                }
            },
            // Reset before, and perhaps never sent: a second message does no harm.
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
        tracing::info!(job_id = %key.id, tenant = %key.tenant, "sent a dead letter back");
        Ok(RedriveOutcome::Sent)
    }
}

#[cfg(test)]
mod tests;
