//! When to come back: the arithmetic of `Retry-After`, and of the estimated end.

use std::time::Duration;

use crate::{Job, Status, Timestamp};

/// The least and the most seconds that `Retry-After` may say.
pub const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=30;

/// How many seconds a client should wait before it polls again, 1 to 30.
///
/// The time to the estimated end where the worker reported progress; the time to the next attempt where one is
/// planned; else a tenth of the job's age, so that polls add at most about a tenth to any job's length.
pub fn retry_after(job: &Job, now: Timestamp) -> u64 {
    let planned = match job.status {
        Status::Running => job.estimated_finish_at,
        // Of an accepted job: the time that its client set.
        Status::Accepted | Status::Retrying => Some(job.ready_at),
        Status::Cancelling | Status::Succeeded | Status::Failed | Status::Cancelled => None,
    };
    let wait = match planned {
        Some(at) if at > now => at.since(now),
        _ => now.since(job.created_at) / 10,
    };
    wait.as_millis()
        .div_ceil(1000)
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
mod tests {
    use super::*;
    use crate::job::tests::accepted;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn without_progress_the_advice_grows_with_age_from_1_to_30_seconds() {
        let job = accepted(at(0));
        assert_eq!([0, 5, 60, 150, 86_400].map(|age| retry_after(&job, at(age))), [1, 1, 6, 15, 30]);
    }

    #[test]
    fn with_progress_the_advice_is_the_time_to_the_estimated_end() {
        let mut job = accepted(at(0));
        job.status = Status::Running;
        job.estimated_finish_at = estimate(at(0), at(10), 50.0);
        assert_eq!(job.estimated_finish_at, Some(at(20)));
        assert_eq!(retry_after(&job, at(12)), 8);
        // The end is overdue: back to growing with age.
        assert_eq!(retry_after(&job, at(100)), 10);
    }

    #[test]
    fn a_job_that_begins_later_is_polled_seldom_until_then() {
        let mut job = accepted(at(0));
        job.ready_at = at(3600);
        assert_eq!([0, 3590, 3600].map(|now| retry_after(&job, at(now))), [30, 10, 30]);
    }

    #[test]
    fn an_estimate_needs_progress() {
        assert_eq!(estimate(at(0), at(10), 0.0), None);
        assert_eq!(estimate(at(0), at(10), f64::NAN), None);
        assert_eq!(estimate(at(0), at(1000), 1e-300), None);
        assert_eq!(estimate(at(0), at(10), 100.0), Some(at(10)));
    }
}
