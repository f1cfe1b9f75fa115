//! Polling until a job has ended.

use std::time::Duration;

use cloakroom_core::view::JobView;

use crate::{Ask, Client, Error, Poll};

/// Least time between polls. It limits the polls of a job that changes all the time.
const SPACING: Duration = Duration::from_millis(200);

/// Least duration of a poll that the service held as requested.
const HELD: Duration = Duration::from_secs(1);

/// Delay before the next poll if the service sent none.
const UNTOLD: Duration = Duration::from_secs(2);

impl Client {
    /// Waits until a job has ended, without a time limit. Calls `on_update` with each state that it sees, including the last one,
    /// and returns the job if it succeeded.
    ///
    /// Uses long polls if the service supports them, and follows `Retry-After` otherwise. Dropping the future does not stop the
    /// job.
    ///
    /// # Errors
    /// - [`Error::JobFailed`] or [`Error::JobCancelled`] if the job ended so
    /// - [`Error::Unavailable`] if one poll has used up its retries
    pub async fn wait(
        &self,
        job: &str,
        mut on_update: impl FnMut(&JobView),
    ) -> Result<JobView, Error> {
        let settings = &self.inner.settings;
        let mut etag: Option<String> = None;
        let mut seen: Option<JobView> = None;
        loop {
            let began = settings.clock.now();
            // Without an entity tag the service would hold the response until the job ends, and hide the states before.
            let wait_seconds = if etag.is_some() {
                settings.long_poll_seconds
            } else {
                0
            };
            let (changed, retry_after) = match self
                .poll(
                    job,
                    Ask {
                        etag: etag.as_deref(),
                        wait_seconds,
                    },
                )
                .await?
            {
                Poll::Unchanged { retry_after } => (false, retry_after),
                Poll::Job(snapshot) => {
                    if seen.as_ref() != Some(&snapshot.job) {
                        on_update(&snapshot.job);
                    }
                    if snapshot.job.status.is_terminal() {
                        return snapshot.into_outcome();
                    }
                    let changed = snapshot.etag.is_some() && snapshot.etag != etag;
                    etag = snapshot.etag;
                    seen = Some(snapshot.job);
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
            settings.clock.sleep(pause).await;
        }
    }
}
