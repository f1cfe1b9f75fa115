//! Poll, find, cancel, result: what can be asked of a job that was accepted.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{ClientJobId, Job, JobKey, Namespace, Status, Tenant, Transition};
use tokio::time::{Instant, sleep};

use crate::meter::Fact;
use crate::ports::{Change, Objects, PortError};
use crate::shared::Shared;

/// The longest that a poll waits.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// How long a link to a result is good for.
pub const RESULT_LINK_LIFE: Duration = Duration::from_secs(15 * 60);

/// Most changes that a conditional cancellation follows before it reports that the outcome is unknown.
const MOST_CHANGES: u32 = 5;

/// Outcome of a request to cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancellation {
    /// It is cancelled, now or before; if now, it never ran.
    Cancelled(Box<Job>),
    /// It runs, and its worker is asked to stop.
    Requested(Box<Job>),
    /// It was over first.
    Finished(Box<Job>),
    /// The condition does not hold of it, and nothing was changed.
    Changed,
    /// There is no such job.
    Unknown,
}

/// The use cases, with their ports.
#[derive(Clone)]
pub struct Jobs {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Store of payloads and results.
    pub objects: Arc<dyn Objects>,
    /// Namespace of derived job ids.
    pub namespace: Namespace,
}

impl Jobs {
    /// The job as it is now; `None` when it is unknown or expired.
    pub async fn get(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        let job = self.shared.store.load(key).await?;
        Ok(job.filter(|job| job.is_alive(self.shared.host.now())))
    }

    /// The job once it is over or `changed`, or as it is when the wait (at most [`LONGEST_WAIT`]) is over.
    pub async fn wait(
        &self,
        key: &JobKey,
        wait: Duration,
        changed: impl Fn(&Job) -> bool + Send,
    ) -> Result<Option<Job>, PortError> {
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        // A tenth of a second is not felt; a second of reads is not much, even for the longest wait.
        let mut pause = Duration::from_millis(100);
        loop {
            let job = self.get(key).await?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero()
                || job
                    .as_ref()
                    .is_none_or(|job| job.status.is_terminal() || changed(job))
            {
                return Ok(job);
            }
            sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    /// The tenant's one job of this client job id.
    pub async fn find(
        &self,
        tenant: &Tenant,
        client_job_id: &ClientJobId,
    ) -> Result<Option<Job>, PortError> {
        let id = self.namespace.job_id(tenant, client_job_id);
        self.get(&JobKey {
            tenant: tenant.clone(),
            id,
        })
        .await
    }

    /// Cancels a job, or asks its worker to.
    pub async fn cancel(&self, key: &JobKey) -> Result<Cancellation, PortError> {
        let existing = match self
            .shared
            .store
            .change(key, &Transition::withdraw(self.shared.host.now()))
            .await?
        {
            Change::Made(job) => return Ok(self.withdrawn(job)),
            Change::Refused(existing) => existing,
        };
        let existing = match existing {
            // It runs: ask. Should it be over, or be waiting again, by then, what is found says so.
            Some(job) if job.status == Status::Running => {
                match self
                    .shared
                    .store
                    .change(key, &Transition::ask_to_cancel(self.shared.host.now()))
                    .await?
                {
                    Change::Made(job) => return Ok(Cancellation::Requested(job)),
                    Change::Refused(existing) => existing,
                }
            }
            existing => existing,
        };
        Ok(
            match existing.filter(|job| job.is_alive(self.shared.host.now())) {
                None => Cancellation::Unknown,
                Some(job) => match job.status {
                    Status::Cancelled => Cancellation::Cancelled(job),
                    Status::Succeeded | Status::Failed => Cancellation::Finished(job),
                    Status::Cancelling => Cancellation::Requested(job),
                    // It went on between the two writes. The request was not written: the client has to retry.
                    Status::Accepted | Status::Running | Status::Retrying => {
                        return Err(overtaken());
                    }
                },
            },
        )
    }

    /// Cancels a job, or asks its worker to, if the condition holds of it at the moment of the write. A job that has ended is
    /// [`Finished`](Cancellation::Finished) whatever the condition.
    pub async fn cancel_if(
        &self,
        key: &JobKey,
        holds: impl Fn(&Job) -> bool + Send,
    ) -> Result<Cancellation, PortError> {
        let mut current = self.get(key).await?;
        for _ in 0..MOST_CHANGES {
            let now = self.shared.host.now();
            let Some(job) = current.filter(|job| job.is_alive(now)) else {
                return Ok(Cancellation::Unknown);
            };
            let mut transition = match job.status {
                Status::Succeeded | Status::Failed => {
                    return Ok(Cancellation::Finished(Box::new(job)));
                }
                _ if !holds(&job) => return Ok(Cancellation::Changed),
                Status::Cancelled => return Ok(Cancellation::Cancelled(Box::new(job))),
                Status::Cancelling => return Ok(Cancellation::Requested(Box::new(job))),
                Status::Accepted | Status::Retrying => Transition::withdraw(now),
                Status::Running => Transition::ask_to_cancel(now),
            };
            (transition.guard.version, transition.guard.created_at) =
                (Some(job.version), Some(job.created_at));
            match self.shared.store.change(key, &transition).await? {
                Change::Made(job) if job.status == Status::Cancelled => {
                    return Ok(self.withdrawn(job));
                }
                Change::Made(job) => return Ok(Cancellation::Requested(job)),
                Change::Refused(existing) => current = existing.map(|job| *job),
            }
        }
        Err(overtaken())
    }

    fn withdrawn(&self, job: Box<Job>) -> Cancellation {
        self.shared
            .meter
            .count(&job.command, Fact::Cancelled { run_time: None });
        tracing::info!(job_id = %job.id, tenant = %job.tenant, "cancelled a job before it ran");
        Cancellation::Cancelled(job)
    }

    /// A link to a result that object storage holds.
    pub async fn result_link(&self, key: &str) -> Result<String, PortError> {
        self.objects.link(key, RESULT_LINK_LIFE).await
    }
}

fn overtaken() -> PortError {
    PortError::Unavailable {
        service: "the table",
        reason: "the job changed while it was cancelled".into(),
    }
}

#[cfg(test)]
mod tests;
