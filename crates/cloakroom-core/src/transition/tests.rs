//! Given a record, when something happens to it, then this becomes of it.

mod abandoned;
mod deaths;
mod laws;
mod writes;

use uuid::Uuid;

use super::*;
use crate::Isolation;
use crate::job::tests::accepted;

const LEASE: Duration = Duration::from_secs(30);
const POLICY: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    base: Duration::from_secs(2),
    cap: Duration::from_secs(300),
};

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn token(n: u128) -> LeaseToken {
    LeaseToken::from_uuid(Uuid::from_u128(n))
}

fn claim(n: u128, message: &str) -> Claim {
    Claim {
        created_at: at(0),
        lease: Lease {
            token: token(n),
            message_id: message.to_owned(),
            ends_at: Some(at(100_000)),
            isolation: Isolation::Shared,
        },
        lease_time: LEASE,
        max_attempts: POLICY.max_attempts,
    }
}

fn claimed(n: u128, now: Timestamp, job: &Job) -> Job {
    Transition::claim(&claim(n, "m1"), now)
        .apply(job)
        .expect("the job is free")
}

fn isolation(job: &Job) -> Isolation {
    job.lease.as_ref().expect("it ran").isolation
}

fn settle(job: &Job, n: u128, end: AttemptEnd, now: Timestamp) -> Option<Job> {
    Transition::settle(job, token(n), end, &POLICY, now, 1.0).apply(job)
}

fn retryable() -> AttemptEnd {
    AttemptEnd::Retryable {
        failure: Failure::new("the printer is out of paper"),
        after: None,
    }
}

fn refused(n: u128, message: &str, job: &Job, now: Timestamp) -> Refusal {
    let claim = claim(n, message);
    assert_eq!(Transition::claim(&claim, now).apply(job), None);
    Refusal::new(&claim, Some(job), now)
}

#[test]
fn every_event_but_renew_leads_to_one_status() {
    for event in Event::ALL {
        let mut to: Vec<_> = Status::ALL
            .into_iter()
            .filter_map(|from| next(from, event).ok())
            .collect();
        to.dedup();
        assert_eq!(
            to.len(),
            if event == Event::Renew { 2 } else { 1 },
            "{event:?}"
        );
    }
}

#[test]
fn nothing_leaves_a_terminal_status_but_by_an_operator_and_the_refusal_names_the_pair() {
    for status in Status::ALL
        .into_iter()
        .filter(|status| status.is_terminal())
    {
        for event in Event::ALL {
            if (status, event) == (Status::Failed, Event::Redrive) {
                continue;
            }
            assert_eq!(
                next(status, event),
                Err(IllegalTransition { status, event })
            );
        }
    }
    let refused = next(Status::Failed, Event::Withdraw).expect_err("it has ended");
    assert_eq!(refused.to_string(), "Withdraw a job that is failed");
}

#[test]
fn a_job_is_claimed_and_ends_and_is_kept_for_its_retention_after_the_end() {
    let job = claimed(1, at(5), &accepted(at(0)));
    assert_eq!(
        (job.status, job.attempt, job.started_at, job.ready_at),
        (Status::Running, 1, Some(at(5)), at(35))
    );
    let job =
        settle(&job, 1, AttemptEnd::Done(Success::default()), at(9)).expect("the lease holds");
    assert_eq!(
        (job.status, job.finished_at, job.version),
        (Status::Succeeded, Some(at(9)), 3)
    );
    assert_eq!(job.expires_at, at(9 + 86_400));
}

#[test]
fn renewing_keeps_the_lease_alive_and_reports_progress() {
    let job = claimed(1, at(0), &accepted(at(0)));
    let report = progress_report(Progress::new(50.0, Some("half".into())), at(0), at(10));
    let job = Transition::renew(token(1), LEASE, Some(report), at(10))
        .apply(&job)
        .expect("the lease holds");
    assert_eq!(
        (job.ready_at, job.estimated_finish_at),
        (at(40), Some(at(20)))
    );
    assert_eq!(
        Transition::renew(token(2), LEASE, None, at(11)).apply(&job),
        None,
        "not its lease"
    );
    assert_eq!(refused(2, "m1", &job, at(39)), Refusal::Later(at(40)));
}

#[test]
fn a_retryable_error_waits_and_comes_back_without_its_progress_until_no_attempt_is_left() {
    let mut job = accepted(at(0));
    let mut now = at(0);
    for (attempt, wait) in [(1u128, 2), (2, 4)] {
        job = claimed(attempt, now, &job);
        let report = progress_report(Progress::new(10.0, None), now, now);
        job = Transition::renew(token(attempt), LEASE, Some(report), now)
            .apply(&job)
            .expect("the lease holds");
        job = settle(&job, attempt, retryable(), now).expect("the lease holds");
        assert_eq!(
            (job.status, job.ready_at),
            (Status::Retrying, now.after(Duration::from_secs(wait)))
        );
        assert_eq!(refused(9, "m1", &job, now), Refusal::Later(job.ready_at));
        now = job.ready_at;
    }
    job = claimed(3, now, &job);
    assert_eq!(job.progress, None);
    job = settle(&job, 3, retryable(), now).expect("the lease holds");
    assert_eq!(job.status, Status::Failed);
    let failure = job.failure.expect("a failure");
    assert_eq!((failure.status, failure.code.as_str()), (400, "job-failed"));
    assert_eq!(
        failure.detail,
        "gave up after 3 of 3 attempts; the last one: the printer is out of paper"
    );
}

#[test]
fn a_retry_whose_attempts_were_lowered_ends_with_its_last_failure() {
    let job = settle(&claimed(1, at(0), &accepted(at(0))), 1, retryable(), at(0))
        .expect("the lease holds");
    let lowered = Claim {
        max_attempts: 1,
        ..claim(2, "m1")
    };
    assert_eq!(
        Refusal::new(&lowered, Some(&job), at(60)),
        Refusal::Exhausted(token(1))
    );
    let over = Transition::give_up(&job, token(1), at(60))
        .apply(&job)
        .expect("none is left");
    assert_eq!(over.failure, job.failure);
    assert_eq!(
        over.history
            .iter()
            .map(|step| step.event)
            .collect::<Vec<_>>(),
        [Event::Claim, Event::Retry, Event::GiveUp]
    );
}

#[test]
fn cancelled_before_it_ran_a_job_never_runs() {
    let job = Transition::withdraw(at(1))
        .apply(&accepted(at(0)))
        .expect("no attempt ran");
    assert_eq!(
        (job.status, job.finished_at),
        (Status::Cancelled, Some(at(1)))
    );
    assert_eq!(refused(1, "m1", &job, at(2)), Refusal::Over);
}

#[test]
fn cancelled_while_it_runs_a_job_ends_as_its_handler_does_first() {
    let running = claimed(1, at(0), &accepted(at(0)));
    assert_eq!(Transition::withdraw(at(1)).apply(&running), None);
    let job = Transition::ask_to_cancel(at(1))
        .apply(&running)
        .expect("it runs");
    assert_eq!(job.status, Status::Cancelling);
    for (end, status) in [
        (AttemptEnd::Done(Success::default()), Status::Succeeded),
        (AttemptEnd::Terminal(Failure::new("no")), Status::Failed),
        (retryable(), Status::Cancelled),
        (AttemptEnd::Cancelled, Status::Cancelled),
    ] {
        assert_eq!(
            settle(&job, 1, end, at(2)).map(|job| job.status),
            Some(status)
        );
    }
    let unaware = Transition::settle(&running, token(1), retryable(), &POLICY, at(2), 1.0);
    assert_eq!(
        unaware.apply(&job),
        None,
        "a worker that has not heard of it must look again"
    );
}

#[test]
fn cancelling_with_a_dead_worker_is_confirmed_by_the_next_claim() {
    let job = Transition::ask_to_cancel(at(1))
        .apply(&claimed(1, at(0), &accepted(at(0))))
        .expect("it runs");
    assert_eq!(refused(2, "m1", &job, at(29)), Refusal::Later(at(30)));
    assert_eq!(refused(2, "m1", &job, at(30)), Refusal::Cancel(token(1)));
    assert_eq!(
        Transition::confirm_cancel(token(1), at(29)).apply(&job),
        None
    );
    let job = Transition::confirm_cancel(token(1), at(30))
        .apply(&job)
        .expect("the worker is dead");
    assert_eq!(job.status, Status::Cancelled);
}

#[test]
fn an_attempt_that_is_stopped_but_not_by_the_client_is_tried_again() {
    let job = settle(
        &claimed(1, at(0), &accepted(at(0))),
        1,
        AttemptEnd::Cancelled,
        at(1),
    )
    .expect("the lease holds");
    assert_eq!(job.status, Status::Retrying);
}

#[test]
fn an_expired_job_is_as_if_it_were_not_there() {
    let job = accepted(at(0));
    assert_eq!(refused(1, "m1", &job, job.expires_at), Refusal::Over);
    assert_eq!(Transition::withdraw(job.expires_at).apply(&job), None);
}

#[test]
fn a_message_of_an_earlier_incarnation_never_runs_the_later_one() {
    assert_eq!(
        refused(1, "m1", &accepted(at(100_000)), at(100_001)),
        Refusal::Over
    );
    assert_eq!(Refusal::new(&claim(1, "m1"), None, at(1)), Refusal::Over);
}

#[test]
fn a_job_that_is_worked_on_never_expires_however_long_it_takes() {
    let mut job = claimed(1, at(0), &accepted(at(0)));
    for now in (10..300_000).step_by(20) {
        job = Transition::renew(token(1), LEASE, None, at(now))
            .apply(&job)
            .expect("the lease holds");
    }
    assert!(settle(&job, 1, AttemptEnd::Done(Success::default()), at(300_000)).is_some());
}

#[test]
fn a_job_that_is_not_begun_in_time_lapses_and_one_that_was_does_not() {
    let job = accepted(at(0));
    let lapse = |seconds| Transition::lapse(at(0), Duration::from_secs(60), at(seconds));
    assert_eq!(lapse(59).apply(&job), None);
    let over = lapse(60).apply(&job).expect("a minute has passed");
    assert_eq!(
        (over.status, over.failure.expect("a failure").code.as_str()),
        (Status::Failed, "expired")
    );
    let begun = settle(&claimed(1, at(0), &job), 1, retryable(), at(1)).expect("the lease holds");
    assert_eq!(lapse(100).apply(&begun), None, "it was begun in time");
    assert_eq!(
        lapse(100).apply(&accepted(at(10))),
        None,
        "another incarnation"
    );
}

#[test]
fn an_operator_sends_a_failed_job_back_with_all_its_attempts_and_its_latest_steps() {
    let mut job = accepted(at(0));
    for round in 0..30 {
        let now = at(100 * round);
        job = claimed(1, now, &job);
        job = settle(&job, 1, AttemptEnd::Terminal(Failure::new("no")), now)
            .expect("the lease holds");
        let stale = Transition::redrive(&job, now);
        let again = stale.apply(&job).expect("it failed");
        assert_eq!(stale.apply(&again), None, "once");
        assert_eq!(
            (again.status, again.attempt, again.ready_at),
            (Status::Accepted, 0, now)
        );
        assert_eq!(
            (
                again.failure.clone(),
                again.finished_at,
                again.lease.clone()
            ),
            (None, None, None)
        );
        assert_eq!(again.version, job.version + 1, "polls never go backwards");
        assert!(
            again.history.len() <= KEPT_OVER_A_REDRIVE + 1,
            "{}",
            again.history.len()
        );
        job = again;
    }
    for status in [
        Status::Accepted,
        Status::Running,
        Status::Retrying,
        Status::Succeeded,
        Status::Cancelled,
    ] {
        assert!(next(status, Event::Redrive).is_err(), "{status:?}");
    }
}
