//! Given an attempt that begins, then its record has the time of each write, and no bound of time is off by a millisecond.

use cloakroom_core::Timestamp;
use cloakroom_core::transition::Event;

use super::*;
use crate::delivery::Delivery;
use crate::submit::{Body, Submission};

const A_MILLISECOND: Duration = Duration::from_millis(1);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn received(room: &Room) -> Delivery {
    room.memory.receive(seconds(15)).expect("a message")
}

async fn handle(room: &Room, delivery: &Delivery) -> Disposition {
    let ends_at = room.host.now().after(seconds(900));
    room.worker.handle(delivery, ends_at).await
}

/// The steps of a job, each with its time in milliseconds after the job was accepted.
async fn steps(room: &Room, key: &JobKey) -> Vec<(Event, i64)> {
    let job = room.poll(key).await;
    let since = |at: Timestamp| at.as_millis() - job.created_at.as_millis();
    job.history
        .iter()
        .map(|step| (step.event, since(step.at)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_claim_has_the_time_of_its_write_though_the_write_before_it_took_seconds() {
    let room = room(u64::MAX, task());
    let key = sent(&room, r#"{"seconds": 60}"#).await;
    room.memory.fail("change", Fault::After);
    assert_eq!(handle(&room, &received(&room)).await, Disposition::Done);
    sleep(seconds(5)).await;
    room.memory.slow("change", seconds(4));
    let runs = timeout(seconds(9), batch(&room, 900)).await;
    assert!(runs.is_err(), "its handler takes a minute");
    assert_eq!(
        steps(&room, &key).await,
        [
            (Event::Claim, 1),
            (Event::Defer, 5_001),
            (Event::Claim, 9_001)
        ]
    );
    let job = room.poll(&key).await;
    let claimed_at = job.created_at.after(Duration::from_millis(9_001));
    assert_eq!(job.ready_at, claimed_at.after(seconds(30)));
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_over_when_the_lease_is_over_and_has_one_that_begins_then() {
    let mut room = room(u64::MAX, task());
    let key = sent(&room, r#"{"seconds": 60}"#).await;
    let delivery = received(&room);
    assert!(
        timeout(seconds(5), handle(&room, &delivery)).await.is_err(),
        "it died"
    );
    room.worker.admission = Admission::unlimited();
    sleep(seconds(25).saturating_sub(A_MILLISECOND)).await;
    assert_eq!(handle(&room, &delivery).await, Disposition::Keep);
    assert_eq!(steps(&room, &key).await, [(Event::Claim, 1)]);
    sleep(A_MILLISECOND).await;
    assert!(
        timeout(seconds(5), handle(&room, &delivery)).await.is_err(),
        "its handler takes a minute"
    );
    assert_eq!(
        steps(&room, &key).await,
        [(Event::Claim, 1), (Event::Claim, 30_001)]
    );
    let job = room.poll(&key).await;
    let taken_over_at = job.created_at.after(Duration::from_millis(30_001));
    assert_eq!(job.ready_at, taken_over_at.after(seconds(30)));
}

#[tokio::test(start_paused = true)]
async fn a_last_attempt_has_the_time_of_its_take_over_though_it_waited_for_the_other_attempts() {
    let mut room = room(u64::MAX, task().attempts(1).timeout(seconds(60)));
    let key = sent(&room, r#"{"seconds": 50}"#).await;
    crash(&mut room, &[&key]).await;
    let other = room.worker.admission.admit(0).await.expect("a place");
    let looks = async {
        sleep(seconds(40)).await;
        drop(other);
        sleep(seconds(5)).await;
        let job = room.poll(&key).await;
        let taken_over_at = job.created_at.after(Duration::from_millis(85_001));
        assert_eq!(job.ready_at, taken_over_at.after(seconds(30)));
    };
    tokio::join!(batch(&room, 900), looks);
    assert_eq!(
        steps(&room, &key).await,
        [
            (Event::Claim, 1),
            (Event::Claim, 85_001),
            (Event::Succeed, 135_001)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_not_begun_if_the_writes_before_it_took_all_its_time() {
    // The lapse is rejected because the job has started, and the claim because its worker crashed.
    for (writes, calls) in [
        (1, vec!["change", "hide"]),
        (2, vec!["change", "change", "hide"]),
    ] {
        let mut room = room(u64::MAX, task().start_within(seconds(10)));
        let key = sent(&room, r#"{"seconds": 10}"#).await;
        crash(&mut room, &[&key]).await;
        let (message, crashed) = (received(&room), room.poll(&key).await);
        room.memory.calls();
        room.memory.slow("change", seconds(4));
        let margin = room.worker.settings.margin;
        let ends_at = room.host.now().after(margin + seconds(4 * writes));
        let disposition = room.worker.handle(&message, ends_at).await;
        assert_eq!(disposition, Disposition::Keep);
        assert_eq!(room.memory.calls(), calls);
        assert_eq!(room.poll(&key).await, crashed);
    }
}

/// Submits a job that may begin after this time.
async fn sent_for_later(room: &Room, wait: Duration) -> JobKey {
    let body = Body::Sent {
        content_type: None,
        bytes: r#"{"seconds": 0}"#.into(),
    };
    let submission = Submission {
        not_before: Some(room.host.now().after(wait)),
        ..Room::submission("task", body)
    };
    let submitted = room.submit.submit(submission).await.expect("accepted");
    submitted.job.key()
}

#[tokio::test(start_paused = true)]
async fn a_job_for_later_must_begin_within_its_limit_from_then() {
    for (early, status) in [
        (A_MILLISECOND, Status::Succeeded),
        (Duration::ZERO, Status::Failed),
    ] {
        let room = room(u64::MAX, task().start_within(seconds(60)));
        let key = sent_for_later(&room, seconds(600)).await;
        sleep(seconds(660).saturating_sub(early)).await;
        assert_eq!(handle(&room, &received(&room)).await, Disposition::Done);
        assert_eq!(room.poll(&key).await.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_begun_a_millisecond_before_its_time() {
    let room = room(u64::MAX, task());
    let key = sent_for_later(&room, seconds(2000)).await;
    sleep(seconds(900)).await;
    let early = received(&room);
    sleep(seconds(1100).saturating_sub(A_MILLISECOND)).await;
    assert_eq!(handle(&room, &early).await, Disposition::Keep);
    assert_eq!(steps(&room, &key).await, []);
    sleep(A_MILLISECOND).await;
    assert_eq!(handle(&room, &early).await, Disposition::Done);
    assert_eq!(room.poll(&key).await.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_must_begin_within_a_minute_begins_until_then_and_not_at_the_end_of_it() {
    for (early, status, want) in [
        (
            A_MILLISECOND,
            Status::Succeeded,
            vec![(Event::Claim, 59_999), (Event::Succeed, 59_999)],
        ),
        (Duration::ZERO, Status::Failed, vec![(Event::Lapse, 60_000)]),
    ] {
        let room = room(u64::MAX, task().start_within(seconds(60)));
        let key = sent(&room, r#"{"seconds": 0}"#).await;
        let accepted_at = room.poll(&key).await.created_at;
        room.until(accepted_at.after(seconds(60)).before(early))
            .await;
        assert_eq!(handle(&room, &received(&room)).await, Disposition::Done);
        assert_eq!(
            (room.poll(&key).await.status, steps(&room, &key).await),
            (status, want)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_begins_until_the_functions_margin_and_not_at_its_begin() {
    for (early, begun) in [(A_MILLISECOND, true), (Duration::ZERO, false)] {
        let room = room(u64::MAX, task());
        let key = sent(&room, r#"{"seconds": 0}"#).await;
        let margin = room.worker.settings.margin;
        let ends_at = room.host.now().after(margin + early);
        room.worker.handle(&received(&room), ends_at).await;
        let want = if begun {
            Status::Succeeded
        } else {
            Status::Accepted
        };
        assert_eq!(room.poll(&key).await.status, want);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_memory_waits_until_the_functions_margin() {
    let room = room(100 << 20, task().memory(60 << 20));
    sent(&room, r#"{"seconds": 100}"#).await;
    sent(&room, r#"{"seconds": 100}"#).await;
    let (runs, once) = (received(&room), received(&room));
    // A message that was received often is sent again instead, because receipts are counted.
    let often = Delivery {
        receive_count: 9,
        ..once.clone()
    };
    let ends_at = room.host.now().after(seconds(50));
    let begun = Instant::now();
    let waits = async |delivery: &Delivery| {
        sleep(A_MILLISECOND).await;
        let disposition = room.worker.handle(delivery, ends_at).await;
        (disposition, begun.elapsed())
    };
    let (_, first, often) = tokio::join!(handle(&room, &runs), waits(&once), waits(&often));
    let until = seconds(50).saturating_sub(room.worker.settings.margin);
    assert_eq!(first, (Disposition::Keep, until));
    assert_eq!(often, (Disposition::Done, until));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_memory_is_not_held_up_by_a_queue_that_answers_late() {
    let begun = vec![(Event::Claim, 20_001), (Event::Succeed, 20_001)];
    // The first call to hide the message begins after 10 s. It is dropped at the next beat, or at the last moment. Then
    // another call, of a minute, makes the message visible.
    for (freed, margin_begins, took, want) in [(15, 800, 20, begun), (900, 15, 15 + 60, vec![])] {
        let room = room(100 << 20, task().memory(60 << 20));
        let key = sent(&room, r#"{"seconds": 0}"#).await;
        let other = room.worker.admission.admit(60 << 20).await.expect("memory");
        room.memory.slow("hide", seconds(60));
        let frees = async {
            sleep(seconds(freed)).await;
            drop(other);
        };
        let handles = async {
            let margin_begins = room.host.now().after(seconds(margin_begins));
            let ends_at = margin_begins.after(room.worker.settings.margin);
            let begun = Instant::now();
            room.worker.handle(&received(&room), ends_at).await;
            begun.elapsed()
        };
        let (elapsed, ()) = tokio::join!(handles, frees);
        assert_eq!((elapsed, steps(&room, &key).await), (seconds(took), want));
    }
}

#[tokio::test(start_paused = true)]
async fn without_time_for_an_attempt_neither_its_payload_is_read_nor_its_record_changed() {
    let command = task()
        .memory_for(|_: &Task, _| Some(1))
        .start_within(A_MILLISECOND);
    let mut room = room(u64::MAX, command);
    room.submit.inline_limit = 0;
    for (slow, calls) in [
        (Duration::ZERO, vec!["hide"]),
        (A_MILLISECOND, vec!["open", "hide"]),
    ] {
        sent(&room, r#"{"seconds": 0}"#).await;
        let message = received(&room);
        room.memory.calls();
        room.memory.slow("open", slow);
        let margin = room.worker.settings.margin;
        let ends_at = room.host.now().after(margin + slow);
        assert_eq!(
            room.worker.handle(&message, ends_at).await,
            Disposition::Keep
        );
        assert_eq!(room.memory.calls(), calls, "{slow:?}");
    }
}
