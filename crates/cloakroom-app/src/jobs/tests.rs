//! Given a job, when it is polled, found or cancelled at any time, then the response is correct.

use std::sync::atomic::{AtomicU32, Ordering};

use cloakroom_core::{AttemptEnd, Failure, RetryPolicy, Success};
use serde::Deserialize;
use tokio::time::Instant;

use tokio::time::sleep;

use super::*;
use crate::changes::Changes;
use crate::host::Host as _;
use crate::observed::ObservedStore;
use crate::ports::JobStore as _;
use crate::testing::{Fault, Room, another, claim_by};
use crate::{Command, HandlerError, Output};

#[derive(Deserialize, schemars::JsonSchema)]
struct Nap {
    seconds: u64,
}

fn room() -> Room {
    let nap = |nap: Nap, job: crate::JobContext| async move {
        tokio::select! {
            () = sleep(Duration::from_secs(nap.seconds)) => Ok(Output::none()),
            () = job.cancelled() => Err(HandlerError::cancelled()),
        }
    };
    Room::new(vec![Command::json("nap.take", nap)])
}

async fn accepted(room: &Room) -> JobKey {
    room.send("nap.take", Some("k"), r#"{"seconds":20}"#)
        .await
        .expect("accepted")
        .job
        .key()
}

#[tokio::test(start_paused = true)]
async fn a_job_is_known_until_the_millisecond_of_its_expiry() {
    let room = room();
    let key = accepted(&room).await;
    room.jobs.cancel(&key).await.expect("cancelled");
    let client_job_id = "k".parse().expect("a key");
    let job = room.poll(&key).await;
    // It was cancelled after a millisecond, and expires at a whole second.
    let expiry = job.created_at.after(Duration::from_secs(86_401));
    assert_eq!(job.expires_at, expiry);
    for (at, known) in [
        (expiry.before(Duration::from_millis(1)), true),
        (expiry, false),
    ] {
        room.until(at).await;
        let polled = room.jobs.get(&key).await.expect("memory");
        let found = room.jobs.find(&key.tenant, &client_job_id).await;
        assert_eq!(polled.is_some(), known);
        assert_eq!(found.expect("memory"), polled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_answers_as_soon_as_the_job_is_over() {
    let room = room();
    let key = accepted(&room).await;
    let begun = Instant::now();
    let (job, ()) = tokio::join!(
        room.jobs.wait(&key, Duration::from_secs(99), |_| false),
        room.work_until_idle()
    );
    assert_eq!(job.expect("read").expect("known").status, Status::Succeeded);
    assert!(begun.elapsed() < Duration::from_secs(22));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_hears_of_a_change_just_after_its_look() {
    let mut room = room();
    let key = accepted(&room).await;
    let changes = Changes::default();
    let observed = ObservedStore::new(room.memory.clone(), changes.clone(), Arc::new(|_| {}));
    room.jobs.shared.store = Arc::new(observed);
    let ends = |job: &Job| {
        room.memory.alter(|jobs| {
            for job in jobs.values_mut() {
                job.status = Status::Succeeded;
            }
        });
        changes.notify(&job.key());
        false
    };
    let begun = Instant::now();
    let job = room.jobs.wait(&key, LONGEST_WAIT, ends).await;
    let status = job.map(|job| job.map(|job| job.status));
    assert_eq!(status, Ok(Some(Status::Succeeded)));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cant_be_read_is_not_taken_for_an_unknown_one() {
    let room = room();
    let key = accepted(&room).await;
    let client_job_id = "k".parse().expect("a key");
    let mut follow = room.jobs.follow(key.clone(), None, LONGEST_WAIT);
    for fault in [Fault::Before, Fault::Denied] {
        for _ in 0..5 {
            room.memory.fail("load", fault);
        }
        let waited = room.jobs.wait(&key, LONGEST_WAIT, |_| false).await;
        let read = [
            room.jobs.get(&key).await,
            waited,
            room.jobs.find(&key.tenant, &client_job_id).await,
        ];
        assert!(read.iter().all(Result::is_err), "{read:?}");
        follow.next(LONGEST_WAIT).await.expect_err("not read");
        let cancelled = room.jobs.cancel_if(&key, |_| true).await;
        cancelled.expect_err("not read");
    }
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_25_seconds_at_most_and_not_at_all_for_what_is_unknown_or_changed() {
    let room = room();
    let key = accepted(&room).await;
    let begun = Instant::now();
    let job = room
        .jobs
        .wait(&key, Duration::from_secs(99), |_| false)
        .await
        .expect("read")
        .expect("known");
    assert_eq!(
        (job.status, begun.elapsed()),
        (Status::Accepted, LONGEST_WAIT)
    );
    let begun = Instant::now();
    room.jobs
        .wait(&key, LONGEST_WAIT, |_| true)
        .await
        .expect("read")
        .expect("known");
    let unknown = JobKey {
        id: cloakroom_core::JobId::from_uuid(uuid::Uuid::nil()),
        ..key
    };
    assert_eq!(
        room.jobs.wait(&unknown, LONGEST_WAIT, |_| false).await,
        Ok(None)
    );
    assert!(begun.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn an_expired_job_is_unknown_though_its_record_is_still_there() {
    let room = room();
    let key = accepted(&room).await;
    let client_job_id = "k".parse().expect("a good key");
    assert!(matches!(
        room.jobs.cancel(&key).await,
        Ok(Cancellation::Cancelled(_))
    ));
    assert!(
        room.jobs
            .find(&key.tenant, &client_job_id)
            .await
            .expect("read")
            .is_some()
    );
    room.until(room.poll(&key).await.expires_at).await;
    assert!(room.memory.load(&key).await.expect("read").is_some());
    assert_eq!(room.jobs.get(&key).await, Ok(None));
    assert_eq!(room.jobs.find(&key.tenant, &client_job_id).await, Ok(None));
    assert_eq!(room.jobs.cancel(&key).await, Ok(Cancellation::Unknown));
}

#[tokio::test(start_paused = true)]
async fn an_open_job_is_known_after_its_deadline_until_the_sweeper_ends_it() {
    let room = room();
    let key = accepted(&room).await;
    let deadline = room.poll(&key).await.deadline();
    tokio::time::advance(Duration::from_secs(86_400)).await;
    assert!(deadline <= room.host.now());
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
    room.sweeper
        .sweep(std::slice::from_ref(&key))
        .await
        .expect("a look");
    assert_eq!(room.poll(&key).await.status, Status::Failed);
}

#[tokio::test(start_paused = true)]
async fn cancelled_before_it_runs_a_job_never_runs() {
    let room = room();
    let key = accepted(&room).await;
    assert!(matches!(
        room.jobs.cancel(&key).await,
        Ok(Cancellation::Cancelled(_))
    ));
    assert!(
        matches!(room.jobs.cancel(&key).await, Ok(Cancellation::Cancelled(_))),
        "again"
    );
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Cancelled, 0));
}

#[tokio::test(start_paused = true)]
async fn cancelled_while_it_runs_a_job_ends_when_its_handler_hears_of_it() {
    let room = room();
    let key = accepted(&room).await;
    let cancel = async {
        sleep(Duration::from_secs(3)).await;
        let asked = room.jobs.cancel(&key).await.expect("written");
        assert!(
            matches!(&asked, Cancellation::Requested(job) if job.status == Status::Cancelling),
            "{asked:?}"
        );
        assert!(
            matches!(room.jobs.cancel(&key).await, Ok(Cancellation::Requested(_))),
            "again"
        );
    };
    tokio::join!(cancel, room.work_until_idle());
    let job = room.poll(&key).await;
    let took = job.finished_at.expect("over").since(job.created_at);
    assert_eq!(job.status, Status::Cancelled);
    assert!(took < Duration::from_secs(12), "{took:?}");
    assert!(matches!(
        room.jobs.cancel(&key).await,
        Ok(Cancellation::Cancelled(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_over_is_not_cancelled() {
    let room = room();
    let key = accepted(&room).await;
    room.work_until_idle().await;
    assert!(
        matches!(room.jobs.cancel(&key).await, Ok(Cancellation::Finished(job)) if job.status == Status::Succeeded)
    );
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_may_not_have_been_written_is_to_be_sent_again() {
    for fault in [Fault::Before, Fault::Denied, Fault::After] {
        let room = room();
        let key = accepted(&room).await;
        room.memory.fail_nth(0, fault);
        assert!(room.jobs.cancel(&key).await.is_err());
        assert!(matches!(
            room.jobs.cancel(&key).await,
            Ok(Cancellation::Cancelled(_))
        ));
    }
}

/// Increments the version of an accepted job.
fn touch(room: &Room) {
    let mut transition = Transition::withdraw(room.host.now());
    transition.patch.status = Some(Status::Accepted);
    room.memory.alter(another(|_| transition.clone()));
}

#[tokio::test(start_paused = true)]
async fn a_condition_holds_at_the_moment_of_the_write() {
    let room = room();
    let key = accepted(&room).await;
    let version = room.poll(&key).await.version;
    // It changes between the look and the write.
    let looks = AtomicU32::new(0);
    let holds = |job: &Job| {
        if looks.fetch_add(1, Ordering::SeqCst) == 0 {
            touch(&room);
        }
        job.version == version
    };
    assert_eq!(
        room.jobs.cancel_if(&key, holds).await,
        Ok(Cancellation::Changed)
    );
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
    let cancelled = room
        .jobs
        .cancel_if(&key, |job| job.version == version + 1)
        .await;
    assert!(
        matches!(cancelled, Ok(Cancellation::Cancelled(_))),
        "{cancelled:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_changes_all_the_time_is_to_be_cancelled_again() {
    let room = room();
    let key = accepted(&room).await;
    let looks = AtomicU32::new(0);
    let restless = |_: &Job| {
        looks.fetch_add(1, Ordering::SeqCst);
        touch(&room);
        true
    };
    assert!(room.jobs.cancel_if(&key, restless).await.is_err());
    assert_eq!(looks.load(Ordering::SeqCst), 5);
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_a_job_is_cancelled_is_what_its_client_is_told() {
    let end = |job: &Job, end, now| {
        let token = job.lease.as_ref().expect("it runs").token;
        Transition::settle(job, token, end, &RetryPolicy::default(), now, 0.0)
    };
    for (done, status) in [
        (
            AttemptEnd::Done(Success::default()),
            Some(Status::Succeeded),
        ),
        (
            AttemptEnd::Terminal(Failure::new("no")),
            Some(Status::Failed),
        ),
        // It waits for its next attempt: the request was not written.
        (AttemptEnd::Unavailable(Failure::unavailable("away")), None),
    ] {
        let room = room();
        let key = accepted(&room).await;
        let now = room.host.now();
        room.memory.meanwhile(
            "change",
            another(move |job| Transition::claim(&claim_by("m", job), now)),
        );
        room.memory
            .meanwhile("change", another(move |job| end(job, done.clone(), now)));
        let cancelled = room.jobs.cancel(&key).await;
        match status {
            Some(status) => {
                assert!(
                    matches!(&cancelled, Ok(Cancellation::Finished(job)) if job.status == status),
                    "{cancelled:?}"
                );
            }
            None => assert!(
                matches!(&cancelled, Err(PortError::Unavailable { .. })),
                "{cancelled:?}"
            ),
        }
        assert_eq!(
            room.poll(&key).await.status,
            status.unwrap_or(Status::Retrying)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_begins_while_it_is_cancelled_is_told_to_stop() {
    let room = room();
    let key = accepted(&room).await;
    room.meter.take();
    let now = room.host.now();
    room.memory.meanwhile(
        "change",
        another(move |job| Transition::claim(&claim_by("m", job), now)),
    );
    let cancelled = room.jobs.cancel(&key).await;
    assert!(
        matches!(&cancelled, Ok(Cancellation::Requested(job)) if job.status == Status::Cancelling),
        "{cancelled:?}"
    );
    assert_eq!(
        (room.poll(&key).await.status, room.meter.facts()),
        (Status::Cancelling, vec![]),
        "its worker counts it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_conditional_cancellation_never_meets_the_next_job_of_its_id() {
    let room = room();
    let key = accepted(&room).await;
    // It expires, and the same key is used again, between the look and the write; both are of the first version.
    room.memory.meanwhile("change", |jobs| {
        for job in jobs.values_mut() {
            (job.created_at, job.expires_at) = (
                job.created_at.after(LONGEST_WAIT),
                job.expires_at.after(LONGEST_WAIT),
            );
        }
    });
    let created_at = room.poll(&key).await.created_at;
    assert_eq!(
        room.jobs
            .cancel_if(&key, |job| job.created_at == created_at)
            .await,
        Ok(Cancellation::Changed)
    );
    assert_eq!(room.poll(&key).await.status, Status::Accepted);
}

#[tokio::test(start_paused = true)]
async fn a_conditional_cancellation_answers_for_every_status() {
    let room = room();
    let key = accepted(&room).await;
    room.meter.take();
    assert_eq!(
        room.jobs.cancel_if(&key, |_| false).await,
        Ok(Cancellation::Changed)
    );
    let now = room.host.now();
    room.memory.meanwhile(
        "load",
        another(move |job| Transition::claim(&claim_by("m", job), now)),
    );
    for _ in 0..2 {
        let asked = room.jobs.cancel_if(&key, |_| true).await;
        assert!(
            matches!(&asked, Ok(Cancellation::Requested(job)) if job.status == Status::Cancelling),
            "{asked:?}"
        );
    }
    assert_eq!(
        room.jobs.cancel_if(&key, |_| false).await,
        Ok(Cancellation::Changed)
    );
    assert_eq!(room.meter.facts(), []);
    tokio::time::advance(Duration::from_secs(300)).await;
    room.work_until_idle().await;
    assert_eq!(room.meter.facts(), [Fact::Cancelled { run_time: None }]);
    assert!(matches!(
        room.jobs.cancel_if(&key, |_| true).await,
        Ok(Cancellation::Cancelled(_))
    ));
    assert_eq!(
        room.jobs.cancel_if(&key, |_| false).await,
        Ok(Cancellation::Changed)
    );
    assert_eq!(room.meter.facts(), [], "counted once");
    let unknown = JobKey {
        id: cloakroom_core::JobId::from_uuid(uuid::Uuid::nil()),
        ..key.clone()
    };
    assert_eq!(
        room.jobs.cancel_if(&unknown, |_| true).await,
        Ok(Cancellation::Unknown)
    );
    tokio::time::advance(Duration::from_secs(90_000)).await;
    assert_eq!(
        room.jobs.cancel_if(&key, |_| true).await,
        Ok(Cancellation::Unknown)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_over_is_finished_whatever_the_condition() {
    let room = room();
    let key = accepted(&room).await;
    room.work_until_idle().await;
    let finished = room.jobs.cancel_if(&key, |_| false).await;
    assert!(
        matches!(&finished, Ok(Cancellation::Finished(_))),
        "{finished:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_is_withdrawn_at_once_and_counted_once() {
    for (status, conditional) in [
        (Status::Accepted, false),
        (Status::Accepted, true),
        (Status::Retrying, false),
        (Status::Retrying, true),
    ] {
        let room = room();
        let key = accepted(&room).await;
        if status == Status::Retrying {
            let now = room.host.now();
            room.memory
                .alter(another(|job| Transition::claim(&claim_by("m", job), now)));
            room.memory.alter(another(|job| {
                let token = job.lease.as_ref().expect("it runs").token;
                let end = AttemptEnd::Retryable {
                    failure: Failure::new("again"),
                    after: None,
                };
                Transition::settle(job, token, end, &RetryPolicy::default(), now, 0.5)
            }));
        }
        assert_eq!(room.poll(&key).await.status, status);
        room.meter.take();
        for _ in 0..2 {
            let answer = if conditional {
                room.jobs.cancel_if(&key, |_| true).await
            } else {
                room.jobs.cancel(&key).await
            };
            assert!(
                matches!(&answer, Ok(Cancellation::Cancelled(job)) if job.status == Status::Cancelled),
                "{answer:?}"
            );
        }
        assert_eq!(room.meter.facts(), [Fact::Cancelled { run_time: None }]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_looks_again_after_a_tenth_of_a_second_and_then_less_and_less_often() {
    let room = room();
    let key = accepted(&room).await;
    room.memory.calls();
    room.jobs
        .wait(&key, LONGEST_WAIT, |_| false)
        .await
        .expect("read");
    // 0.1, 0.15, 0.225, 0.3375, 0.50625 and 0.759375 s, then each second, and at the end.
    assert_eq!(room.memory.calls().len(), 1 + 6 + 22 + 1);
    let begun = Instant::now();
    room.jobs
        .wait(&key, Duration::from_millis(250), |_| false)
        .await
        .expect("read");
    assert_eq!(
        (begun.elapsed(), room.memory.calls().len()),
        (Duration::from_millis(250), 3),
        "0, 0.1 and 0.25 s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_followed_is_read_once_a_second() {
    let room = room();
    let key = accepted(&room).await;
    let ten = Duration::from_secs(10);
    let mut follow = room.jobs.follow(key, None, ten * 2);
    assert!(matches!(follow.next(ten).await, Ok(FollowStep::Changed(_))));
    room.memory.calls();
    assert_eq!(follow.next(ten).await, Ok(FollowStep::Silence));
    assert_eq!(room.memory.calls(), ["load"; 11], "at 0, 1, … and 10 s");
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_a_job_sees_each_version_after_their_cursor_once() {
    let room = room();
    let key = accepted(&room).await;
    let minute = Duration::from_secs(60);
    let follow = async |cursor| {
        let mut follow = room.jobs.follow(key.clone(), cursor, minute);
        let mut seen = vec![];
        while let FollowStep::Changed(job) = follow.next(minute).await.expect("read") {
            seen.push((job.version, job.status));
        }
        seen
    };
    let works = async {
        sleep(Duration::from_millis(1)).await;
        room.work_until_idle().await;
    };
    let (seen, ()) = tokio::join!(follow(None), works);
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0), "{seen:?}");
    let (first, last) = (seen[0], seen[seen.len() - 1]);
    assert_eq!((first.1, last.1), (Status::Accepted, Status::Succeeded));
    let last = last.0;
    assert_eq!(follow(Some(last - 1)).await, seen[seen.len() - 1..]);
    assert_eq!(follow(Some(last)).await, []);
    assert_eq!(follow(Some(last + 1)).await, []);
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_a_job_hears_of_silence_until_their_time_has_passed() {
    let room = room();
    let key = accepted(&room).await;
    let seconds = Duration::from_secs;
    let begun = Instant::now();
    let mut follow = room.jobs.follow(key, None, seconds(60));
    let first = follow.next(seconds(10)).await.expect("read");
    assert!(matches!(first, FollowStep::Changed(_)), "{first:?}");
    assert_eq!(follow.next(seconds(10)).await, Ok(FollowStep::Silence));
    assert_eq!(begun.elapsed(), seconds(10));
    assert_eq!(follow.next(seconds(99)).await, Ok(FollowStep::End));
    assert_eq!(begun.elapsed(), seconds(60));
    let unknown = crate::testing::new_job(room.host.now(), 1);
    let mut follow = room.jobs.follow(unknown.key(), None, seconds(60));
    assert_eq!(follow.next(seconds(10)).await, Ok(FollowStep::End));
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_a_job_sees_it_once_more_at_the_end_of_their_time() {
    let room = room();
    let key = accepted(&room).await;
    let mut follow = room.jobs.follow(key.clone(), None, Duration::ZERO);
    let first = follow.next(Duration::ZERO).await.expect("read");
    assert!(matches!(first, FollowStep::Changed(_)), "{first:?}");
    assert_eq!(follow.next(Duration::ZERO).await, Ok(FollowStep::End));

    let (minute, millis) = (Duration::from_secs(60), Duration::from_millis);
    let version = room.poll(&key).await.version;
    let mut follow = room.jobs.follow(key, Some(version), millis(10_500));
    let changes = async {
        sleep(millis(10_400)).await;
        touch(&room);
    };
    let (last, ()) = tokio::join!(follow.next(minute), changes);
    let last = last.expect("read");
    assert!(matches!(last, FollowStep::Changed(_)), "{last:?}");
    assert_eq!(follow.next(minute).await, Ok(FollowStep::End));
}
