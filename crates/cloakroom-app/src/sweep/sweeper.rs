//! A single look at some jobs.

use std::sync::Arc;

use cloakroom_core::transition::Verdict;
use cloakroom_core::{JobKey, Timestamp};
use futures::StreamExt as _;

use crate::meter::{Fact, Measure};
use crate::ports::{Change, PortError, Queue, QueueState};
use crate::shared::Shared;

/// Number of jobs that are examined concurrently.
const SIDE_BY_SIDE: usize = 16;

/// The use case, with its ports.
#[derive(Clone)]
pub struct Sweeper {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Queue of commands.
    pub queue: Arc<dyn Queue>,
}

/// Result of sweeping some jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// Open jobs, with the time of the next look at each.
    pub open: Vec<(JobKey, Timestamp)>,
    /// Number of jobs that were ended.
    pub ended: usize,
    /// Number of jobs whose records can't be read. They are skipped: a retry would not help, and would block all
    /// others.
    pub unreadable: usize,
}

impl SweepReport {
    /// Returns the earliest time of the next look; `None` if all jobs have ended.
    pub fn next(&self) -> Option<Timestamp> {
        earliest(&self.open)
    }
}

pub(super) fn earliest(open: &[(JobKey, Timestamp)]) -> Option<Timestamp> {
    open.iter().map(|(_, at)| *at).min()
}

impl Sweeper {
    /// Examines these jobs, and ends those that are abandoned. After an error, some may have ended: repeat the whole
    /// call.
    pub async fn sweep(&self, jobs: &[JobKey]) -> Result<SweepReport, PortError> {
        if jobs.is_empty() {
            return Ok(SweepReport::default());
        }
        let queue = self.queue.state().await?;
        let looks: Vec<_> = jobs.iter().map(|key| self.look_at(key, queue)).collect();
        let mut looks = futures::stream::iter(looks).buffered(SIDE_BY_SIDE);
        let mut looked = SweepReport::default();
        while let Some(look) = looks.next().await {
            match look {
                Ok(Look::Over) => {}
                Ok(Look::Ended) => looked.ended += 1,
                Ok(Look::Open(key, at)) => looked.open.push((key, at)),
                Err(error @ PortError::Unreadable { .. }) => {
                    self.shared.meter.record(&Measure {
                        command: None,
                        fact: Fact::Unreadable,
                    });
                    tracing::error!(%error, "skipped a job whose record can't be read; the previous line names it");
                    looked.unreadable += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(looked)
    }

    async fn look_at(&self, key: &JobKey, queue: QueueState) -> Result<Look, PortError> {
        let job = self.shared.store.load(key).await?;
        let now = self.shared.host.now();
        let transition = match Verdict::for_sweep(job.as_ref(), queue.cycle, queue.backlog, now) {
            Verdict::Over | Verdict::Another => return Ok(Look::Over),
            Verdict::Wait(at) => return Ok(Look::Open(key.clone(), at)),
            Verdict::End(transition) => transition,
        };
        match self.shared.store.change(key, &transition).await? {
            Change::Made(job) => {
                self.shared.meter.count(&job.command, Fact::Swept);
                let code = job.failure.as_ref().map(|failure| failure.code.as_str());
                tracing::error!(
                    job_id = %key.id, tenant = %key.tenant, command = %job.command,
                    status = job.status.as_str(), attempts = job.attempt, code, "ended an abandoned job"
                );
                Ok(Look::Ended)
            }
            // The job changed concurrently: look again after another cycle.
            Change::Refused(_) => Ok(Look::Open(key.clone(), now.after(queue.cycle))),
        }
    }
}

enum Look {
    Over,
    Ended,
    Open(JobKey, Timestamp),
}

#[cfg(test)]
mod tests;
