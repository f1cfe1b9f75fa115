//! Limits of a command.

use std::time::Duration;

use cloakroom_core::RetryPolicy;

/// The most bytes of a body: 6 MB of a function's input, less a third for Base64.
pub const BODY_LIMIT: u64 = 4 * 1024 * 1024;

/// The shortest retention: longer than any lease or wait for a retry, so that no job expires while it is worked on.
pub(super) const SHORTEST_RETENTION: Duration = Duration::from_secs(3600);

/// The longest retention, 500 days: within the last of [`RESULT_DAYS`].
pub(super) const LONGEST_RETENTION: Duration = Duration::from_secs(500 * DAY);

const DAY: u64 = 24 * 3600;

/// The most attempts: a record stores the steps of each.
pub(super) const MOST_ATTEMPTS: u32 = 100;

/// Days for which object storage may store results. Each has a prefix, with a rule that deletes the objects below it.
pub const RESULT_DAYS: [u32; 6] = [1, 2, 8, 32, 128, 512];

/// Limits of a command.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes of a body; at most [`BODY_LIMIT`].
    pub body: u64,
    /// The most bytes of an upload.
    pub upload: u64,
    /// The longest time of an attempt.
    pub timeout: Duration,
    /// Attempts, and the waits between them.
    pub retry: RetryPolicy,
    /// The longest time that a job waits for its first attempt.
    pub start_within: Option<Duration>,
    /// Time for which a job is stored after its end.
    pub retention: Duration,
    /// Time for which a result in object storage is stored after the end, if that is less than the job's.
    pub result_retention: Option<Duration>,
    /// True if a submission must have an `Idempotency-Key`.
    pub key_required: bool,
    /// The most memory, in bytes, that an attempt may need. `None` is that of the body, if the handler holds it in memory.
    pub memory: Option<u64>,
}

impl Limits {
    /// Time for which a result in object storage is stored after the end, if that is less than the job's.
    pub(crate) fn shorter_result(&self) -> Option<Duration> {
        self.result_retention.filter(|time| *time < self.retention)
    }

    /// Days for which object storage stores its results: one of [`RESULT_DAYS`].
    pub fn result_days(&self) -> u32 {
        // It is written before the end, but within what a function lives.
        let needed = self.shorter_result().unwrap_or(self.retention) + Duration::from_secs(3600);
        let days = |days: u32| Duration::from_secs(u64::from(days) * DAY);
        RESULT_DAYS
            .into_iter()
            .find(|it| days(*it) >= needed)
            .unwrap_or(u32::MAX)
    }

    /// The longest time of all attempts, with the waits between them.
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
