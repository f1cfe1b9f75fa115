//! Limits of a command.

use std::time::Duration;

use cloakroom_core::RetryPolicy;

/// Maximum length of a body in bytes: Lambda's 6 MB of input, less a third for Base64.
pub const BODY_LIMIT: u64 = 4 * 1024 * 1024;

/// Minimum retention: longer than any lease or retry delay, so that no job expires during an attempt.
pub(super) const SHORTEST_RETENTION: Duration = Duration::from_secs(3600);

/// Maximum retention, 500 days: fits into the last of [`RESULT_DAYS`].
pub(super) const LONGEST_RETENTION: Duration = Duration::from_secs(500 * DAY);

const DAY: u64 = 24 * 3600;

/// Maximum number of attempts: a record stores the steps of each.
pub(super) const MOST_ATTEMPTS: u32 = 100;

/// Supported retentions of results in object storage, in days. Each has a key prefix with a lifecycle rule.
pub const RESULT_DAYS: [u32; 6] = [1, 2, 8, 32, 128, 512];

/// Limits of a command.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum length of a body in bytes; at most [`BODY_LIMIT`].
    pub body: u64,
    /// Maximum length of an upload in bytes.
    pub upload: u64,
    /// Timeout of an attempt.
    pub timeout: Duration,
    /// Number of attempts, and the delays between them.
    pub retry: RetryPolicy,
    /// Maximum time that a job waits for its first attempt.
    pub start_within: Option<Duration>,
    /// Retention of a job after its end.
    pub retention: Duration,
    /// Retention of a result in object storage after the end, if it is shorter than the job's.
    pub result_retention: Option<Duration>,
    /// True if a submission requires an `Idempotency-Key`.
    pub key_required: bool,
    /// Maximum memory of an attempt in bytes. `None` means the length of the body, if the handler holds it in memory.
    pub memory: Option<u64>,
}

impl Limits {
    /// Returns the retention of a result in object storage, if it is shorter than the job's.
    pub(crate) fn shorter_result(&self) -> Option<Duration> {
        self.result_retention.filter(|time| *time < self.retention)
    }

    /// Returns the number of days for which results are stored: one of [`RESULT_DAYS`].
    pub fn result_days(&self) -> u32 {
        // The result is written before the job ends, but within the lifetime of a function.
        let needed = self.shorter_result().unwrap_or(self.retention) + Duration::from_secs(3600);
        let days = |days: u32| Duration::from_secs(u64::from(days) * DAY);
        RESULT_DAYS
            .into_iter()
            .find(|it| days(*it) >= needed)
            .unwrap_or(u32::MAX)
    }

    /// Returns the maximum duration of all attempts and the delays between them.
    pub(crate) fn all_attempts(&self) -> Duration {
        (self.timeout + self.retry.cap) * self.retry.max_attempts
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: BODY_LIMIT,
            upload: 64 * 1024 * 1024,
            timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            retention: Duration::from_secs(24 * 3600),
            start_within: None,
            result_retention: None,
            key_required: false,
            memory: None,
        }
    }
}
