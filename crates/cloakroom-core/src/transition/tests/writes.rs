//! Given an event, when its write is created, then it has these conditions and these changes.

mod claims;
mod patches;

use super::*;

/// Returns the write of an event from these statuses to this status, without further changes.
fn write(event: Event, from: &[Status], to: Status, now: Timestamp) -> Transition {
    Transition {
        guard: Guard {
            alive_at: now,
            statuses: from.to_vec(),
            created_at: None,
            token: None,
            ready_by: None,
            attempts_below: None,
            version: None,
        },
        patch: Patch {
            updated_at: now,
            status: Some(to),
            begin: None,
            uncounted: 0,
            ready_at: None,
            progress: None,
            finished_at: to.is_terminal().then_some(now),
            success: None,
            failure: None,
            anew: None,
            kept: None,
            step: Some(Step::new(event, now)),
        },
    }
}

/// Returns the same write, fenced by the token of the first attempt.
fn fenced(event: Event, from: &[Status], to: Status, now: Timestamp) -> Transition {
    let mut write = write(event, from, to, now);
    write.guard.token = Some(token(1));
    write
}

fn with_cause(mut write: Transition, failure: &Failure) -> Transition {
    write.patch.failure = Some(failure.clone());
    write.patch.step = write.patch.step.map(|step| step.with_cause(failure));
    write
}

fn running() -> Job {
    claimed(1, at(5), &accepted(at(0)))
}

fn settling(job: &Job, end: AttemptEnd) -> Transition {
    Transition::settle(job, token(1), end, &POLICY, at(9), 0.5)
}

fn no_paper() -> Failure {
    Failure::new("out of paper").with_code("no-paper")
}

const OPEN: [Status; 2] = [Status::Running, Status::Cancelling];

#[test]
fn a_claim_asks_for_a_free_job_of_its_incarnation_with_an_attempt_left() {
    let claim = claim(1, "m1");
    let mut want = write(
        Event::Claim,
        &[Status::Accepted, Status::Retrying],
        Status::Running,
        at(5),
    );
    (
        want.guard.created_at,
        want.guard.ready_by,
        want.guard.attempts_below,
    ) = (Some(at(0)), Some(at(5)), Some(3));
    (want.patch.begin, want.patch.ready_at) = (Some(claim.lease.clone()), Some(at(35)));
    assert_eq!(Transition::claim(&claim, at(5)), want);
    (want.guard.statuses, want.guard.attempts_below) = (vec![Status::Running], None);
    want.guard.token = Some(token(9));
    assert_eq!(Transition::take_over(&claim, token(9), at(5)), want);
}

#[test]
fn a_renewal_moves_the_end_of_the_lease_and_adds_no_step() {
    let mut want = fenced(Event::Renew, &OPEN, Status::Running, at(9));
    (want.patch.status, want.patch.step, want.patch.ready_at) = (None, None, Some(at(39)));
    assert_eq!(Transition::renew(token(1), LEASE, None, at(9)), want);
    let report = (Progress::new(50.0, None), Some(at(20)));
    want.patch.progress = Some(report.clone());
    assert_eq!(
        Transition::renew(token(1), LEASE, Some(report), at(9)),
        want
    );
    want.patch.step = Some(Step::new(Event::Renew, at(9)).with_cause(&no_paper()));
    let waiting = Transition {
        patch: Patch {
            step: None,
            ..want.patch.clone()
        },
        ..want.clone()
    };
    assert_eq!(waiting.waiting(&no_paper()), want);
}

#[test]
fn an_end_that_is_done_completes_what_progress_there_was() {
    let success = Success {
        result: None,
        resource: crate::Resource::parse("/a").ok(),
        published: vec![],
    };
    let mut want = fenced(Event::Succeed, &OPEN, Status::Succeeded, at(9));
    want.patch.success = Some(success.clone());
    assert_eq!(
        settling(&running(), AttemptEnd::Done(success.clone())),
        want
    );
    let mut halfway = running();
    halfway.progress = Some(Progress::new(50.0, Some("half".into())));
    want.patch.progress = Some((
        Progress {
            percent: 100.0,
            message: None,
        },
        Some(at(9)),
    ));
    assert_eq!(settling(&halfway, AttemptEnd::Done(success)), want);
}

#[test]
fn an_end_for_good_says_what_went_wrong() {
    let want = with_cause(
        fenced(Event::Fail, &OPEN, Status::Failed, at(9)),
        &no_paper(),
    );
    assert_eq!(settling(&running(), AttemptEnd::Terminal(no_paper())), want);
}

#[test]
fn a_retry_waits_for_the_backoff_or_as_its_handler_says_up_to_the_cap() {
    let seconds = Duration::from_secs;
    for (after, due) in [
        (None, 10),
        (Some(0), 9),
        (Some(60), 69),
        (Some(300), 309),
        (Some(301), 309),
    ] {
        let mut want = with_cause(
            fenced(Event::Retry, &[Status::Running], Status::Retrying, at(9)),
            &no_paper(),
        );
        want.patch.ready_at = Some(at(due));
        let end = AttemptEnd::Retryable {
            failure: no_paper(),
            after: after.map(seconds),
        };
        assert_eq!(settling(&running(), end), want, "{after:?}");
    }
    let stopped = Failure::new("the attempt was stopped before it finished");
    let mut want = with_cause(
        fenced(Event::Retry, &[Status::Running], Status::Retrying, at(9)),
        &stopped,
    );
    want.patch.ready_at = Some(at(10));
    assert_eq!(settling(&running(), AttemptEnd::Cancelled), want);
}

#[test]
fn a_retry_of_the_last_attempt_is_a_failure_whose_text_is_bounded() {
    for (attempt, fails) in [(2, false), (3, true), (4, true)] {
        let job = Job {
            attempt,
            ..running()
        };
        let end = AttemptEnd::Retryable {
            failure: Failure::new("a".repeat(2048)),
            after: None,
        };
        let transition = settling(&job, end);
        let detail = transition.patch.failure.expect("a failure").detail;
        assert_eq!(
            (
                transition.patch.status == Some(Status::Failed),
                detail.len()
            ),
            (fails, 2048),
            "{attempt}"
        );
        let gave_up = format!("gave up after {attempt} of {attempt} attempts; the last one: aaa");
        assert_eq!(detail.starts_with(&gave_up), fails, "{attempt}");
        assert_eq!(transition.patch.finished_at, fails.then_some(at(9)));
    }
}

#[test]
fn what_is_being_cancelled_is_cancelled_unless_its_end_is_one_for_good() {
    let job = Transition::ask_to_cancel(at(6))
        .apply(&running())
        .expect("it runs");
    let want = fenced(
        Event::ConfirmCancel,
        &[Status::Cancelling],
        Status::Cancelled,
        at(9),
    );
    for end in [
        retryable(),
        AttemptEnd::Unavailable(no_paper()),
        AttemptEnd::Cancelled,
    ] {
        assert_eq!(settling(&job, end), want);
    }
    assert_eq!(
        settling(&job, AttemptEnd::Terminal(no_paper()))
            .patch
            .status,
        Some(Status::Failed)
    );
}

#[test]
fn a_client_cancels_whatever_version_it_has_seen() {
    let withdrawn = write(
        Event::Withdraw,
        &[Status::Accepted, Status::Retrying],
        Status::Cancelled,
        at(9),
    );
    assert_eq!(Transition::withdraw(at(9)), withdrawn);
    let asked = write(
        Event::AskToCancel,
        &[Status::Running],
        Status::Cancelling,
        at(9),
    );
    assert_eq!(Transition::ask_to_cancel(at(9)), asked);
}

#[test]
fn who_ends_a_job_in_place_of_its_worker_waits_for_the_end_of_the_lease() {
    let mut want = fenced(
        Event::ConfirmCancel,
        &[Status::Cancelling],
        Status::Cancelled,
        at(9),
    );
    want.guard.ready_by = Some(at(9));
    assert_eq!(Transition::confirm_cancel(token(1), at(9)), want);
    let from = [Status::Running, Status::Retrying];
    let retrying = settling(
        &running(),
        AttemptEnd::Retryable {
            failure: no_paper(),
            after: None,
        },
    );
    let retrying = retrying.apply(&running()).expect("the lease holds");
    let mut failed_before = running();
    failed_before.failure = Some(no_paper());
    for (job, failure) in [
        (running(), cause_of_death(&running())),
        (retrying, no_paper()),
        (failed_before, cause_of_death(&running())),
    ] {
        let mut want = with_cause(
            fenced(Event::GiveUp, &from, Status::Failed, at(9)),
            &failure,
        );
        want.guard.ready_by = Some(at(9));
        assert_eq!(Transition::give_up(&job, token(1), at(9)), want);
    }
}

#[test]
fn a_job_lapses_once_it_was_ready_for_too_long() {
    let transition = Transition::lapse(at(0), Duration::from_secs(60), at(100));
    let failure = transition.patch.failure.clone().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.status), ("expired", 400));
    assert!(failure.detail.contains("within 60 s"), "{}", failure.detail);
    let mut want = with_cause(
        write(Event::Lapse, &[Status::Accepted], Status::Failed, at(100)),
        &failure,
    );
    (want.guard.created_at, want.guard.ready_by) = (Some(at(0)), Some(at(40)));
    assert_eq!(transition, want);
}

#[test]
fn a_redrive_begins_anew_with_the_last_twenty_steps() {
    assert_eq!(KEPT_OVER_A_REDRIVE, 20);
    let mut job = settling(&running(), AttemptEnd::Terminal(no_paper()))
        .apply(&running())
        .expect("the lease holds");
    for steps in [0, 2, 20, 21, 30] {
        job.history = (0..steps).map(|n| Step::new(Event::Claim, at(n))).collect();
        let mut want = write(Event::Redrive, &[Status::Failed], Status::Accepted, at(50));
        (want.guard.version, want.patch.ready_at) = (Some(job.version), Some(at(50)));
        want.patch.anew = Some(
            (steps.saturating_sub(20).max(0)..steps)
                .map(|n| Step::new(Event::Claim, at(n)))
                .collect(),
        );
        assert_eq!(Transition::redrive(&job, at(50)), want, "{steps}");
    }
}

#[test]
fn an_attempt_that_is_deferred_or_given_back_is_not_counted() {
    let away = Failure::unavailable("the result could not be stored");
    let mut halfway = running();
    halfway.progress = Some(Progress::new(50.0, Some("half".into())));
    for (job, percent) in [(running(), 0.0), (halfway, 50.0)] {
        let mut want = with_cause(
            fenced(Event::Defer, &[Status::Running], Status::Retrying, at(9)),
            &away,
        );
        want.patch.uncounted = 1;
        want.patch.ready_at = Some(at(9).after(Duration::from_millis(1500)));
        let message = Some("the result could not be stored; retrying".to_owned());
        want.patch.progress = Some((Progress { percent, message }, None));
        assert_eq!(settling(&job, AttemptEnd::Unavailable(away.clone())), want);
    }
    let lost = Failure::unavailable("the table was unavailable during the attempt");
    let mut want = with_cause(
        fenced(Event::Defer, &[Status::Running], Status::Retrying, at(9)),
        &lost,
    );
    (want.patch.uncounted, want.patch.ready_at) = (1, Some(at(9)));
    assert_eq!(Transition::give_back(token(1), at(9)), want);
}

#[test]
fn an_outage_fails_a_job_after_a_day_or_its_retention_and_not_before() {
    let hour = Duration::from_secs(3600);
    for (retention, limit) in [
        (hour, hour),
        (24 * hour, 24 * hour),
        (100 * hour, 24 * hour),
    ] {
        for (lasted, fails) in [
            (limit.saturating_sub(Duration::from_millis(1)), false),
            (limit, true),
        ] {
            let mut job = Job {
                retention,
                ..running()
            };
            job.history = vec![
                Step::new(Event::Claim, at(0)),
                Step::new(Event::Defer, at(0)),
                Step::new(Event::Claim, at(1)),
            ];
            let now = at(0).after(lasted);
            let end = AttemptEnd::Unavailable(Failure::unavailable("away"));
            let transition = Transition::settle(&job, token(1), end, &POLICY, now, 0.5);
            if fails {
                let detail = format!(
                    "gave up after {} min; the last attempt: away",
                    lasted.as_secs() / 60
                );
                let failure = Failure::unavailable(detail);
                assert_eq!(
                    transition,
                    with_cause(fenced(Event::Fail, &OPEN, Status::Failed, now), &failure)
                );
            } else {
                assert_eq!(
                    transition.patch.status,
                    Some(Status::Retrying),
                    "{retention:?}"
                );
            }
        }
    }
}

#[test]
fn each_event_meets_these_statuses() {
    use Status::{Accepted, Cancelled, Cancelling, Failed, Retrying, Running, Succeeded};
    for (event, from, to) in [
        (Event::Claim, &[Accepted, Running, Retrying][..], Running),
        (Event::Succeed, &[Running, Cancelling], Succeeded),
        (Event::Fail, &[Running, Cancelling], Failed),
        (Event::Retry, &[Running], Retrying),
        (Event::Defer, &[Running], Retrying),
        (Event::Withdraw, &[Accepted, Retrying], Cancelled),
        (Event::AskToCancel, &[Running], Cancelling),
        (Event::ConfirmCancel, &[Cancelling], Cancelled),
        (Event::GiveUp, &[Running, Retrying], Failed),
        (Event::Lapse, &[Accepted], Failed),
        (Event::Bury, &[Accepted, Running, Retrying], Failed),
        (Event::Sweep, &[Accepted, Running, Retrying], Failed),
        (Event::Redrive, &[Failed], Accepted),
    ] {
        for status in Status::ALL {
            let want = if from.contains(&status) {
                Ok(to)
            } else {
                Err(IllegalTransition { status, event })
            };
            assert_eq!(next(status, event), want);
        }
    }
    for status in Status::ALL {
        let want = if OPEN.contains(&status) {
            Ok(status)
        } else {
            Err(IllegalTransition {
                status,
                event: Event::Renew,
            })
        };
        assert_eq!(next(status, Event::Renew), want);
    }
}

#[test]
fn a_report_of_progress_estimates_the_end() {
    let report =
        |percent| progress_report(Progress::new(percent, Some("half".into())), at(10), at(20));
    assert_eq!(
        report(50.0),
        (Progress::new(50.0, Some("half".into())), Some(at(30)))
    );
    assert_eq!(report(0.0).1, None);
}
