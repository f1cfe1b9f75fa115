//! The attempts at one answer: whether another is made, and when.

use std::time::Duration;

use crate::Error;
use crate::retry::{Again, Repeat, Retry};
use crate::settings::Settings;

/// The attempts at one answer. Their limit in time counts from the first failure, however long that took to come.
pub(crate) struct Retries<'a> {
    settings: &'a Settings,
    attempts: u32,
    first_failure: Option<Duration>,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            attempts: 0,
            first_failure: None,
        }
    }

    /// Waits for the next attempt; fails as [`Error::Unavailable`] when no other attempt is allowed.
    pub(crate) async fn pause(&mut self, again: Again, repeat: Repeat) -> Result<(), Error> {
        let settings = self.settings;
        let clock = &settings.clock;
        self.attempts += 1;
        let now = clock.now();
        let spent = now.saturating_sub(*self.first_failure.get_or_insert(now));
        // Clients that got the same `Retry-After` must not come back at the same time: the jitter is added to it.
        let wait = match again.retry_after {
            Some(told) => told.saturating_add(settings.retry.delay(1, clock.unit())),
            None => settings.retry.delay(self.attempts, clock.unit()),
        };
        let late =
            settings.retry_within.is_zero() || spent.saturating_add(wait) > settings.retry_within;
        let unsafe_to_repeat = again.reached && repeat == Repeat::UnlessReached;
        if late || unsafe_to_repeat || self.attempts >= settings.retry.max_attempts {
            let Again {
                reason,
                retry_after,
                ..
            } = again;
            return Err(Error::Unavailable {
                attempts: self.attempts,
                reason,
                retry_after,
            });
        }
        if let Some(report) = &settings.on_retry {
            report(&Retry {
                attempt: self.attempts,
                reason: again.reason,
                wait,
            });
        }
        clock.sleep(wait).await;
        Ok(())
    }
}
