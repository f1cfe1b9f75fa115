//! Polling: values for `Retry-After`, and the estimated end of a job.

use std::time::Duration;

use crate::{Job, Status, Timestamp};

/// Minimum and maximum value of `Retry-After`, in seconds.
pub const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=30;

/// Returns the number of seconds that a client should wait before it polls again, 1 to 30.
///
/// - If the worker reported progress: the time until the estimated end.
/// - If the job waits for an attempt: the time until that attempt is due.
/// - Otherwise, and when that time has passed: a fifth of the job's age. On average, the client learns of the end after
///   half of that interval, so polling adds about a tenth to the duration of a job.
pub fn retry_after(job: &Job, now: Timestamp) -> u64 {
    let planned = match job.status {
        Status::Running => job.estimated_finish_at,
        // An accepted job waits for the time that its client set.
        Status::Accepted | Status::Retrying => Some(job.ready_at),
        Status::Cancelling | Status::Succeeded | Status::Failed | Status::Cancelled => None,
    };
    match planned {
        // Rounded up, so that the client doesn't poll too early.
        Some(at) if at > now => in_range(at.since(now).as_millis().div_ceil(1000)),
        _ => retry_after_age(now.since(job.created_at)),
    }
}

/// Returns the value of `Retry-After` for a job of this age that has no planned time: a fifth of the age.
pub fn retry_after_age(age: Duration) -> u64 {
    in_range((age / 5).as_millis().saturating_add(500) / 1000)
}

fn in_range(seconds: u128) -> u64 {
    seconds
        .try_into()
        .unwrap_or(u64::MAX)
        .clamp(*RETRY_AFTER_SECONDS.start(), *RETRY_AFTER_SECONDS.end())
}

/// Extrapolates the end of work that started at `started_at` and is `percent` done. Returns `None` if the progress is
/// too low for an estimate.
pub fn estimate(started_at: Timestamp, now: Timestamp, percent: f64) -> Option<Timestamp> {
    if !(percent > 0.0 && percent <= 100.0) {
        return None;
    }
    let rest = now.since(started_at).as_secs_f64() * (100.0 - percent) / percent;
    // An estimate of a year or more is not useful.
    (rest < 31_536_000.0).then(|| now.after(Duration::from_secs_f64(rest)))
}

#[cfg(test)]
mod tests;
