//! Given a record, when a guard is checked or a claim refused, then each part of the record counts.

use super::*;

#[test]
fn a_guard_holds_only_if_every_part_of_it_does() {
    let job = Job {
        attempt: 2,
        ready_at: at(30),
        ..running()
    };
    let guard = Guard {
        alive_at: at(9),
        statuses: vec![Status::Running],
        created_at: Some(job.created_at),
        token: Some(token(1)),
        ready_by: Some(at(30)),
        attempts_below: Some(3),
        version: Some(job.version),
    };
    assert!(guard.holds(&job));
    let blank = Guard {
        created_at: None,
        token: None,
        ready_by: None,
        attempts_below: None,
        version: None,
        ..guard.clone()
    };
    assert!(
        blank.holds(&job)
            && blank.holds(&Job {
                lease: None,
                ..job.clone()
            })
    );
    for broken in [
        Guard {
            alive_at: job.expires_at,
            ..guard.clone()
        },
        Guard {
            statuses: vec![],
            ..guard.clone()
        },
        Guard {
            statuses: vec![Status::Cancelling, Status::Accepted],
            ..guard.clone()
        },
        Guard {
            created_at: Some(at(1)),
            ..guard.clone()
        },
        Guard {
            token: Some(token(2)),
            ..guard.clone()
        },
        Guard {
            ready_by: Some(at(29)),
            ..guard.clone()
        },
        Guard {
            attempts_below: Some(2),
            ..guard.clone()
        },
        Guard {
            attempts_below: Some(1),
            ..guard.clone()
        },
        Guard {
            version: Some(job.version - 1),
            ..guard.clone()
        },
        Guard {
            version: Some(job.version + 1),
            ..guard.clone()
        },
    ] {
        assert!(!broken.holds(&job), "{broken:?}");
    }
    assert!(
        Guard {
            ready_by: Some(at(31)),
            attempts_below: Some(4),
            ..guard.clone()
        }
        .holds(&job)
    );
    assert!(
        !guard.holds(&Job { lease: None, ..job }),
        "a token of nobody"
    );
}

#[test]
fn a_refused_claim_means_what_the_record_says() {
    let refusal =
        |job: &Job, n, message, seconds| Refusal::new(&claim(n, message), Some(job), at(seconds));
    let running = running();
    let retrying = settling(
        &running,
        AttemptEnd::Retryable {
            failure: no_paper(),
            after: Some(Duration::from_secs(60)),
        },
    )
    .apply(&running)
    .expect("the lease holds");
    let cancelling = Transition::ask_to_cancel(at(6))
        .apply(&running)
        .expect("it runs");
    // It waits, or came free meanwhile; any message of it may bring it.
    for message in ["m1", "m2"] {
        assert_eq!(refusal(&retrying, 2, message, 10), Refusal::Later(at(69)));
        assert_eq!(refusal(&retrying, 2, message, 69), Refusal::Later(at(69)));
    }
    assert_eq!(refusal(&accepted(at(0)), 1, "m1", 0), Refusal::Later(at(0)));
    // It runs: by this message, or by another.
    for job in [&running, &cancelling] {
        assert_eq!(refusal(job, 2, "m1", 34), Refusal::Later(at(35)));
        assert_eq!(refusal(job, 2, "m2", 34), Refusal::Duplicate);
        assert_eq!(refusal(job, 1, "m2", 34), Refusal::Mine);
        assert_eq!(refusal(job, 1, "m1", 99), Refusal::Mine);
    }
    // Its worker died: any message goes on with it.
    for message in ["m1", "m2"] {
        let take_over = Refusal::TakeOver {
            dead: token(1),
            isolation: Isolation::Shared,
        };
        assert_eq!(refusal(&running, 2, message, 35), take_over);
        assert_eq!(
            refusal(&cancelling, 2, message, 35),
            Refusal::Cancel(token(1))
        );
    }
    for (attempt, refused) in [
        (2, Refusal::Later(at(69))),
        (3, Refusal::Exhausted(token(1))),
        (4, Refusal::Exhausted(token(1))),
    ] {
        assert_eq!(
            refusal(
                &Job {
                    attempt,
                    ..retrying.clone()
                },
                2,
                "m1",
                69
            ),
            refused,
            "{attempt}"
        );
    }
    let over = settling(&running, AttemptEnd::Terminal(no_paper()))
        .apply(&running)
        .expect("the lease holds");
    assert_eq!(refusal(&over, 1, "m1", 10), Refusal::Over);
    assert_eq!(refusal(&running, 1, "m1", 15 * 86_400 + 4), Refusal::Mine);
    assert_eq!(
        refusal(&running, 1, "m1", 15 * 86_400 + 5),
        Refusal::Over,
        "expired"
    );
    assert_eq!(
        Refusal::new(
            &Claim {
                created_at: at(1),
                ..claim(1, "m1")
            },
            Some(&running),
            at(6)
        ),
        Refusal::Over
    );
}

#[test]
fn after_a_death_the_last_attempt_runs_alone_and_none_follows_one_that_did() {
    let refusal = |attempt, isolation| {
        let mut job = running();
        job.attempt = attempt;
        job.lease.as_mut().expect("leased").isolation = isolation;
        Refusal::new(&claim(2, "m1"), Some(&job), at(35))
    };
    let take_over = |isolation| Refusal::TakeOver {
        dead: token(1),
        isolation,
    };
    let (alone, shared) = (Isolation::Alone, Isolation::Shared);
    for (attempt, ran, want) in [
        (1, shared, take_over(shared)),
        (1, alone, take_over(shared)),
        (2, shared, take_over(alone)),
        (2, alone, take_over(alone)),
        (3, shared, take_over(alone)),
        (3, alone, Refusal::Exhausted(token(1))),
        (4, alone, Refusal::Exhausted(token(1))),
        (u32::MAX, shared, take_over(alone)),
    ] {
        assert_eq!(refusal(attempt, ran), want, "{attempt} {ran:?}");
    }
}
