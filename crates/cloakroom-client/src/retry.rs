//! Asking again: whether, and when.

use std::time::Duration;

use reqwest::StatusCode;

use crate::answer::Answer;
use crate::{Client, Error};

/// Another attempt that is about to be made, for those who watch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retry {
    /// The attempt that brought no answer, from 1.
    pub attempt: u32,
    /// What it brought.
    pub reason: String,
    /// How long the client waits before the next one.
    pub wait: Duration,
}

/// Whether a request may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It changes nothing, or carries a key.
    Safe,
    /// Only if the service can't have acted on it.
    UnlessReached,
}

/// An attempt that brought no answer.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the service may have acted on it.
    pub(crate) reached: bool,
}

impl Again {
    pub(crate) fn broken(error: reqwest::Error) -> Self {
        Self {
            reached: !error.is_connect(),
            reason: crate::error::chain(error),
            retry_after: None,
        }
    }
}

/// The attempts at one answer. Their limit in time counts from the first failure, however long that took to come.
pub(crate) struct Retries<'a> {
    client: &'a Client,
    attempts: u32,
    first_failure: Option<Duration>,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(client: &'a Client) -> Self {
        Self {
            client,
            attempts: 0,
            first_failure: None,
        }
    }

    /// Waits for the next attempt; fails as [`Error::Unavailable`] when there is to be none.
    pub(crate) async fn pause(&mut self, again: Again, repeat: Repeat) -> Result<(), Error> {
        let settings = &self.client.inner.settings;
        let clock = &settings.clock;
        self.attempts += 1;
        let now = clock.now();
        let spent = now.saturating_sub(*self.first_failure.get_or_insert(now));
        // Those who are told the same time don't come back at the same time: the jitter is on top.
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

/// Fresh links that are requested in a row for links that expired.
const MOST_RENEWALS: u32 = 3;

/// Fresh links for one upload, part or result.
///
/// A presigned link ends with its own time, or with the session of the role that signed it (`ExpiredToken`). Storage does not
/// always name the reason, so any other 403 gets one fresh link too.
#[derive(Debug, Default)]
pub(crate) struct Renewals(u32);

impl Renewals {
    /// Decides if a fresh link is requested after this answer of the storage.
    pub(crate) fn renew(&mut self, answer: &Answer) -> bool {
        let most = match answer.storage_code().as_deref() {
            Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => MOST_RENEWALS,
            _ if answer.status == StatusCode::FORBIDDEN => 1,
            _ => 0,
        };
        self.0 += 1;
        self.0 <= most
    }
}
