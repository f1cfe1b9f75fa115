//! Conformance suite for the table of jobs.

use std::time::Duration;

use cloakroom_core::listeners::PublishedEvent;
use cloakroom_core::transition::{Claim, Verdict, progress_report};
use cloakroom_core::{
    AttemptEnd, Digest, Failure, Isolation, Job, Lease, LeaseToken, Progress, Resource, ResultRef,
    RetryPolicy, Status, Success, Tenant, Timestamp, Transition, UploadId,
};
use uuid::Uuid;

use crate::ports::{Acceptance, Change, JobStore, PartsRecord, UploadTerms};
use crate::testing::host::split_mix;
use crate::testing::jobs::new_job;

const POLICY: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    base: Duration::from_secs(2),
    cap: Duration::from_secs(60),
};

fn fresh() -> u128 {
    Uuid::new_v4().as_u128()
}

fn lease(n: u64) -> Lease {
    Lease {
        token: LeaseToken::from_uuid(Uuid::from_u128(u128::from(n))),
        message_id: format!("m-{n}"),
        ends_at: Some(Timestamp::from_seconds(9)).filter(|_| n.is_multiple_of(2)),
        isolation: if n.is_multiple_of(3) {
            Isolation::Alone
        } else {
            Isolation::Shared
        },
    }
}

fn asked(job: &Job, n: u64) -> Claim {
    Claim {
        created_at: job.created_at,
        lease: lease(n),
        lease_time: Duration::from_secs(30),
        max_attempts: POLICY.max_attempts,
    }
}

fn claim(job: &Job, n: u64, now: Timestamp) -> Transition {
    Transition::claim(&asked(job, n), now)
}

/// Verifies a table of jobs. Times of the records are around `now`.
///
/// # Panics
/// If the implementation does not conform.
pub async fn job_store(store: &dyn JobStore, now: Timestamp) {
    acceptance(store, now).await;
    every_member_comes_back(store, now).await;
    uploads(store, now).await;
    for seed in 0..8 {
        any_sequence_of_changes(store, now, seed).await;
    }
    a_long_outage(store, now).await;
}

/// Checks that a long outage shortens the history of a job.
async fn a_long_outage(store: &dyn JobStore, mut now: Timestamp) {
    let mut job = new_job(now, fresh());
    store.accept(&job).await.expect("accept");
    for n in 0..12 {
        let claim = claim(&job, n, now);
        made(store, &job, &claim).await;
        let claimed = store
            .load(&job.key())
            .await
            .expect("load")
            .expect("the job");
        let end = AttemptEnd::Unavailable(Failure::unavailable("the result could not be stored"));
        let token = lease(n).token;
        job = made(
            store,
            &claimed,
            &Transition::settle(&claimed, token, end, &POLICY, now, 0.5),
        )
        .await;
        now = job.ready_at;
    }
    assert_eq!((job.attempt, job.history.len()), (0, 16));
}

async fn acceptance(store: &dyn JobStore, now: Timestamp) {
    let job = new_job(now, fresh());
    assert_eq!(
        store.load(&job.key()).await,
        Ok(None),
        "nothing is there at first"
    );
    assert_eq!(
        store.change(&job.key(), &Transition::withdraw(now)).await,
        Ok(Change::Refused(None)),
        "nothing is changed"
    );
    assert_eq!(
        store.load(&job.key()).await,
        Ok(None),
        "and nothing made by a change"
    );
    assert_eq!(store.accept(&job).await, Ok(Acceptance::Created));
    let mut again = new_job(
        now.after(Duration::from_secs(1)),
        job.id.as_uuid().as_u128(),
    );
    assert_eq!(
        store.accept(&again).await,
        Ok(Acceptance::Exists(Box::new(job.clone()))),
        "a live job stays as it is"
    );
    assert_eq!(store.load(&job.key()).await, Ok(Some(job.clone())));
    let other: Tenant = "other/tenant#1".parse().expect("a good name");
    again.tenant = other;
    assert_eq!(
        store.load(&again.key()).await,
        Ok(None),
        "another tenant's job is another job"
    );
    assert_eq!(store.accept(&again).await, Ok(Acceptance::Created));
    let late = new_job(job.expires_at, job.id.as_uuid().as_u128());
    assert_eq!(
        store.accept(&late).await,
        Ok(Acceptance::Created),
        "an expired job is as if it were not there"
    );
    let Ok(Change::Refused(Some(found))) = store
        .change(&late.key(), &claim(&job, 1, job.expires_at))
        .await
    else {
        panic!("a claim for the earlier incarnation was not refused");
    };
    assert_eq!(*found, late);
}

async fn every_member_comes_back(store: &dyn JobStore, now: Timestamp) {
    let mut bare = new_job(now, fresh());
    bare.client_job_id = None;
    store.accept(&bare).await.expect("accept");
    assert_eq!(store.load(&bare.key()).await, Ok(Some(bare)));

    let results = [
        None,
        Some(ResultRef::Inline {
            content_type: "application/json".into(),
            bytes: b"{\"a\":null}".to_vec(),
        }),
        Some(ResultRef::Inline {
            content_type: "image/png".into(),
            bytes: vec![0, 255, 128],
        }),
        Some(ResultRef::Inline {
            content_type: "text/plain".into(),
            bytes: vec![],
        }),
        Some(ResultRef::Stored {
            content_type: "image/png".into(),
            key: "results/x".into(),
            length: 1 << 40,
            sha256: Digest::from_content(b"x"),
            retention: Some(Duration::from_secs(3600)),
        }),
    ];
    for result in results {
        let job = new_job(now, fresh());
        store.accept(&job).await.expect("accept");
        made(store, &job, &claim(&job, 1, now)).await;
        let report = progress_report(
            Progress::new(33.333, Some("a third, ungefähr".into())),
            now,
            now.after(Duration::from_secs(9)),
        );
        let job = made(
            store,
            &job,
            &Transition::renew(lease(1).token, Duration::from_secs(30), Some(report), now),
        )
        .await;
        let resource = Some(Resource::parse("/reports/7").expect("a good place"));
        let published = vec![PublishedEvent {
            kind: "movie.created".into(),
            data: serde_json::json!({ "title": "übermäßig", "n": 1.5 }),
        }];
        let end = AttemptEnd::Done(Success {
            result,
            resource,
            published,
        });
        let job = made(
            store,
            &job,
            &Transition::settle(&job, lease(1).token, end, &POLICY, now, 0.5),
        )
        .await;
        assert_eq!(store.load(&job.key()).await, Ok(Some(job)));
    }
}

/// Applies a transition that must succeed, and checks that the returned record follows the rules.
async fn made(store: &dyn JobStore, before: &Job, transition: &Transition) -> Job {
    let before = store
        .load(&before.key())
        .await
        .expect("load")
        .expect("the job");
    let expected = transition.apply(&before).expect("the guard holds");
    assert_eq!(
        store.change(&before.key(), transition).await,
        Ok(Change::Made(Box::new(expected.clone())))
    );
    expected
}

async fn uploads(store: &dyn JobStore, now: Timestamp) {
    let upload = UploadId::from_uuid(Uuid::new_v4());
    let (tenant, until) = (Tenant::default(), now.after(Duration::from_secs(60)));
    let (first, second) = (new_job(now, fresh()).id, new_job(now, fresh()).id);
    assert_eq!(
        store.take_upload(&tenant, upload, first, until).await,
        Ok(true)
    );
    assert_eq!(
        store.take_upload(&tenant, upload, first, until).await,
        Ok(true),
        "again by the same job"
    );
    assert_eq!(
        store.take_upload(&tenant, upload, second, until).await,
        Ok(false),
        "an upload serves one job"
    );
    for sha256 in [None, Some(Digest::from_content(b"x"))] {
        let id = UploadId::from_uuid(Uuid::new_v4());
        let terms = UploadTerms {
            content_type: "text/plain; charset=utf-8".into(),
            length: 5 << 40,
            sha256,
        };
        let (tenant, part_length) = (
            "other/tenant#1".parse::<Tenant>().expect("a good name"),
            6 << 20,
        );
        let expires_at = Timestamp::from_seconds(now.as_seconds_ceil() + 60);
        let record = PartsRecord {
            tenant: tenant.clone(),
            id,
            store_id: "2~a/b+c=".into(),
            terms,
            part_length,
            digest: None,
            expires_at,
        };
        assert_eq!(
            store.upload(&tenant, id).await,
            Ok(None),
            "nothing is there at first"
        );
        for _ in 0..2 {
            assert_eq!(store.keep_upload(&record).await, Ok(()));
        }
        assert_eq!(store.take_upload(&tenant, id, first, until).await, Ok(true));
        assert_eq!(
            store.upload(&tenant, id).await,
            Ok(Some(record)),
            "regardless of its user"
        );
        assert_eq!(
            store.upload(&Tenant::default(), id).await,
            Ok(None),
            "another tenant's is another one"
        );
    }
}

/// Applies random transitions in random order. The implementation must follow the rules.
async fn any_sequence_of_changes(store: &dyn JobStore, now: Timestamp, seed: u64) {
    let mut state = seed;
    let mut model = new_job(now, fresh());
    let mut now = now;
    store.accept(&model).await.expect("accept");
    for step in 0..24 {
        let draw = split_mix(&mut state);
        now = now.after(Duration::from_millis(draw % 20_000));
        let transition = drawn(&model, draw, step, now);
        let expected = match transition.apply(&model) {
            Some(job) => Change::Made(Box::new(job)),
            None => Change::Refused(Some(Box::new(model.clone()))),
        };
        let changed = match (draw >> 50) % 2 {
            0 => store.change(&model.key(), &transition).await,
            _ => store.change_unseen(&model, &transition).await,
        };
        assert_eq!(
            changed,
            Ok(expected.clone()),
            "seed {seed}, step {step}: {transition:?}"
        );
        if let Change::Made(job) = expected {
            model = *job;
        }
    }
}

/// Returns the transition that a random number represents.
fn drawn(model: &Job, draw: u64, step: u64, now: Timestamp) -> Transition {
    let n = (draw >> 20) % 3;
    let token = model
        .lease
        .as_ref()
        .filter(|_| n > 0)
        .map_or(lease(n).token, |lease| lease.token);
    let failure = Failure::new("the printer is out of paper")
        .with_code("no-paper")
        .with_status(422);
    match (draw >> 40) % 15 {
        0 | 1 => claim(model, n + 3 * step, now),
        2 => Transition::take_over(&asked(model, n + 3 * step), token, now),
        3 => Transition::renew(token, Duration::from_secs(30), None, now),
        4 => {
            let report = progress_report(Progress::new(12.5, None), now, now);
            Transition::renew(token, Duration::from_secs(30), Some(report), now)
        }
        5 => Transition::settle(
            model,
            token,
            AttemptEnd::Retryable {
                failure,
                after: None,
            },
            &POLICY,
            now,
            0.5,
        ),
        6 if model.status == Status::Running => Transition::ask_to_cancel(now),
        6 => Transition::confirm_cancel(token, now),
        7 => Transition::settle(
            model,
            token,
            AttemptEnd::Terminal(failure),
            &POLICY,
            now,
            0.5,
        ),
        8 => Transition::give_up(model, token, now),
        9 => Transition::lapse(model.created_at, Duration::from_secs(draw % 50), now),
        10 => Transition::redrive(model, now),
        11 => match Verdict::for_sweep(Some(model), Duration::from_secs(20), false, now) {
            Verdict::End(transition) => *transition,
            Verdict::Over | Verdict::Another | Verdict::Wait(_) => Transition::redrive(model, now),
        },
        12 => Transition::withdraw(now),
        13 => Transition::give_back(token, now),
        _ => Transition::settle(
            model,
            token,
            AttemptEnd::Unavailable(failure),
            &POLICY,
            now,
            0.5,
        ),
    }
}
