//! When to come back: the arithmetic of `Retry-After`, and of the estimated end.

use std::time::Duration;

use crate::{Job, Status, Timestamp};

/// The least and the most seconds that `Retry-After` may say.
pub const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=30;

/// How many seconds a client should wait before it polls again, 1 to 30.
///
/// The time to the estimated end where the worker reported progress; the time to the next attempt where one is
/// planned; else a fifth of the job's age: an end comes half of that before the next poll, so polls add a tenth to a job's
/// length. With fewer polls than that nobody learns of an end sooner, as no length is likelier than another.
pub fn retry_after(job: &Job, now: Timestamp) -> u64 {
    let planned = match job.status {
        Status::Running => job.estimated_finish_at,
        // Of an accepted job: the time that its client set.
        Status::Accepted | Status::Retrying => Some(job.ready_at),
        Status::Cancelling | Status::Succeeded | Status::Failed | Status::Cancelled => None,
    };
    let seconds = match planned {
        // Never before it.
        Some(at) if at > now => at.since(now).as_millis().div_ceil(1000),
        _ => {
            (now.since(job.created_at) / 5)
                .as_millis()
                .saturating_add(500)
                / 1000
        }
    };
    seconds
        .try_into()
        .unwrap_or(u64::MAX)
        .clamp(*RETRY_AFTER_SECONDS.start(), *RETRY_AFTER_SECONDS.end())
}

/// When work that is `percent` done will be over, going on as it did since `started_at`; `None` while that says nothing.
pub fn estimate(started_at: Timestamp, now: Timestamp, percent: f64) -> Option<Timestamp> {
    if !(percent > 0.0 && percent <= 100.0) {
        return None;
    }
    let rest = now.since(started_at).as_secs_f64() * (100.0 - percent) / percent;
    // A job does not run for a year; an estimate that says so says nothing.
    (rest < 31_536_000.0).then(|| now.after(Duration::from_secs_f64(rest)))
}

#[cfg(test)]
mod tests;
