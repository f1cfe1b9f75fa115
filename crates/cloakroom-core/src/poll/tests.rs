use super::*;
use crate::job::tests::accepted;

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

#[test]
fn without_progress_the_advice_grows_with_age_from_1_to_30_seconds() {
    let job = accepted(at(0));
    assert_eq!(
        [0, 5, 60, 150, 86_400].map(|age| retry_after(&job, at(age))),
        [1, 1, 12, 30, 30]
    );
}

#[test]
fn with_progress_the_advice_is_the_time_to_the_estimated_end() {
    let mut job = accepted(at(0));
    job.status = Status::Running;
    job.estimated_finish_at = estimate(at(0), at(10), 50.0);
    assert_eq!(job.estimated_finish_at, Some(at(20)));
    assert_eq!(retry_after(&job, at(12)), 8);
    // The end is overdue: back to growing with age, whatever the last change.
    job.updated_at = at(99);
    assert_eq!(retry_after(&job, at(100)), 20);
}

#[test]
fn a_job_that_begins_later_is_polled_seldom_until_then() {
    let mut job = accepted(at(0));
    job.ready_at = at(3600);
    assert_eq!(
        [0, 3590, 3600].map(|now| retry_after(&job, at(now))),
        [30, 10, 30]
    );
}

#[test]
fn an_estimate_needs_progress() {
    assert_eq!(estimate(at(0), at(10), 0.0), None);
    assert_eq!(estimate(at(0), at(10), f64::NAN), None);
    assert_eq!(estimate(at(0), at(1000), 1e-300), None);
    assert_eq!(estimate(at(0), at(10), 100.0), Some(at(10)));
}

/// Average cost of polling for the end of a job: the number of polls, and the delay in seconds.
#[derive(Clone, Copy, Default)]
struct Polls {
    polls: f64,
    late: f64,
}

/// Polls for the end of a job without progress at the given intervals.
fn polled(seconds: f64, wait: impl Fn(f64) -> f64) -> Polls {
    let (mut polls, mut now) = (0.0, 0.0);
    while now < seconds {
        now += wait(now);
        polls += 1.0;
    }
    Polls {
        polls,
        late: now - seconds,
    }
}

/// Averages over evenly distributed durations: polled at the advised interval, and every second.
fn mixed(from: f64, to: f64) -> (f64, [Polls; 2]) {
    let mut job = accepted(at(0));
    job.status = Status::Running;
    let advised = |now: f64| {
        f64::from(
            u32::try_from(retry_after(&job, at(0).after(Duration::from_secs_f64(now))))
                .expect("30"),
        )
    };
    let (mut length, mut all) = (0.0, [Polls::default(); 2]);
    for n in 0..=2000 {
        let seconds = from * (to / from).powf(f64::from(n) / 2000.0);
        length += seconds;
        for (sum, one) in all
            .iter_mut()
            .zip([polled(seconds, advised), polled(seconds, |_| 1.0)])
        {
            sum.polls += one.polls;
            sum.late += one.late;
        }
    }
    (length, all)
}

/// Goal: a quarter of the polls of a client that polls every second, for a tenth more time. Jobs of less than a minute
/// alone
/// don't reach a quarter, but a mix of jobs does.
#[test]
fn the_advice_saves_three_polls_of_four_for_a_tenth_of_the_time() {
    // From, to; at most so many of the polls; at most so much later.
    for (from, to, share, delay) in [
        (0.1, 600.0, 0.25, 0.10),
        (60.0, 120.0, 0.25, 0.10),
        (120.0, 300.0, 0.15, 0.10),
        (300.0, 600.0, 0.10, 0.10),
    ] {
        let (length, [advised, every_second]) = mixed(from, to);
        let (of_the_polls, later) = (advised.polls / every_second.polls, advised.late / length);
        assert!(
            of_the_polls <= share,
            "{from} to {to} s: {of_the_polls:.3} of the polls"
        );
        assert!(later <= delay, "{from} to {to} s: {later:.3} later");
    }
}

/// The minimum interval is a second, which exceeds a tenth of a short job: polling every second would not be faster.
#[test]
fn short_jobs_are_learned_of_about_as_soon_as_by_asking_every_second() {
    for (from, to, share, delay) in [
        (0.1, 3.0, 1.0, 0.0),
        (3.0, 10.0, 1.0, 0.02),
        (10.0, 60.0, 0.55, 0.10),
    ] {
        let (length, [advised, every_second]) = mixed(from, to);
        assert!(
            advised.polls <= share * every_second.polls,
            "{from} to {to} s: {}",
            advised.polls / every_second.polls
        );
        assert!(
            advised.late - every_second.late <= delay * length,
            "{from} to {to} s: {}",
            advised.late / length
        );
    }
}

#[test]
fn a_job_that_reports_progress_is_polled_once_or_twice() {
    let mut job = accepted(at(0));
    job.status = Status::Running;
    // It says after a second how far it is, and goes on like that.
    for seconds in [2, 10, 25] {
        job.estimated_finish_at = Some(at(seconds));
        assert_eq!(
            at(1 + i64::try_from(retry_after(&job, at(1))).expect("30")),
            at(seconds)
        );
    }
}

#[test]
fn the_advice_is_rounded_up_to_whole_seconds_before_a_planned_time_and_to_the_nearest_after() {
    let mut job = accepted(at(0));
    job.status = Status::Retrying;
    for (millis, seconds) in [
        (10_000, 10),
        (9_001, 10),
        (9_000, 9),
        (8_999, 9),
        (1, 1),
        (31_000, 30),
    ] {
        job.ready_at = Timestamp::from_millis(1_000_000 + millis);
        assert_eq!(
            retry_after(&job, Timestamp::from_millis(1_000_000)),
            seconds,
            "{millis}"
        );
    }
    job.ready_at = at(0);
    for (millis, seconds) in [
        (0, 1),
        (7_499, 1),
        (7_500, 2),
        (12_499, 2),
        (12_500, 3),
        (147_499, 29),
        (147_500, 30),
    ] {
        assert_eq!(
            retry_after(&job, Timestamp::from_millis(millis)),
            seconds,
            "{millis}"
        );
    }
    // Due now: as if nothing were planned.
    job.ready_at = at(100);
    assert_eq!(retry_after(&job, at(100)), 20);
}

#[test]
fn what_is_planned_counts_only_in_the_status_that_it_was_planned_in() {
    let mut job = accepted(at(0));
    (job.ready_at, job.estimated_finish_at) = (at(1003), Some(at(1007)));
    for (status, seconds) in [
        (Status::Accepted, 3),
        (Status::Retrying, 3),
        (Status::Running, 7),
        (Status::Cancelling, 30),
        (Status::Succeeded, 30),
        (Status::Failed, 30),
        (Status::Cancelled, 30),
    ] {
        job.status = status;
        assert_eq!(retry_after(&job, at(1000)), seconds, "{status:?}");
    }
    assert_eq!(RETRY_AFTER_SECONDS, 1..=30);
}

#[test]
fn an_estimate_is_of_0_to_100_percent_and_of_less_than_a_year() {
    for percent in [-1.0, 0.0, 100.1, f64::INFINITY] {
        assert_eq!(estimate(at(0), at(10), percent), None, "{percent}");
    }
    for (percent, end) in [
        (1.0, 1_000_000),
        (25.0, 40_000),
        (50.0, 20_000),
        (80.0, 12_500),
        (100.0, 10_000),
    ] {
        let estimated = estimate(at(0), at(10), percent).expect("an estimate");
        assert_eq!(estimated.as_millis(), end, "{percent}");
    }
    let year = 31_536_000;
    assert_eq!(estimate(at(0), at(year), 50.0), None);
    assert_eq!(estimate(at(0), at(year - 1), 50.0), Some(at(2 * year - 2)));
}
