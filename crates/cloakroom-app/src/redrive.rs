//! Redrive: an operator looks at the dead letters that are kept, and sends chosen ones back to work.
//!
//! The job is reset first, then its message is sent, and the letter is forgotten last: a crash between any two leaves a job
//! that a second redrive finds `accepted` and sends again.

use std::sync::Arc;

use cloakroom_core::{Job, JobKey, Status, Tenant, Transition};

use crate::host::Host;
use crate::ports::{Change, JobStore, Letters, PortError, Queue, keys};

/// The use cases, over their ports.
#[derive(Clone)]
pub struct Redrive {
    /// The table.
    pub store: Arc<dyn JobStore>,
    /// The queue of commands.
    pub queue: Arc<dyn Queue>,
    /// Where dead letters are kept.
    pub letters: Arc<dyn Letters>,
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
}

/// A dead letter that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// Where.
    pub key: String,
    /// Its job; `None` of a message that is none of ours.
    pub job: Option<JobKey>,
    /// The job as it is now; `None` when it is unknown or expired.
    pub record: Option<Job>,
}

/// What came of sending a letter back.
#[derive(Debug, Clone, PartialEq)]
pub enum Redriven {
    /// Its job is accepted again, and the message sent.
    Sent,
    /// It is refused, for this reason.
    Refused(&'static str),
}

impl Redrive {
    /// A page of letters after the key of the last one, of one tenant or of all; empty at the end.
    pub async fn list(
        &self,
        tenant: Option<&Tenant>,
        after: Option<&str>,
    ) -> Result<Vec<Letter>, PortError> {
        let prefix = tenant.map_or_else(|| keys::LETTERS.to_owned(), keys::letters_of);
        let mut letters = Vec::new();
        for key in self.letters.list(&prefix, after).await? {
            let job = keys::job_of_letter(&key);
            let record = match &job {
                Some(job) => self
                    .store
                    .load(job)
                    .await?
                    .filter(|job| job.is_alive(self.host.now())),
                None => None,
            };
            letters.push(Letter { key, job, record });
        }
        Ok(letters)
    }

    /// Sends a letter back to work, with its job reset to `accepted`.
    pub async fn send(&self, letter: &Letter) -> Result<Redriven, PortError> {
        let Some(key) = &letter.job else {
            return Ok(Redriven::Refused("it is no message of ours"));
        };
        let Some(body) = self.letters.read(&letter.key).await? else {
            return Ok(Redriven::Refused("it is kept no longer"));
        };
        let found = self.store.load(key).await?;
        let now = self.host.now();
        let Some(job) = found.filter(|job| job.is_alive(now)) else {
            return Ok(Redriven::Refused(
                "its job is gone; submit the command again",
            ));
        };
        match job.status {
            Status::Failed => match self
                .store
                .change(key, &Transition::redrive(&job, now))
                .await?
            {
                Change::Made(_) => {}
                Change::Refused(_) => {
                    return Ok(Redriven::Refused(
                        "its job changed meanwhile; look at it again",
                    ));
                }
            },
            // Reset before, and perhaps never sent: a second message does no harm.
            Status::Accepted => {}
            Status::Running | Status::Retrying | Status::Cancelling => {
                return Ok(Redriven::Refused("its job is running"));
            }
            Status::Succeeded => return Ok(Redriven::Refused("its job succeeded")),
            Status::Cancelled => return Ok(Redriven::Refused("its job was cancelled")),
        }
        self.queue
            .send(&key.tenant, body, job.ready_at.since(now), None)
            .await?;
        self.letters.forget(&letter.key).await?;
        tracing::info!(job_id = %key.id, tenant = %key.tenant, "sent a dead letter back");
        Ok(Redriven::Sent)
    }
}

#[cfg(test)]
mod tests;
