//! Given an outage of a service, when it has ended, then every job ends as its handler determines, and no attempt was
//! counted for the outage.

use std::io::Write as _;

use cloakroom_core::Progress;
use cloakroom_core::transition::Event;

use super::super::message::{LONGEST_WAIT_OF_OTHERS, wait_after_a_fault};
use super::*;
use crate::meter::Fact;
use crate::testing::Memory;

/// Calls of each service.
const OBJECTS: &[&str] = &["put", "open", "info", "delete"];
const TABLE: &[&str] = &["change", "load", "accept"];
const QUEUE: &[&str] = &["send", "hide", "state"];

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// Kinds of results.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Bytes,
    File,
    Stream,
}

/// Returns a room with a command of one attempt that takes 10 s and returns a large result, and a count of its runs.
fn large(by: By) -> (Room, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let make = move |_: crate::testing::Nothing| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            sleep(Duration::from_secs(10)).await;
            let bytes = vec![7; 40_000];
            Ok::<_, HandlerError>(match by {
                By::Bytes => Output::bytes("image/png", bytes),
                By::File => {
                    let mut file = tempfile::tempfile()?;
                    file.write_all(&bytes)?;
                    Output::file("image/png", file)
                }
                By::Stream => Output::stream(
                    "image/png",
                    futures::stream::iter([Ok::<_, HandlerError>(bytes.into())]),
                ),
            })
        }
    };
    let mut room = Room::new(vec![
        Command::json("make", make)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    room.submit.inline_limit = 0;
    (room, runs)
}

async fn made(room: &Room) -> JobKey {
    room.send("make", None, "{}")
        .await
        .expect("accepted")
        .job
        .key()
}

/// Runs everything to its end while some calls fail for some time.
async fn through(room: &Room, begin: impl Fn(), from: Duration, lasts: Duration) {
    let outage = async {
        sleep(from).await;
        begin();
        sleep(lasts).await;
        room.memory.calm();
    };
    tokio::join!(room.work_until_idle(), outage);
    assert!(
        room.memory.most_received() < 10,
        "a message would be a dead letter"
    );
}

fn deferred(job: &Job) -> usize {
    job.history
        .iter()
        .filter(|step| step.event == Event::Defer)
        .count()
}

#[tokio::test(start_paused = true)]
async fn no_outage_and_no_missing_permission_of_half_an_hour_fails_a_job_whenever_it_begins() {
    for trouble in [Memory::down, Memory::deny] {
        for calls in [OBJECTS, TABLE, QUEUE] {
            for from in [0, 5, 10] {
                let (room, _) = large(By::Bytes);
                let key = made(&room).await;
                let begin = || trouble(&room.memory, calls);
                through(&room, begin, Duration::from_secs(from), HALF_AN_HOUR).await;
                let job = room.poll(&key).await;
                assert_eq!(
                    (job.status, job.attempt),
                    (Status::Succeeded, 1),
                    "{calls:?} from {from} s: {job:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_is_over_is_noticed_within_five_minutes() {
    for calls in [OBJECTS, TABLE] {
        let (room, _) = large(By::Bytes);
        let key = made(&room).await;
        through(
            &room,
            || room.memory.down(calls),
            Duration::ZERO,
            HALF_AN_HOUR,
        )
        .await;
        let job = room.poll(&key).await;
        let late = job
            .finished_at
            .expect("over")
            .since(job.created_at)
            .saturating_sub(HALF_AN_HOUR);
        assert!(late < Duration::from_secs(320), "{calls:?}: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_stored_again_before_its_handler_runs_again() {
    for by in [By::Bytes, By::File] {
        let (room, runs) = large(by);
        let key = made(&room).await;
        let watch = async {
            // Longer than its handler's time.
            sleep(Duration::from_secs(60)).await;
            let job = room.poll(&key).await;
            let waits = "storing the result: the object storage is unavailable, retrying";
            let waits = Progress {
                percent: 100.0,
                message: Some(waits.to_owned()),
            };
            assert_eq!((job.status, job.progress), (Status::Running, Some(waits)));
            let steps: Vec<_> = job
                .history
                .iter()
                .map(|step| (step.event, step.reason.as_deref()))
                .collect();
            let told = Some("storage-unavailable: the result could not be stored; retrying");
            assert_eq!(steps, [(Event::Claim, None), (Event::Renew, told)]);
        };
        tokio::join!(
            through(
                &room,
                || room.memory.down(OBJECTS),
                Duration::from_secs(5),
                Duration::from_secs(600)
            ),
            watch
        );
        // After a second at first, and after up to 15 seconds in the end.
        let tries = room
            .memory
            .calls()
            .iter()
            .filter(|&&call| call == "put")
            .count();
        assert!((43..=85).contains(&tries), "{tries}");
        let job = room.poll(&key).await;
        assert_eq!(
            (job.status, deferred(&job), runs.load(Ordering::SeqCst)),
            (Status::Succeeded, 0, 1)
        );
        let stored = job.success.and_then(|success| success.result);
        let Some(ResultRef::Stored { length, sha256, .. }) = stored else {
            panic!("{stored:?}")
        };
        let digest = cloakroom_core::Digest::from_content(&vec![7; 40_000]);
        assert_eq!((length, sha256), (40_000, digest), "of one try");
        let measured = room
            .meter
            .facts()
            .into_iter()
            .filter(|fact| *fact == Fact::StorageUnavailable)
            .count();
        assert_eq!(measured, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_a_stream_is_made_again_and_not_in_vain() {
    for inline_limit in [0, 10_000] {
        made_again_and_not_in_vain(inline_limit).await;
    }
}

async fn made_again_and_not_in_vain(inline_limit: usize) {
    let (mut room, runs) = large(By::Stream);
    room.submit.inline_limit = inline_limit;
    let key = made(&room).await;
    through(
        &room,
        || room.memory.down(OBJECTS),
        Duration::from_secs(5),
        HALF_AN_HOUR,
    )
    .await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
    assert!(deferred(&job) > 2, "{:?}", job.history);
    assert_eq!(
        runs.load(Ordering::SeqCst),
        2,
        "an attempt that finds the storage unavailable runs no handler"
    );
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_denies_what_does_not_exist_is_available() {
    let (mut room, runs) = large(By::Stream);
    // The payload is in the message, so only the probe opens an object.
    room.submit.inline_limit = 10_000;
    let key = made(&room).await;
    room.memory.fail("put", Fault::Before);
    room.memory.fail("open", Fault::Denied);
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, deferred(&job)), (Status::Succeeded, 1));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_stopped_while_it_stores_is_not_counted() {
    let (room, _) = large(By::Bytes);
    let key = made(&room).await;
    for calls in [OBJECTS, &[]] {
        let delivery = room
            .memory
            .receive(Duration::from_secs(60))
            .expect("a message");
        let ends_at = room.host.now().after(Duration::from_secs(60));
        room.memory.slow("put", Duration::from_secs(100));
        let outage = async {
            sleep(Duration::from_secs(5)).await;
            room.memory.down(calls);
        };
        let (disposition, ()) = tokio::join!(room.worker.handle(&delivery, ends_at), outage);
        assert_eq!(disposition, Disposition::Keep);
        let job = room.poll(&key).await;
        assert_eq!(
            (job.status, job.attempt, failure(&job).1),
            (Status::Retrying, 0, "storage-unavailable")
        );
        room.memory.calm();
        sleep(Duration::from_secs(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_payload_stalls_is_not_counted_whether_its_handler_stops_or_not() {
    for stops in [true, false] {
        let read = move |_: crate::testing::Nothing, body: crate::BodyStream, job: JobContext| async move {
            tokio::select! {
                pieces = body.collect::<Vec<_>>() => Output::json(&pieces.len()),
                () = job.cancelled(), if stops => Err(HandlerError::cancelled()),
            }
        };
        let mut room = Room::new(vec![
            Command::binary("read", &["image/png"], read)
                .attempts(1)
                .timeout(Duration::from_secs(30)),
        ]);
        room.submit.inline_limit = 0;
        let body = crate::submit::Body::Sent {
            content_type: None,
            bytes: "the picture".into(),
        };
        let sent = room.send_body("read", None, "", body).await;
        let key = sent.expect("accepted").job.key();
        room.memory.slow("read", Duration::from_secs(60));
        room.work_once().await;
        let job = room.poll(&key).await;
        assert_eq!(
            (job.status, job.attempt, failure(&job).1),
            (Status::Retrying, 0, "storage-unavailable"),
            "{stops}"
        );
        room.memory.calm();
        room.work_until_idle().await;
        assert_eq!(room.poll(&key).await.status, Status::Succeeded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_cancelled_while_it_waits_to_store_its_result() {
    let (room, _) = large(By::Bytes);
    let key = made(&room).await;
    let cancels = async {
        sleep(Duration::from_secs(60)).await;
        room.jobs.cancel(&key).await.expect("it runs");
    };
    tokio::join!(
        through(
            &room,
            || room.memory.down(&["put"]),
            Duration::from_secs(5),
            Duration::from_secs(300)
        ),
        cancels
    );
    let job = room.poll(&key).await;
    assert_eq!(job.status, Status::Cancelled);
    assert!(job.finished_at.expect("over").since(job.created_at) < Duration::from_secs(80));
}

#[tokio::test(start_paused = true)]
async fn a_claim_whose_answer_was_lost_costs_no_attempt() {
    let (room, runs) = large(By::Bytes);
    let key = made(&room).await;
    room.memory.fail("change", Fault::After);
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt, deferred(&job)),
        (Status::Succeeded, 1, 1)
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_not_recorded_costs_no_attempt_and_is_known_to_the_message_alone() {
    let (room, runs) = large(By::Bytes);
    let key = made(&room).await;
    let delivery = room
        .memory
        .receive(Duration::from_secs(600))
        .expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(60));
    let outage = async {
        sleep(Duration::from_secs(5)).await;
        room.memory.down(TABLE);
    };
    let (disposition, ()) = tokio::join!(room.worker.handle(&delivery, ends_at), outage);
    assert_eq!(disposition, Disposition::Done, "another message was sent");
    room.memory.delete(&delivery);
    room.memory.calm();
    assert_eq!(room.poll(&key).await.status, Status::Running);
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt, runs.load(Ordering::SeqCst)),
        (Status::Succeeded, 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_is_begun_once_for_the_meter_however_often_it_is_deferred() {
    let (room, _) = large(By::Bytes);
    made(&room).await;
    through(
        &room,
        || room.memory.down(OBJECTS),
        Duration::ZERO,
        HALF_AN_HOUR,
    )
    .await;
    let facts = room.meter.facts();
    let started = facts
        .iter()
        .filter(|fact| matches!(fact, Fact::Started { .. }))
        .count();
    assert_eq!(started, 1, "{facts:?}");
    assert!(
        !facts
            .iter()
            .any(|fact| matches!(fact, Fact::Retried { .. })),
        "{facts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_an_outage_is_counted_as_a_retry() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let make = move |_: crate::testing::Nothing| {
        let attempt = attempts.fetch_add(1, Ordering::SeqCst);
        async move {
            match attempt {
                0 => {
                    let bytes = vec![7; 40_000];
                    let pieces = futures::stream::iter([Ok::<_, HandlerError>(bytes.into())]);
                    Ok(Output::stream("image/png", pieces))
                }
                1 => Err(HandlerError::retryable("out of paper")),
                _ => Ok(Output::none()),
            }
        }
    };
    let room = Room::new(vec![Command::json("make", make)]);
    let key = made(&room).await;
    room.memory.fail("put", Fault::Before);
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, deferred(&job)), (Status::Succeeded, 1));
    let facts = room.meter.facts();
    let count = |is: fn(&Fact) -> bool| facts.iter().filter(|fact| is(fact)).count();
    assert_eq!(
        (
            count(|fact| matches!(fact, Fact::StorageUnavailable)),
            count(|fact| matches!(fact, Fact::Retried { .. }))
        ),
        (1, 1),
        "{facts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_streams_has_a_second_more_than_its_time_while_a_piece_is_stored() {
    let make = |_: crate::testing::Nothing| async {
        // At the end of the handler's time a piece is being stored, and the next one never comes.
        let late = async {
            sleep(Duration::from_millis(29_500)).await;
            Ok::<_, HandlerError>(bytes::Bytes::from(vec![7; 40_000]))
        };
        let pieces = futures::stream::once(late).chain(futures::stream::pending());
        Ok::<_, HandlerError>(Output::stream("image/png", pieces))
    };
    let room = Room::new(vec![
        Command::json("make", make)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    let key = made(&room).await;
    let delivery = room
        .memory
        .receive(Duration::from_secs(600))
        .expect("a message");
    let (begun, ends_at) = (
        Instant::now(),
        room.host.now().after(Duration::from_secs(600)),
    );
    room.memory.slow("piece", Duration::from_secs(2));
    room.worker.handle(&delivery, ends_at).await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, failure(&job).1),
        (Status::Failed, "attempt-timed-out")
    );
    // The piece is stored after 31.5 s. The handler is stopped after 32 s, and dropped after its grace period.
    assert_eq!(begun.elapsed(), Duration::from_secs(34));
}

#[test]
fn a_message_that_cant_be_sent_again_outlasts_an_hour() {
    let received = |receive_count| Delivery {
        message_id: "m".into(),
        receipt: "r".into(),
        body: String::new(),
        receive_count,
        producer_message: None,
    };
    let all: Duration = (1..10)
        .map(|n| wait_after_a_fault(&received(n), LONGEST_WAIT_OF_OTHERS))
        .sum();
    assert!(all > Duration::from_secs(3600), "{all:?}");
}
