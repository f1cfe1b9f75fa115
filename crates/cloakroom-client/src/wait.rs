//! Polling to the end.

use std::time::Duration;

use cloakroom_core::view::JobView;

use crate::{Ask, Client, Error, Poll};

/// The least time from poll to poll, so that a job that changes all the time is not asked for all the time.
const SPACING: Duration = Duration::from_millis(200);

/// A poll that took so long was held by the service, as it was asked to.
const HELD: Duration = Duration::from_secs(1);

/// When to come back if the service does not say.
const UNTOLD: Duration = Duration::from_secs(2);

impl Client {
    /// Waits until a job is over, however long that takes, and is called back with each of its states, the last one
    /// included. The job's success is the answer; otherwise [`Error::JobFailed`] or [`Error::JobCancelled`].
    ///
    /// Holds a poll open as long as the service lets it, and else comes back as told by `Retry-After`. Goes on through
    /// failures of the service and of the network; fails as [`Error::Unavailable`] only when one poll has used up the
    /// limits of asking again. The job goes on whether anyone waits for it or not.
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
            // Without an entity tag the service would hold the answer up to the end, and its states would go unseen.
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
