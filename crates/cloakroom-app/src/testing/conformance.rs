//! What every implementation of a port must do. Run against the one in memory, and against the real adapters over
//! whatever stands in for the services.
//!
//! Each suite keeps to ids of its own, so that it may run beside anything else on the same table and bucket. A queue is its
//! own.

mod parts;
mod queue;

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::transition::{Claim, Verdict, progress_report};
use cloakroom_core::{
    AttemptEnd, Digest, Failure, Isolation, Job, Lease, LeaseToken, Progress, Resource, ResultRef,
    RetryPolicy, Status, Success, Tenant, Timestamp, Transition, UploadId,
};
use futures::StreamExt as _;
use uuid::Uuid;

pub use parts::{LEAST_PART, parts};
pub use queue::{WholeQueue, none, one, queue};

use super::{new_job, split_mix};
use crate::body::BodyHead;
use crate::ports::{
    Acceptance, Change, DeadLetterStore, JobStore, ObjectInfo, Objects, PartsRecord, SourceAborted,
    UploadTerms,
};

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

/// The table of jobs. Times of the records are around `now`.
///
/// # Panics
/// When the implementation is not one.
pub async fn job_store(store: &dyn JobStore, now: Timestamp) {
    acceptance(store, now).await;
    every_member_comes_back(store, now).await;
    uploads(store, now).await;
    for seed in 0..8 {
        any_sequence_of_changes(store, now, seed).await;
    }
    a_long_outage(store, now).await;
}

/// Shortens the history of a job.
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
            sha256: Digest::of(b"x"),
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
        let end = AttemptEnd::Done(Success { result, resource });
        let job = made(
            store,
            &job,
            &Transition::settle(&job, lease(1).token, end, &POLICY, now, 0.5),
        )
        .await;
        assert_eq!(store.load(&job.key()).await, Ok(Some(job)));
    }
}

/// Makes a change that must hold, and checks that what comes back is what the rules say.
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
    for sha256 in [None, Some(Digest::of(b"x"))] {
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
            "whoever took it"
        );
        assert_eq!(
            store.upload(&Tenant::default(), id).await,
            Ok(None),
            "another tenant's is another one"
        );
    }
}

/// Whatever is asked in whatever order: the implementation answers as the rules themselves do.
async fn any_sequence_of_changes(store: &dyn JobStore, now: Timestamp, seed: u64) {
    let mut state = seed;
    let mut model = new_job(now, fresh());
    let mut now = now;
    store.accept(&model).await.expect("accept");
    for step in 0..24 {
        let draw = split_mix(&mut state);
        now = now.after(Duration::from_millis(draw % 20_000));
        let n = (draw >> 20) % 3;
        let token = model
            .lease
            .as_ref()
            .filter(|_| n > 0)
            .map_or(lease(n).token, |lease| lease.token);
        let failure = Failure::new("the printer is out of paper")
            .with_code("no-paper")
            .with_status(422);
        let transition = match (draw >> 40) % 15 {
            0 | 1 => claim(&model, n + 3 * step, now),
            2 => Transition::take_over(&asked(&model, n + 3 * step), token, now),
            3 => Transition::renew(token, Duration::from_secs(30), None, now),
            4 => {
                let report = progress_report(Progress::new(12.5, None), now, now);
                Transition::renew(token, Duration::from_secs(30), Some(report), now)
            }
            5 => Transition::settle(
                &model,
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
                &model,
                token,
                AttemptEnd::Terminal(failure),
                &POLICY,
                now,
                0.5,
            ),
            8 => Transition::give_up(&model, token, now),
            9 => Transition::lapse(model.created_at, Duration::from_secs(draw % 50), now),
            10 => Transition::redrive(&model, now),
            11 => match Verdict::of_sweep(Some(&model), Duration::from_secs(20), false, now) {
                Verdict::End(transition) => *transition,
                Verdict::Over | Verdict::Another | Verdict::Wait(_) => {
                    Transition::redrive(&model, now)
                }
            },
            12 => Transition::withdraw(now),
            13 => Transition::give_back(token, now),
            _ => Transition::settle(
                &model,
                token,
                AttemptEnd::Unavailable(failure),
                &POLICY,
                now,
                0.5,
            ),
        };
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

/// The store of objects. Links are proven where they can be followed, by the whole-flow tests.
///
/// # Panics
/// When the implementation is not one.
pub async fn objects(objects: &dyn Objects) {
    let key = format!("uploads/conformance/{}", Uuid::new_v4());
    let copy = format!("payloads/conformance/{}", Uuid::new_v4());
    assert_eq!(objects.get(&key).await, Ok(None));
    assert_eq!(objects.info(&key).await, Ok(None));
    assert_eq!(objects.digest(&key).await, Ok(None));
    assert_eq!(objects.head(&key).await, Ok(None));
    let nothing = ObjectInfo {
        content_type: "image/png".into(),
        length: 5,
        sha256: None,
        etag: "\"0\"".into(),
    };
    assert_eq!(objects.copy(&key, &nothing, &copy).await, Ok(false));
    let bytes: Bytes = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    for bytes in [Bytes::new(), Bytes::from_static(b"first"), bytes] {
        objects
            .put(&key, "image/png", bytes.clone())
            .await
            .expect("put");
        assert_eq!(
            objects.head(&key).await,
            Ok(Some(BodyHead::from_whole(&bytes))),
            "the beginning, and the length"
        );
        assert_eq!(objects.get(&key).await, Ok(Some(bytes.clone())));
        assert_eq!(objects.digest(&key).await, Ok(Some(Digest::of(&bytes))));
        let info = objects.info(&key).await.expect("info").expect("an object");
        assert_eq!(
            (info.content_type.as_str(), info.length),
            ("image/png", bytes.len() as u64)
        );
        assert!(
            info.sha256
                .is_none_or(|sha256| sha256 == Digest::of(&bytes))
        );
        assert_eq!(
            objects.copy(&key, &nothing, &copy).await,
            Ok(false),
            "another than was known"
        );
        assert_eq!(objects.copy(&key, &info, &copy).await, Ok(true));
        assert_eq!(objects.get(&copy).await, Ok(Some(bytes)));
        assert_eq!(
            objects
                .info(&copy)
                .await
                .expect("info")
                .map(|info| info.content_type)
                .as_deref(),
            Some("image/png")
        );
    }
    pieces(objects, &key).await;
    let link = objects
        .link(&key, Duration::from_secs(60))
        .await
        .expect("link");
    assert!(link.starts_with("http"), "{link}");
    let terms = UploadTerms {
        content_type: "image/png".into(),
        length: 7,
        sha256: Some(Digest::of(b"x")),
    };
    let link = objects
        .upload_link(&key, &terms, Duration::from_secs(60))
        .await
        .expect("link");
    let named = |name: &str| {
        link.headers
            .iter()
            .any(|(header, _)| header.eq_ignore_ascii_case(name))
    };
    assert!(
        link.url.starts_with("http") && named("content-type"),
        "{link:?}"
    );
}

/// Of sizes below, at and above 5 MiB, where a store begins to write in parts.
async fn pieces(objects: &dyn Objects, key: &str) {
    const MIB: usize = 1024 * 1024;
    let sent = |length: usize, piece: usize| -> Vec<Bytes> {
        let bytes: Bytes = (0..=250).cycle().take(length).collect();
        (0..length)
            .step_by(piece)
            .map(|at| bytes.slice(at..(at + piece).min(length)))
            .collect()
    };
    for (length, piece) in [
        (0, 1),
        (5, 2),
        (5 * MIB, 3 * MIB),
        (10 * MIB, 10 * MIB),
        (17 * MIB + 1, 20 * MIB),
        (17 * MIB + 1, MIB - 1),
    ] {
        let (all, key) = (sent(length, piece), &format!("{key}-{length}-{piece}"));
        let whole = futures::stream::iter(all.clone().into_iter().map(Ok)).boxed();
        assert_eq!(
            objects.put_pieces(key, "image/png", whole).await,
            Ok(true),
            "{length}"
        );
        let info = objects.info(key).await.expect("info").expect("an object");
        assert_eq!(
            (info.content_type.as_str(), info.length),
            ("image/png", length as u64)
        );
        assert!(
            objects
                .get(key)
                .await
                .expect("get")
                .is_some_and(|got| got == all.concat()),
            "{length}"
        );
        let to = format!("{key}-copy");
        assert_eq!(objects.copy(key, &info, &to).await, Ok(true), "{length}");
        assert_eq!(
            objects.digest(&to).await,
            Ok(Some(Digest::of(&all.concat()))),
            "{length}"
        );
        let copied = objects.info(&to).await.expect("info").expect("an object");
        assert_eq!(
            (copied.content_type.as_str(), copied.length),
            ("image/png", length as u64)
        );
    }
    let key = &format!("{key}-broken-off");
    for length in [5, 6 * MIB, 18 * MIB] {
        let pieces = sent(length, MIB)
            .into_iter()
            .map(Ok)
            .chain([Err(SourceAborted)]);
        assert_eq!(
            objects
                .put_pieces(key, "image/png", futures::stream::iter(pieces).boxed())
                .await,
            Ok(false)
        );
        assert_eq!(
            objects.info(key).await,
            Ok(None),
            "what broke off was never there"
        );
    }
}

/// A store of dead letters.
///
/// # Panics
/// When the implementation is not one.
pub async fn dead_letters(dead_letters: &dyn DeadLetterStore) {
    let prefix = format!("dead-letters/conformance-{}/", Uuid::new_v4());
    let keys: Vec<_> = (0..7).map(|n| format!("{prefix}{n}/message")).collect();
    assert_eq!(dead_letters.list(&prefix, None).await, Ok(vec![]));
    for key in &keys {
        dead_letters.store(key, "first").await.expect("kept");
        dead_letters
            .store(key, &format!("né {key}"))
            .await
            .expect("kept over another");
    }
    let mut listed: Vec<String> = vec![];
    while listed.len() <= keys.len() {
        let page = dead_letters
            .list(&prefix, listed.last().map(String::as_str))
            .await
            .expect("a page");
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    assert_eq!(listed, keys, "in order, each once");
    for key in &keys {
        assert_eq!(dead_letters.read(key).await, Ok(Some(format!("né {key}"))));
        dead_letters.remove(key).await.expect("forgotten");
        dead_letters.remove(key).await.expect("forgotten already");
        assert_eq!(dead_letters.read(key).await, Ok(None));
    }
    assert_eq!(dead_letters.list(&prefix, None).await, Ok(vec![]));
}
