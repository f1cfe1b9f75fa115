//! End of an attempt: recording it, and the consequences.

use std::time::Duration;

use cloakroom_core::{AttemptEnd, Job, LeaseToken, Status, Transition};
use tokio::time::{Instant, sleep, timeout_at};

use super::message::JobMessage;
use super::outcome::{count, delete_payload};
use crate::attempt::ports::AttemptPorts;
use crate::command::Command;
use crate::delivery::Disposition;
use crate::ports::{Change, PortError};

/// Time before the function's timeout at which a worker stops trying to record the end of an attempt.
const LAST_CHANCE: Duration = Duration::from_millis(1500);

/// Maximum delay between two tries to record the end of an attempt.
const LONGEST_WAIT_TO_SETTLE: Duration = Duration::from_secs(10);

/// Maximum number of times that recording is repeated because the job changed concurrently.
const CHANGES_TO_SETTLE: u32 = 10;

/// An attempt that has ended, but whose end is not recorded yet.
pub(super) struct Settlement<'a> {
    pub(super) ports: AttemptPorts<'a>,
    pub(super) message: JobMessage<'a>,
    pub(super) command: &'a Command,
    pub(super) token: LeaseToken,
    pub(super) run_time: Duration,
}

/// Meaning of a record that rejected the end of an attempt.
enum Refused {
    /// The client requested cancellation since the last heartbeat. Record the end again, based on this job.
    Cancelling(Box<Job>),
    /// An earlier try succeeded, but its response was lost.
    Settled(Box<Job>),
    /// Another worker holds the lease.
    LeaseLost,
}

impl Settlement<'_> {
    /// Records the end of an attempt. Retries while the table is unavailable, because the work is done and only its
    /// record is missing. Just before the function's timeout, the message is sent again with the note that the attempt
    /// does not count.
    pub(super) async fn settle(&self, mut job: Job, end: AttemptEnd) -> Disposition {
        let (store, host) = (&self.ports.shared.store, &self.ports.shared.host);
        let last_chance = self.last_chance(&job);
        let (mut tries, mut changes) = (0, 0);
        loop {
            let (now, unit) = (host.now(), host.unit());
            let retry = &self.command.limits().retry;
            let transition = Transition::settle(&job, self.token, end.clone(), retry, now, unit);
            let written = timeout_at(last_chance, store.change_unseen(&job, &transition)).await;
            match written.unwrap_or_else(|_| Err(no_answer())) {
                Ok(Change::Made(job)) => return self.settled(&job).await,
                Ok(Change::Refused(found)) => match self.refused(found, changes) {
                    Refused::Cancelling(found) => {
                        job = *found;
                        changes += 1;
                    }
                    Refused::Settled(found) => return self.settled(&found).await,
                    Refused::LeaseLost => {
                        tracing::warn!("lost the lease: the outcome of this attempt was discarded");
                        return Disposition::Keep;
                    }
                },
                Err(error) => {
                    if let Err(disposition) = self.wait(&error, tries, last_chance).await {
                        return disposition;
                    }
                    tries += 1;
                }
            }
        }
    }

    /// Returns the time at which the last try to record the end must be complete.
    fn last_chance(&self, job: &Job) -> Instant {
        let host = &self.ports.shared.host;
        let ends_at = job
            .lease
            .as_ref()
            .and_then(|lease| lease.ends_at)
            .unwrap_or_else(|| host.now());
        let left = ends_at.since(host.now()).saturating_sub(LAST_CHANCE);
        Instant::now() + left.max(Duration::from_millis(500))
    }

    /// Returns the meaning of a record that rejected the write.
    fn refused(&self, found: Option<Box<Job>>, changes: u32) -> Refused {
        match found.filter(|job| self.holds_lease(job)) {
            Some(found) if found.status == Status::Cancelling && changes < CHANGES_TO_SETTLE => {
                Refused::Cancelling(found)
            }
            Some(found) if !matches!(found.status, Status::Running | Status::Cancelling) => {
                Refused::Settled(found)
            }
            _ => Refused::LeaseLost,
        }
    }

    fn holds_lease(&self, job: &Job) -> bool {
        job.lease
            .as_ref()
            .is_some_and(|lease| lease.token == self.token)
    }

    /// Waits before the next try. If no time is left for one, returns the disposition of the message.
    async fn wait(
        &self,
        error: &PortError,
        tries: u32,
        last_chance: Instant,
    ) -> Result<(), Disposition> {
        let wait = Duration::from_millis(200 << tries.min(6)).min(LONGEST_WAIT_TO_SETTLE);
        if Instant::now() + wait >= last_chance {
            return Err(self
                .message
                .resend_unrecorded(self.token, error, "record the end of the attempt")
                .await);
        }
        tracing::warn!(%error, "failed to record the end of the attempt; retrying");
        if wait > Duration::from_secs(2) {
            self.message.hide(self.ports.settings.lease + wait).await;
        }
        sleep(wait).await;
        Ok(())
    }

    /// Counts and logs the end of an attempt after it is recorded.
    async fn settled(&self, job: &Job) -> Disposition {
        let host = &self.ports.shared.host;
        count(&*self.ports.shared.meter, job, Some(self.run_time));
        delete_payload(&self.ports, self.message.envelope, job).await;
        let now = host.now();
        let code = job
            .failure
            .as_ref()
            .filter(|_| job.status != Status::Succeeded)
            .map(|failure| failure.code.as_str());
        let (age_ms, run_time_ms) = (millis(now.since(job.created_at)), millis(self.run_time));
        tracing::info!(
            status = job.status.as_str(),
            attempt = job.attempt,
            age_ms,
            run_time_ms,
            code,
            "ended an attempt"
        );
        if job.status.is_terminal() {
            Disposition::Done
        } else {
            self.message.redeliver(job.ready_at.since(now)).await
        }
    }
}

/// Returns the error of a call that was abandoned.
fn no_answer() -> PortError {
    PortError::Unavailable {
        service: "the table",
        reason: "no response before the function's end".to_owned(),
    }
}

/// Converts a duration for the log, which would write a 128-bit number as text.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_logged_in_milliseconds() {
        assert_eq!(millis(Duration::from_micros(1_500_900)), 1500);
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
