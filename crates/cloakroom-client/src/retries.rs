//! Retries of one request: the decision for another attempt, and its delay.

use std::time::Duration;

use crate::Error;
use crate::retry::{Again, Repeat, Retry};
use crate::settings::Settings;

/// Attempts of one request. The time limit counts from the first failure.
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

    /// Waits for the next attempt.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no other attempt is allowed.
    pub(crate) async fn pause(&mut self, again: Again, repeat: Repeat) -> Result<(), Error> {
        let settings = self.settings;
        let clock = &settings.clock;
        self.attempts += 1;
        let now = clock.now();
        let spent = now.saturating_sub(*self.first_failure.get_or_insert(now));
        // The jitter is added to `Retry-After`: clients that received the same value must not return at the same time.
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
