//! Given a worker that dies or is late, then another takes over only from it, and the job ends truthfully.

use super::*;

/// Takes over from a worker that crashed, as the rejected claim allows.
fn taken_over(n: u128, now: Timestamp, job: &Job) -> Job {
    let Refusal::TakeOver { dead, isolation } = refused(n, "m1", job, now) else {
        panic!("{job:?}")
    };
    let mut claim = claim(n, "m1");
    claim.lease.isolation = isolation;
    Transition::take_over(&claim, dead, now)
        .apply(job)
        .expect("its worker is dead")
}

#[test]
fn a_second_worker_is_refused_while_the_lease_lives_and_takes_over_after() {
    let job = claimed(1, at(0), &accepted(at(0)));
    assert_eq!(refused(2, "m1", &job, at(29)), Refusal::Later(at(30)));
    assert_eq!(refused(2, "m2", &job, at(29)), Refusal::Duplicate);
    assert_eq!(refused(1, "m1", &job, at(29)), Refusal::Mine);
    let job = taken_over(2, at(30), &job);
    assert_eq!(job.attempt, 2);
    assert_eq!(
        settle(&job, 1, AttemptEnd::Done(Success::default()), at(31)),
        None,
        "the first worker is fenced off"
    );
    assert!(settle(&job, 2, AttemptEnd::Done(Success::default()), at(31)).is_some());
}

#[test]
fn a_late_worker_that_nobody_took_over_from_still_ends_its_attempt() {
    let job = claimed(1, at(0), &accepted(at(0)));
    assert!(settle(&job, 1, AttemptEnd::Done(Success::default()), at(3000)).is_some());
}

#[test]
fn a_worker_that_dies_in_every_attempt_ends_the_job_truthfully() {
    let mut job = claimed(1, at(100), &accepted(at(0)));
    for attempt in 2..=3 {
        job = taken_over(
            attempt,
            at(100 * i64::try_from(attempt).expect("small")),
            &job,
        );
    }
    assert_eq!(refused(4, "m1", &job, at(329)), Refusal::Later(at(330)));
    assert_eq!(
        refused(4, "m1", &job, at(330)),
        Refusal::Exhausted(token(3))
    );
    assert_eq!(
        Transition::give_up(&job, token(3), at(329)).apply(&job),
        None,
        "it may yet be alive"
    );
    let over = Transition::give_up(&job, token(3), at(330))
        .apply(&job)
        .expect("it is dead");
    assert_eq!(over.status, Status::Failed);
    assert_eq!(over.failure.expect("a failure").code, "worker-crashed");
}

#[test]
fn after_a_crash_a_job_goes_on_beside_others_and_its_last_attempt_runs_alone() {
    let first = claimed(1, at(0), &accepted(at(0)));
    let second = taken_over(2, at(30), &first);
    let third = taken_over(3, at(60), &second);
    assert_eq!(
        [&first, &second, &third].map(isolation),
        [Isolation::Shared, Isolation::Shared, Isolation::Alone]
    );
}

#[test]
fn a_job_whose_last_attempt_died_in_a_shared_process_gets_one_more_that_runs_alone() {
    let once = Claim {
        max_attempts: 1,
        ..claim(2, "m1")
    };
    let mut job = claimed(1, at(0), &accepted(at(0)));
    let take_over = Refusal::TakeOver {
        dead: token(1),
        isolation: Isolation::Alone,
    };
    assert_eq!(Refusal::new(&once, Some(&job), at(30)), take_over);
    let mut alone = once.clone();
    alone.lease.isolation = Isolation::Alone;
    job = Transition::take_over(&alone, token(1), at(30))
        .apply(&job)
        .expect("its worker is dead");
    assert_eq!((job.attempt, isolation(&job)), (2, Isolation::Alone));
    let next = Claim {
        max_attempts: 1,
        ..claim(3, "m1")
    };
    assert_eq!(
        Refusal::new(&next, Some(&job), at(60)),
        Refusal::Exhausted(token(2)),
        "it is to blame now"
    );
    let policy = RetryPolicy {
        max_attempts: 1,
        ..POLICY
    };
    let failed = Transition::settle(&job, token(2), retryable(), &policy, at(31), 1.0)
        .apply(&job)
        .expect("held");
    let detail = failed.failure.expect("a failure").detail;
    assert_eq!(
        detail,
        "gave up after 2 of 2 attempts; the last one: the printer is out of paper"
    );
}

#[test]
fn a_worker_takes_over_only_from_the_attempt_that_it_saw_die() {
    let job = claimed(1, at(0), &accepted(at(0)));
    let take_over = |dead, now| Transition::take_over(&claim(2, "m1"), token(dead), now);
    assert_eq!(take_over(1, at(29)).apply(&job), None, "its lease runs");
    assert_eq!(take_over(9, at(30)).apply(&job), None, "another attempt");
    let retrying = settle(&job, 1, retryable(), at(1)).expect("the lease holds");
    assert_eq!(
        take_over(1, at(100)).apply(&retrying),
        None,
        "it ended its attempt after all"
    );
    assert!(take_over(1, at(30)).apply(&job).is_some());
}
