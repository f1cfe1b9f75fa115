//! Given a patch, when it is applied to a record, then it makes each change that it names, and no other.

use super::*;

/// A job that has everything.
fn full() -> Job {
    let mut job = running();
    (job.progress, job.estimated_finish_at) = (Some(Progress::new(50.0, None)), Some(at(90)));
    (job.finished_at, job.failure, job.success) =
        (Some(at(8)), Some(no_paper()), Some(Success::default()));
    job
}

#[test]
fn a_patch_that_says_nothing_changes_the_version_the_time_and_the_expiry() {
    let job = Job {
        updated_at: at(1),
        expires_at: at(1),
        ..full()
    };
    let mut patch = write(Event::Renew, &[], Status::Running, at(10)).patch;
    (patch.status, patch.step) = (None, None);
    let expires_at = at(86_410).after(OVERTIME);
    let want = Job {
        version: job.version + 1,
        updated_at: at(10),
        expires_at,
        ..job.clone()
    };
    assert_eq!(patch.apply(job.clone()), want);
    assert_eq!(
        patch
            .apply(Job {
                version: u64::MAX,
                ..job
            })
            .version,
        u64::MAX,
        "of a damaged record"
    );
}

#[test]
fn the_record_of_a_job_that_ends_is_kept_for_its_retention_and_that_of_an_open_one_for_longer() {
    for status in Status::ALL {
        let after = write(Event::Renew, &[], status, at(10)).patch.apply(Job {
            ready_at: at(10),
            ..full()
        });
        let overtime = if status.is_terminal() {
            Duration::ZERO
        } else {
            OVERTIME
        };
        assert_eq!(
            (after.expires_at, after.deadline()),
            (at(86_410).after(overtime), at(86_410)),
            "{status:?}"
        );
    }
}

#[test]
fn a_patch_makes_each_change_that_it_says() {
    let job = full();
    let mut patch = write(Event::Succeed, &[], Status::Succeeded, at(10)).patch;
    let success = Success {
        result: None,
        resource: crate::Resource::parse("/a").ok(),
        published: vec![],
    };
    (patch.success, patch.failure, patch.ready_at) = (
        Some(success.clone()),
        Some(Failure::new("no")),
        Some(at(77)),
    );
    patch.progress = Some((Progress::new(70.0, None), None));
    let want = Job {
        version: job.version + 1,
        updated_at: at(10),
        expires_at: at(86_410),
        status: Status::Succeeded,
        success: Some(success),
        failure: Some(Failure::new("no")),
        ready_at: at(77),
        progress: Some(Progress::new(70.0, None)),
        estimated_finish_at: None,
        finished_at: Some(at(10)),
        history: [&job.history[..], &[Step::new(Event::Succeed, at(10))]].concat(),
        ..job.clone()
    };
    assert_eq!(patch.apply(job.clone()), want);
    patch.kept = Some(vec![]);
    assert_eq!(
        patch.apply(job).history,
        [Step::new(Event::Succeed, at(10))],
        "the steps that are kept, and the new one"
    );
}

#[test]
fn an_attempt_that_begins_is_counted_and_has_no_progress_yet() {
    let job = Job {
        attempt: 1,
        ..full()
    };
    let mut patch = write(Event::Claim, &[], Status::Running, at(10)).patch;
    let lease = claim(7, "m7").lease;
    patch.begin = Some(lease.clone());
    let begun = patch.apply(job.clone());
    assert_eq!(
        (begun.lease, begun.attempt, begun.started_at),
        (Some(lease), 2, Some(at(5)))
    );
    assert_eq!((begun.progress, begun.estimated_finish_at), (None, None));
    let first = patch.apply(Job {
        started_at: None,
        ..job.clone()
    });
    assert_eq!(first.started_at, Some(at(10)));
    patch.uncounted = 1;
    assert_eq!(patch.apply(job.clone()).attempt, 1);
    patch.begin = None;
    assert_eq!(
        patch
            .apply(Job {
                attempt: 0,
                ..job.clone()
            })
            .attempt,
        0,
        "of a damaged record"
    );
    assert_eq!(patch.apply(job).attempt, 0);
}

#[test]
fn a_job_that_begins_anew_has_no_past_but_the_steps_that_it_takes_along() {
    let job = full();
    let mut patch = write(Event::Redrive, &[], Status::Accepted, at(10)).patch;
    let kept = Step::new(Event::Fail, at(3));
    (patch.anew, patch.ready_at) = (Some(vec![kept.clone()]), Some(at(10)));
    let want = Job {
        version: job.version + 1,
        updated_at: at(10),
        expires_at: at(86_410).after(OVERTIME),
        status: Status::Accepted,
        attempt: 0,
        lease: None,
        progress: None,
        estimated_finish_at: None,
        started_at: None,
        finished_at: None,
        failure: None,
        ready_at: at(10),
        history: vec![kept, Step::new(Event::Redrive, at(10))],
        ..job.clone()
    };
    assert_eq!(patch.apply(job), want);
}
