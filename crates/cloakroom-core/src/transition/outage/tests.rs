//! Given an attempt that an outage cut short, when it is deferred, then it is not counted, and the job is retried until
//! the outage has lasted too long.

use super::*;
use crate::job::tests::accepted;
use crate::transition::{Claim, Refusal, Verdict};
use crate::view::HistoryView;
use crate::{AttemptEnd, Lease, RetryPolicy, Status, Step};

const ONCE: RetryPolicy = RetryPolicy {
    max_attempts: 1,
    base: Duration::from_secs(1),
    cap: Duration::from_secs(1),
};

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn token(n: u128) -> LeaseToken {
    LeaseToken::from_uuid(uuid::Uuid::from_u128(n))
}

fn claim(n: u128) -> Claim {
    let lease = Lease {
        token: token(n),
        message_id: format!("m{n}"),
        ends_at: None,
        isolation: crate::Isolation::Shared,
    };
    Claim {
        created_at: at(0),
        lease,
        lease_time: Duration::from_secs(30),
        max_attempts: ONCE.max_attempts,
    }
}

fn claimed(n: u128, job: &Job, now: Timestamp) -> Job {
    Transition::claim(&claim(n), now)
        .apply(job)
        .expect("the job is free")
}

fn settled(n: u128, job: &Job, now: Timestamp) -> Job {
    let end = AttemptEnd::Unavailable(Failure::unavailable("the result could not be stored"));
    Transition::settle(job, token(n), end, &ONCE, now, 1.0)
        .apply(job)
        .expect("the lease holds")
}

fn events(job: &Job) -> Vec<Event> {
    job.history.iter().map(|step| step.event).collect()
}

/// Returns a job whose attempts are all deferred immediately, until this time.
fn in_an_outage(until: Timestamp) -> Job {
    deferred_until(until, &accepted(at(0)), ONCE.max_attempts)
}

/// Returns the job after attempts that are all deferred immediately, until this time.
fn deferred_until(until: Timestamp, job: &Job, max_attempts: u32) -> Job {
    let (mut job, mut now, mut n) = (job.clone(), job.ready_at, 1000);
    while now < until && !job.status.is_terminal() {
        let claim = Claim {
            max_attempts,
            ..claim(n)
        };
        let claimed = Transition::claim(&claim, now).apply(&job);
        job = settled(n, &claimed.expect("the job is free"), now);
        (now, n) = (job.ready_at, n + 1);
    }
    job
}

#[test]
fn a_deferred_attempt_is_not_counted_and_is_shown_under_its_number() {
    let job = settled(1, &claimed(1, &accepted(at(0)), at(1)), at(5));
    assert_eq!(
        (job.status, job.attempt, latest_attempt(&job), job.ready_at),
        (Status::Retrying, 0, 1, at(7))
    );
    assert_eq!(
        job.history[1].reason.as_deref(),
        Some("storage-unavailable: the result could not be stored")
    );
    let message = job
        .progress
        .as_ref()
        .and_then(|progress| progress.message.as_deref());
    assert_eq!(message, Some("the result could not be stored; retrying"));
    let job = claimed(2, &job, at(7));
    assert_eq!(
        (job.attempt, latest_attempt(&job), was_deferred(&job)),
        (1, 1, true)
    );
    let shown: Vec<_> = HistoryView::from_job(&job, "")
        .history
        .iter()
        .map(|step| step.attempt)
        .collect();
    assert_eq!(shown, [0, 1, 1, 1]);
    let cancelled =
        Transition::withdraw(at(6)).apply(&settled(1, &claimed(1, &accepted(at(0)), at(1)), at(5)));
    assert_eq!(
        latest_attempt(&cancelled.expect("no attempt runs")),
        1,
        "no poll goes back"
    );
}

#[test]
fn a_redriven_job_has_had_no_attempt_even_if_its_last_one_was_deferred() {
    let waiting = settled(1, &claimed(1, &accepted(at(0)), at(0)), at(1));
    let end = |job: &Job| {
        let verdict = Verdict::for_dead_letter(Some(job), job.created_at, "m1", true, at(60));
        let Verdict::End(transition) = verdict else {
            panic!("{verdict:?}");
        };
        transition.apply(job).expect("nobody changed it")
    };
    let failed = end(&waiting);
    assert_eq!(latest_attempt(&failed), 1);
    assert_eq!(
        failed.failure.as_ref().expect("lost").detail,
        "no worker continued after attempt 1, which ended with: the result could not be stored"
    );
    let redriven = Transition::redrive(&failed, at(60))
        .apply(&failed)
        .expect("it failed");
    assert_eq!(latest_attempt(&redriven), 0);
    assert_eq!(end(&redriven).failure.expect("lost").code, "never-started");
}

#[test]
fn the_wait_doubles_with_the_outage_up_to_five_minutes() {
    let (mut job, mut waits) = (accepted(at(0)), vec![]);
    for n in 1..12 {
        let now = job.ready_at;
        job = settled(n, &claimed(n, &job, now), now);
        waits.push(job.ready_at.since(now).as_secs());
    }
    assert_eq!(waits, [2, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
}

#[test]
fn an_outage_of_half_an_hour_fails_no_job_and_one_of_a_day_does() {
    assert_eq!(in_an_outage(at(1800)).status, Status::Retrying);
    let job = in_an_outage(at(100_000));
    let failure = job.failure.expect("it failed");
    assert_eq!(
        (job.status, failure.code.as_str()),
        (Status::Failed, "storage-unavailable")
    );
    assert_eq!(
        job.finished_at.expect("over").since(at(0)).as_secs() / 3600,
        24
    );
    assert!(
        failure
            .detail
            .ends_with("min; the last attempt: the result could not be stored"),
        "{}",
        failure.detail
    );
}

#[test]
fn the_history_of_a_long_outage_keeps_its_beginning_and_its_latest_attempts() {
    let job = in_an_outage(at(80_000));
    assert_eq!(events(&job), [[Event::Claim, Event::Defer]; 8].concat());
    assert_eq!(job.history[1].at, at(0));
    assert!(job.history[3].at > at(70_000));
}

#[test]
fn attempts_that_waited_are_dropped_with_what_they_waited_for() {
    let (mut job, mut now) = (accepted(at(0)), at(0));
    for n in 1..100 {
        let waits = Transition::renew(token(n), Duration::from_secs(30), None, now);
        let waits = waits.waiting(&Failure::unavailable(
            "the result could not be stored; retrying",
        ));
        let waiting = waits
            .apply(&claimed(n, &job, now))
            .expect("the lease holds");
        job = settled(n, &waiting, now);
        now = job.ready_at;
    }
    assert_eq!(
        events(&job),
        [[Event::Claim, Event::Renew, Event::Defer]; KEPT].concat()
    );
    assert_eq!((job.attempt, job.history[2].at), (0, at(0)));
}

#[test]
fn a_counted_attempt_ends_the_outage() {
    let before = in_an_outage(at(5000));
    let job = claimed(100, &before, at(6000));
    let policy = RetryPolicy {
        max_attempts: 3,
        ..ONCE
    };
    let end = AttemptEnd::Retryable {
        failure: Failure::new("out of paper"),
        after: None,
    };
    let job = Transition::settle(&job, token(100), end, &policy, at(6000), 0.0)
        .apply(&job)
        .expect("the lease holds");
    assert_eq!((job.attempt, job.ready_at), (1, at(6000)));
    let counted = job.history.len();
    assert_eq!(job.history[..counted - 2], before.history);
    let again = deferred_until(at(6001), &job, 3);
    assert_eq!((again.attempt, again.ready_at), (1, at(6002)));
    // A second long outage drops steps of its own alone, and retains its beginning.
    let again = deferred_until(at(20_000), &job, 3);
    assert_eq!(again.history[..counted], job.history);
    let second = &again.history[counted..];
    assert_eq!((second.len(), second[1].at), (2 * KEPT, at(6000)));
    assert!(second[3].at > at(15_000));
}

#[test]
fn a_client_that_cancels_during_an_outage_is_heard() {
    let running = claimed(1, &accepted(at(0)), at(0));
    let job = Transition::ask_to_cancel(at(1))
        .apply(&running)
        .expect("it runs");
    assert_eq!(settled(1, &job, at(2)).status, Status::Cancelled);
    let waiting = settled(1, &running, at(2));
    assert_eq!(
        Transition::withdraw(at(3))
            .apply(&waiting)
            .map(|job| job.status),
        Some(Status::Cancelled)
    );
}

#[test]
fn an_attempt_whose_end_could_not_be_recorded_is_given_back_once_and_by_its_lease_alone() {
    let job = claimed(1, &accepted(at(0)), at(0));
    assert_eq!(Transition::give_back(token(2), at(9)).apply(&job), None);
    let given_back = Transition::give_back(token(1), at(9))
        .apply(&job)
        .expect("it runs");
    assert_eq!(
        (given_back.status, given_back.attempt, given_back.ready_at),
        (Status::Retrying, 0, at(9))
    );
    assert_eq!(
        Transition::give_back(token(1), at(9)).apply(&given_back),
        None
    );
}

#[test]
fn any_message_of_a_job_that_waits_for_its_next_attempt_may_bring_it() {
    let job = settled(1, &claimed(1, &accepted(at(0)), at(0)), at(1));
    assert_eq!(
        Refusal::new(&claim(2), Some(&job), at(2)),
        Refusal::Later(at(3))
    );
}

#[test]
fn a_deferred_step_is_read_as_it_was_written() {
    let step = Step::new(Event::Defer, at(1))
        .with_cause(&Failure::unavailable("the result could not be stored"));
    assert_eq!(
        step.to_string(),
        "1000 defer storage-unavailable: the result could not be stored"
    );
}
