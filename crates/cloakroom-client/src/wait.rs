//! Waiting until a job has ended, by its events and by polls.

use std::time::Duration;

use cloakroom_core::view::JobView;

use crate::follow::{Followed, Follower};
use crate::{Ask, Client, Error, Poll, Snapshot};

/// Least time between polls. It limits the polls of a job that changes all the time.
const SPACING: Duration = Duration::from_millis(200);

/// Least duration of a poll that the service held as requested.
const HELD: Duration = Duration::from_secs(1);

/// Delay before the next poll if the service sent none.
const UNTOLD: Duration = Duration::from_secs(2);

/// State of a wait between two polls.
#[derive(Default)]
struct Known {
    etag: Option<String>,
    job: Option<JobView>,
}

/// Result of one poll of a wait.
enum Polled {
    Ended(Box<Snapshot>),
    /// The job has not ended. The next poll follows after a pause.
    Pending {
        pause: Duration,
    },
}

impl Client {
    /// Waits until a job has ended, without a time limit. Calls `on_update` with each state that it sees, including the last one,
    /// and returns the job if it succeeded.
    ///
    /// Follows the events of the job if the service serves them. Otherwise uses long polls, or follows `Retry-After`. Dropping the
    /// future does not stop the job.
    ///
    /// # Errors
    /// - [`Error::JobFailed`] or [`Error::JobCancelled`] if the job ended so
    /// - [`Error::Unavailable`] if one poll has used up its retries
    pub async fn wait(
        &self,
        job: &str,
        mut on_update: impl FnMut(&JobView),
    ) -> Result<JobView, Error> {
        let mut follower = Follower::new(self, job);
        let mut known = Known::default();
        loop {
            let mut pause = match self.poll_state(job, &mut known, &mut on_update).await? {
                Polled::Ended(snapshot) => return snapshot.into_outcome(),
                Polled::Pending { pause } => pause,
            };
            if known.job.as_ref().is_some_and(|it| follower.can_follow(it)) {
                let following = follower.follow(|job| {
                    on_update(&job);
                    known.job = Some(job);
                });
                match following.await {
                    Followed::ToEnd => {
                        known.etag = None;
                        continue;
                    }
                    Followed::Interrupted { retry_after } => {
                        pause = pause.max(retry_after.unwrap_or_default());
                    }
                }
            }
            self.inner.settings.clock.sleep(pause).await;
        }
    }

    /// Polls once, and reports a state that is new.
    async fn poll_state(
        &self,
        job: &str,
        known: &mut Known,
        on_update: &mut impl FnMut(&JobView),
    ) -> Result<Polled, Error> {
        let settings = &self.inner.settings;
        let began = settings.clock.now();
        // Without an entity tag the service would hold the response until the job ends, and hide the states before.
        let wait_seconds = if known.etag.is_some() {
            settings.long_poll_seconds
        } else {
            0
        };
        let ask = Ask {
            etag: known.etag.as_deref(),
            wait_seconds,
        };
        let (changed, retry_after) = match self.poll(job, ask).await? {
            Poll::Unchanged { retry_after } => (false, retry_after),
            Poll::Job(snapshot) => {
                if known.job.as_ref() != Some(&snapshot.job) {
                    on_update(&snapshot.job);
                }
                if snapshot.job.status.is_terminal() {
                    return Ok(Polled::Ended(snapshot));
                }
                let changed = snapshot.etag.is_some() && snapshot.etag != known.etag;
                known.etag = snapshot.etag;
                known.job = Some(snapshot.job);
                (changed, snapshot.retry_after)
            }
        };
        let took = settings.clock.now().saturating_sub(began);
        let holds = settings.long_poll_seconds > 0 && (changed || took >= HELD);
        let pause = if holds {
            SPACING.saturating_sub(took)
        } else {
            retry_after.unwrap_or(UNTOLD).max(SPACING)
        };
        Ok(Polled::Pending { pause })
    }
}
