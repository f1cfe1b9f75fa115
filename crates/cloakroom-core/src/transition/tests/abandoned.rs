//! Given a job that may be abandoned, when it is examined, then it ends neither too early nor too late.

use super::*;

const CYCLE: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

fn sweep(job: &Job, backlog: bool, now: Timestamp) -> Verdict {
    Verdict::for_sweep(Some(job), CYCLE, backlog, now)
}

/// Returns the code of the end that the verdict makes.
fn ended(verdict: &Verdict, job: &Job, event: Event, now: Timestamp) -> String {
    let Verdict::End(transition) = verdict else {
        panic!("{verdict:?}")
    };
    let failure = transition.patch.failure.clone().expect("a failure");
    let mut want = Transition::new(event, now).with_cause(failure.clone());
    want.guard.version = Some(job.version);
    assert_eq!(**transition, want);
    assert_eq!(
        (
            want.patch.updated_at,
            want.guard.alive_at,
            want.patch.finished_at
        ),
        (now, now, Some(now))
    );
    failure.code
}

fn running() -> Job {
    claimed(1, at(5), &accepted(at(0)))
}

fn refused() -> Failure {
    Failure::new("the payload is refused").with_code("invalid-payload")
}

#[test]
fn a_refused_payload_fails_a_job_that_waits_and_no_other() {
    let job = accepted(at(0));
    let transition = Verdict::for_rejected_payload(&job, refused(), at(9)).expect("it waits");
    let mut want = Transition::new(Event::Bury, at(9)).with_cause(refused());
    want.guard.version = Some(1);
    assert_eq!(transition, want);
    let failed = transition.apply(&job).expect("nothing changed");
    assert_eq!(
        (failed.status, failed.failure),
        (Status::Failed, Some(refused()))
    );
    assert_eq!(
        transition.apply(&Job {
            version: 2,
            ..job.clone()
        }),
        None,
        "it changed since"
    );
    for status in Status::ALL
        .into_iter()
        .filter(|status| *status != Status::Accepted)
    {
        assert_eq!(
            Verdict::for_rejected_payload(
                &Job {
                    status,
                    ..job.clone()
                },
                refused(),
                at(9)
            ),
            None,
            "{status:?}"
        );
    }
    let expires_at = job.expires_at;
    assert_eq!(
        Verdict::for_rejected_payload(&job, refused(), expires_at),
        None
    );
    assert!(Verdict::for_rejected_payload(&job, refused(), expires_at.before(SECOND)).is_some());
}

#[test]
fn the_sweeper_waits_for_a_cycle_an_outage_and_some_slack_to_the_second() {
    let job = running();
    let due = job.ready_at.after(CYCLE).after(OUTAGE).after(SLACK);
    assert_eq!(sweep(&job, false, due.before(SECOND)), Verdict::Wait(due));
    assert_eq!(
        ended(&sweep(&job, false, due), &job, Event::Sweep, due),
        "worker-crashed"
    );
    let pause = Duration::from_secs(300);
    assert_eq!(
        sweep(&job, true, due),
        Verdict::Wait(due.after(pause)),
        "a backlog"
    );
}

#[test]
fn near_the_last_call_the_sweeper_waits_for_no_outage_but_for_a_cycle() {
    // Its record is kept for less than a day: there is time for a cycle, and not for an outage.
    let mut job = accepted(at(0));
    for (expires_after_the_last_call, due) in [
        (6900, 6000),
        (6899, 5999),
        (4800, 3900),
        (4799, 3900),
        (3900, 3900),
        (3899, 3899),
        (1000, 1000),
    ] {
        job.expires_at = at(expires_after_the_last_call).after(Duration::from_secs(600));
        assert_eq!(
            sweep(&job, false, at(60)),
            Verdict::Wait(at(due)),
            "{expires_after_the_last_call}"
        );
        let code = if due < 3900 {
            "expired"
        } else {
            "never-started"
        };
        assert_eq!(
            ended(&sweep(&job, false, at(due)), &job, Event::Sweep, at(due)),
            code
        );
    }
}

#[test]
fn a_job_that_is_not_ready_is_not_ended_by_the_last_call() {
    let mut job = running();
    job.ready_at = job.deadline().before(SECOND);
    assert_eq!(
        sweep(&job, true, job.deadline().before(LAST_CALL)),
        Verdict::Wait(job.ready_at)
    );
    assert_eq!(sweep(&job, false, at(60)), Verdict::Wait(job.ready_at));
    assert_eq!(
        ended(
            &sweep(&job, false, job.ready_at),
            &job,
            Event::Sweep,
            job.ready_at
        ),
        "worker-crashed"
    );
}

#[test]
fn at_the_last_call_a_job_that_no_worker_began_has_expired_and_any_other_is_told_truthfully() {
    let retrying = settle(
        &running(),
        1,
        AttemptEnd::Retryable {
            failure: refused(),
            after: None,
        },
        at(6),
    )
    .expect("held");
    for (job, code) in [
        (accepted(at(0)), "expired"),
        (running(), "worker-crashed"),
        (retrying, "invalid-payload"),
    ] {
        let last_call = job.expires_at.before(LAST_CALL);
        assert_eq!(
            ended(&sweep(&job, true, last_call), &job, Event::Sweep, last_call),
            code
        );
    }
    // Without a backlog, and long after its message was gone, it was never started.
    let job = accepted(at(0));
    let last_call = job.expires_at.before(LAST_CALL);
    assert_eq!(
        ended(
            &sweep(&job, false, last_call),
            &job,
            Event::Sweep,
            last_call
        ),
        "never-started"
    );
}

#[test]
fn an_expired_or_finished_job_is_none_of_the_sweepers() {
    let job = accepted(at(0));
    assert_eq!(sweep(&job, false, job.expires_at), Verdict::Over);
    assert!(matches!(
        sweep(&job, false, job.expires_at.before(SECOND)),
        Verdict::End(_)
    ));
    for status in Status::ALL
        .into_iter()
        .filter(|status| status.is_terminal())
    {
        assert_eq!(
            sweep(
                &Job {
                    status,
                    ..job.clone()
                },
                false,
                at(50_000)
            ),
            Verdict::Over,
            "{status:?}"
        );
    }
}

#[test]
fn a_job_that_is_being_cancelled_is_cancelled_by_who_ends_it() {
    let job = Transition::ask_to_cancel(at(6))
        .apply(&running())
        .expect("it runs");
    for verdict in [
        sweep(&job, false, at(50_000)),
        Verdict::for_dead_letter(Some(&job), at(0), "m1", true, at(50_000)),
    ] {
        let mut want = Transition::new(Event::ConfirmCancel, at(50_000));
        want.guard.version = Some(job.version);
        assert_eq!(verdict, Verdict::End(Box::new(want)));
    }
}

#[test]
fn a_dead_letter_ends_its_job_once_that_is_free() {
    let bury = |job: &Job, now| Verdict::for_dead_letter(Some(job), at(0), "m1", true, now);
    let unreadable = |job: &Job, now| Verdict::for_dead_letter(Some(job), at(0), "m1", false, now);
    let job = running();
    assert_eq!(bury(&job, at(34)), Verdict::Wait(at(35)));
    assert_eq!(unreadable(&job, at(34)), Verdict::Wait(at(35)));
    assert_eq!(
        ended(&bury(&job, at(35)), &job, Event::Bury, at(35)),
        "worker-crashed"
    );
    assert_eq!(
        ended(&unreadable(&job, at(35)), &job, Event::Bury, at(35)),
        "unreadable-message"
    );
    assert_eq!(bury(&job, job.expires_at), Verdict::Over);
    assert!(matches!(
        bury(&job, job.expires_at.before(SECOND)),
        Verdict::End(_)
    ));
    assert_eq!(
        Verdict::for_dead_letter(Some(&job), at(1), "m1", true, at(35)),
        Verdict::Over,
        "another incarnation"
    );
    let mut waits = accepted(at(0));
    waits.ready_at = at(60);
    assert_eq!(bury(&waits, at(59)), Verdict::Wait(at(60)), "for its time");
    assert_eq!(unreadable(&waits, at(59)), Verdict::Wait(at(60)));
    waits.ready_at = at(0);
    assert!(
        matches!(
            Verdict::for_dead_letter(Some(&waits), at(0), "m9", true, at(0)),
            Verdict::End(_)
        ),
        "nobody's"
    );
}

#[test]
fn a_cause_of_death_says_what_is_known_and_blames_no_job_that_shared_its_process() {
    let detail = |job: &Job| cause_of_death(job).detail;
    let shared = running();
    let mut alone = running();
    alone.lease.as_mut().expect("leased").isolation = Isolation::Alone;
    assert!(
        detail(&shared).contains("which may have run other jobs too"),
        "{}",
        detail(&shared)
    );
    assert_eq!(
        detail(&alone),
        "gave up after 1 attempts; the worker stopped during the last one"
    );
    assert_eq!(
        [&shared, &alone].map(|job| cause_of_death(job).code),
        ["worker-crashed"; 2]
    );
    assert!(detail(&accepted(at(0))).starts_with("no worker could start the job"));
    assert_eq!(cause_of_death(&accepted(at(0))).code, "never-started");
    let last = Failure::new("out of paper")
        .with_code("no-paper")
        .with_status(409);
    let end = AttemptEnd::Retryable {
        failure: last.clone(),
        after: None,
    };
    let retrying = settle(&running(), 1, end, at(6)).expect("the lease holds");
    let want = Failure {
        detail: "no worker continued after attempt 1, which ended with: out of paper".into(),
        ..last
    };
    assert_eq!(cause_of_death(&retrying), want);
    let long = Job {
        failure: Some(Failure::new("a".repeat(2048))),
        ..retrying
    };
    assert_eq!(detail(&long).len(), 2048);
}

#[test]
fn a_worker_ran_into_its_functions_end_if_it_was_alive_a_beat_before() {
    for (ends_at, code) in [
        (14, "worker-timed-out"),
        (15, "worker-timed-out"),
        (16, "worker-crashed"),
    ] {
        let mut job = running();
        job.lease.as_mut().expect("leased").ends_at = Some(at(ends_at));
        assert_eq!(cause_of_death(&job).code, code, "{ends_at}");
    }
}

#[test]
fn after_a_redrive_or_a_counted_attempt_an_outage_begins_anew() {
    let step = Step::new;
    for (history, lasted) in [
        (
            vec![
                step(Event::Claim, at(0)),
                step(Event::Defer, at(1)),
                step(Event::Claim, at(2)),
            ],
            true,
        ),
        (
            vec![
                step(Event::Defer, at(1)),
                step(Event::Redrive, at(2)),
                step(Event::Claim, at(3)),
            ],
            false,
        ),
        (
            vec![
                step(Event::Defer, at(1)),
                step(Event::Claim, at(2)),
                step(Event::Retry, at(2)),
                step(Event::Claim, at(3)),
            ],
            false,
        ),
        (
            vec![
                step(Event::Retry, at(1)),
                step(Event::Claim, at(2)),
                step(Event::Defer, at(3)),
                step(Event::Claim, at(4)),
            ],
            true,
        ),
    ] {
        let job = Job {
            history: history.clone(),
            ..running()
        };
        let end = AttemptEnd::Unavailable(Failure::unavailable("away"));
        let transition = Transition::settle(&job, token(1), end, &POLICY, at(100), 1.0);
        let wait = transition
            .patch
            .ready_at
            .expect("it waits")
            .since(at(100))
            .as_secs();
        assert_eq!(wait > 90, lasted, "{history:?}: {wait}");
    }
}

#[test]
fn a_wait_in_an_outage_is_from_half_of_it_on_and_from_two_seconds_to_five_minutes() {
    for (lasted, unit, wait) in [
        (0, 1.0, 2000),
        (0, 0.0, 1000),
        (100, 1.0, 100_000),
        (100, 0.5, 75_000),
        (100, -1.0, 50_000),
        (5000, 2.0, 300_000),
    ] {
        let mut job = running();
        job.history = vec![
            Step::new(Event::Claim, at(0)),
            Step::new(Event::Defer, at(0)),
            Step::new(Event::Claim, at(0)),
        ];
        let (now, end) = (
            at(lasted),
            AttemptEnd::Unavailable(Failure::unavailable("away")),
        );
        let transition = Transition::settle(&job, token(1), end, &POLICY, now, unit);
        let ready_at = transition.patch.ready_at.expect("it waits");
        assert_eq!(
            ready_at.since(now),
            Duration::from_millis(wait),
            "{lasted} {unit}"
        );
    }
}

#[test]
fn an_attempt_follows_a_deferred_one_only_if_that_was_the_one_before() {
    let with = |events: &[Event]| {
        let history = events
            .iter()
            .map(|event| Step::new(*event, at(0)))
            .collect();
        was_deferred(&Job {
            history,
            ..accepted(at(0))
        })
    };
    assert!(with(&[Event::Claim, Event::Defer, Event::Claim]));
    for events in [
        &[][..],
        &[Event::Claim],
        &[Event::Claim, Event::Retry, Event::Claim],
        &[Event::Claim, Event::Defer],
        &[
            Event::Claim,
            Event::Defer,
            Event::Claim,
            Event::Retry,
            Event::Claim,
        ],
    ] {
        assert!(!with(events), "{events:?}");
    }
}
