//! Queries of accepted jobs, and cancellation: poll, find, cancel, result.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{ClientJobId, Job, JobKey, Namespace, Status, Tenant, Transition};
use tokio::time::Instant;

use crate::changes::ChangeWatch;
use crate::links::Links;
use crate::meter::Fact;
use crate::ports::{Change, Objects, PortError};
use crate::publish::Publisher;
use crate::shared::Shared;

/// Maximum duration of a long poll.
pub const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// Validity of a link to a result.
pub const RESULT_LINK_LIFE: Duration = Duration::from_secs(15 * 60);

/// Maximum number of writes that a conditional cancellation tries while the job changes concurrently.
const MOST_CHANGES: u32 = 5;

/// Outcome of a request to cancel a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancellation {
    /// The job is cancelled, by this request or an earlier one. No attempt was running.
    Cancelled(Box<Job>),
    /// The job is running, and its worker was requested to stop.
    Requested(Box<Job>),
    /// The job had already succeeded or failed.
    Finished(Box<Job>),
    /// The condition does not hold, and nothing was changed.
    Changed,
    /// The job does not exist or has expired.
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
    /// Deliveries of events. `None` where they are not needed.
    pub publisher: Option<Publisher>,
    /// Links that can be shared. `None` where they are not needed.
    pub links: Option<Links>,
}

impl Jobs {
    /// Returns the current job. `None` if it does not exist or has expired.
    pub async fn get(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        let job = self.shared.store.load(key).await?;
        Ok(job.filter(|job| job.is_alive(self.shared.host.now())))
    }

    /// Returns the job once it has ended or `changed` is true, or after the wait (at most [`LONGEST_WAIT`]).
    pub async fn wait(
        &self,
        key: &JobKey,
        wait: Duration,
        changed: impl Fn(&Job) -> bool + Send,
    ) -> Result<Option<Job>, PortError> {
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        let mut watch = self.shared.store.watch(key);
        // A delay of 0.1 s is not noticeable. One read per second is cheap even for the longest wait.
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
            watch.wait(pause, left).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }

    /// Follows a job for at most `time`, from the version after `cursor`.
    pub fn follow(&self, key: JobKey, cursor: Option<u64>, time: Duration) -> Follow {
        Follow {
            watch: self.shared.store.watch(&key),
            jobs: self.clone(),
            key,
            cursor,
            until: Instant::now() + time,
        }
    }

    /// Returns the tenant's job with this client job id.
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

    /// Cancels a job, or requests its worker to stop.
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
            // The job is running: request cancellation. If its status changes first, the returned record shows that.
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
                    // The job changed between the two writes. The request was not recorded, so the client has to retry.
                    Status::Accepted | Status::Running | Status::Retrying => {
                        return Err(overtaken());
                    }
                },
            },
        )
    }

    /// Cancels a job, or requests its worker to stop, if the condition holds at the time of the write. A job that has
    /// succeeded or failed is [`Finished`](Cancellation::Finished) whatever the condition.
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
        tracing::info!(job_id = %job.id, tenant = %job.tenant, "cancelled a job before it started");
        Cancellation::Cancelled(job)
    }

    /// Returns a presigned link to a result in object storage.
    pub async fn result_link(&self, key: &str) -> Result<String, PortError> {
        self.objects.link(key, RESULT_LINK_LIFE).await
    }
}

/// Interval of reads while a job is followed, where its changes are not known otherwise.
const FOLLOW_PAUSE: Duration = Duration::from_secs(1);

/// A job that a request follows.
pub struct Follow {
    jobs: Jobs,
    key: JobKey,
    watch: ChangeWatch,
    cursor: Option<u64>,
    until: Instant,
}

impl Follow {
    /// Returns the job if it is newer than the cursor, and moves the cursor. Waits at most `silence` for that.
    pub async fn next(&mut self, silence: Duration) -> Result<FollowStep, PortError> {
        let quiet = Instant::now() + silence;
        loop {
            let Some(job) = self.jobs.get(&self.key).await? else {
                return Ok(FollowStep::End);
            };
            if self.cursor.is_none_or(|cursor| job.version > cursor) {
                self.cursor = Some(job.version);
                return Ok(FollowStep::Changed(Box::new(job)));
            }
            let now = Instant::now();
            if job.status.is_terminal() || now >= self.until {
                return Ok(FollowStep::End);
            }
            if now >= quiet {
                return Ok(FollowStep::Silence);
            }
            let left = self.until.min(quiet).saturating_duration_since(now);
            self.watch.wait(FOLLOW_PAUSE, left).await;
        }
    }
}

/// Next event of a job that a request follows.
#[derive(Debug, Clone, PartialEq)]
pub enum FollowStep {
    /// The job has changed.
    Changed(Box<Job>),
    /// The job has not changed for a while.
    Silence,
    /// The job has ended or expired, or the time has passed.
    End,
}

fn overtaken() -> PortError {
    PortError::Unavailable {
        service: "the table",
        reason: "the job changed while it was cancelled".into(),
    }
}

#[cfg(test)]
mod tests;
