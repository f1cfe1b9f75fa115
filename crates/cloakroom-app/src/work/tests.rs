//! Given a message, when its handler does what handlers do, or its worker dies, or a port fails, then its job ends truthfully.

mod budget;
mod lease;
mod meanwhile;
mod outage;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloakroom_core::ResultRef;
use futures::StreamExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::ports::keys;
use crate::testing::{Fault, Room};
use crate::{Command, HandlerError, JobContext, Output, Payload};

/// What the handler is to do in each attempt; the last one stands for all that follow.
#[derive(Deserialize, JsonSchema)]
struct Script {
    acts: Vec<Act>,
}

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Answer,
    AnswerLarge,
    Retryable,
    RetryableAfter(u64),
    AnyError,
    Terminal,
    Panic,
    /// Seconds, and deaf to being told to stop.
    Sleep(u64),
    /// Seconds, and stops when told to.
    Listen(u64),
    /// Reports progress, each second of so many.
    Progress(u32),
}

impl Payload for Script {}

async fn play(script: Script, job: JobContext) -> Result<Output, HandlerError> {
    let at = (job.attempt() as usize - 1).min(script.acts.len() - 1);
    match script.acts[at].clone() {
        Act::Answer => Output::json(&job.idempotency_token()),
        Act::AnswerLarge => Ok(Output::bytes("image/png", vec![7; 40_000])),
        Act::Retryable => Err(HandlerError::retryable("out of paper").with_cause("tray 2")),
        Act::RetryableAfter(seconds) => {
            Err(HandlerError::retryable("out of paper").after(Duration::from_secs(seconds)))
        }
        Act::AnyError => Err("x".parse::<u32>().expect_err("no number").into()),
        Act::Terminal => Err(HandlerError::terminal("no such paper")
            .code("no-such-paper")
            .status(404)),
        Act::Panic => panic!("it jammed"),
        Act::Sleep(seconds) => {
            sleep(Duration::from_secs(seconds)).await;
            Ok(Output::none())
        }
        Act::Listen(seconds) => tokio::select! {
            () = sleep(Duration::from_secs(seconds)) => Ok(Output::none()),
            () = job.cancelled() => Err(HandlerError::cancelled()),
        },
        Act::Progress(seconds) => {
            for second in 0..seconds {
                job.progress(
                    100.0 * f64::from(second) / f64::from(seconds),
                    format!("second {second}"),
                );
                job.progress(
                    100.0 * f64::from(second) / f64::from(seconds),
                    format!("second {second} indeed"),
                );
                sleep(Duration::from_secs(1)).await;
            }
            Ok(Output::none())
        }
    }
}

fn room() -> Room {
    Room::new(vec![
        Command::json("play", play)
            .timeout(Duration::from_secs(300))
            .backoff(Duration::from_secs(8), Duration::from_secs(60)),
    ])
}

/// Submits a script and works it to its end.
async fn played(acts: &str) -> (Room, Job) {
    let room = room();
    let key = sent(&room, acts).await;
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    (room, job)
}

async fn sent(room: &Room, acts: &str) -> JobKey {
    room.send("play", None, &format!("{{\"acts\":{acts}}}"))
        .await
        .expect("accepted")
        .job
        .key()
}

fn failure(job: &Job) -> (u16, &str, &str) {
    job.failure
        .as_ref()
        .map(|failure| {
            (
                failure.status,
                failure.code.as_str(),
                failure.detail.as_str(),
            )
        })
        .expect("a failure")
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_in_the_record_and_a_large_one_in_object_storage_before_the_record_names_it()
 {
    let (_, job) = played(r#"["answer"]"#).await;
    let token = format!("\"{}-{:x}\"", job.id, job.created_at.as_millis());
    let inline = ResultRef::Inline {
        content_type: "application/json".into(),
        bytes: token.into_bytes(),
    };
    assert_eq!(
        (job.status, job.success.and_then(|success| success.result)),
        (Status::Succeeded, Some(inline))
    );

    let (room, job) = played(r#"["answer-large"]"#).await;
    assert_eq!(
        room.memory.calls(),
        ["accept", "send", "change", "put", "change", "load"]
    );
    let Some(ResultRef::Stored {
        content_type,
        key,
        length,
        ..
    }) = job
        .success
        .as_ref()
        .and_then(|success| success.result.as_ref())
    else {
        panic!("not stored: {job:?}");
    };
    assert_eq!((content_type.as_str(), *length), ("image/png", 40_000));
    assert_eq!(
        *key,
        keys::result(&job.key(), job.lease.as_ref().expect("it ran").token, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_terminal_error_ends_the_job_at_once_as_its_handler_says() {
    let (_, job) = played(r#"["terminal"]"#).await;
    assert_eq!(
        (job.status, job.attempt, failure(&job)),
        (Status::Failed, 1, (404, "no-such-paper", "no such paper"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_retryable_error_a_panic_and_any_error_are_tried_again_after_a_wait() {
    for act in ["\"retryable\"", "\"panic\"", "\"any-error\""] {
        let begun = Instant::now();
        let (_, job) = played(&format!("[{act}, {act}, \"answer\"]")).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 3), "{act}");
        assert!(
            begun.elapsed() > Duration::ZERO && begun.elapsed() < Duration::from_secs(8 + 16 + 2),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn when_no_attempt_is_left_the_job_fails_and_says_what_it_died_of() {
    let (_, job) = played(r#"["retryable"]"#).await;
    assert_eq!((job.status, job.attempt), (Status::Failed, 3));
    assert_eq!(
        failure(&job),
        (
            400,
            "job-failed",
            "gave up after 3 of 3 attempts; the last one: out of paper"
        )
    );
    let (_, job) = played(r#"["panic"]"#).await;
    assert!(failure(&job).2.ends_with("the handler panicked"), "{job:?}");
    let (_, job) = played(r#"["any-error"]"#).await;
    assert!(
        failure(&job)
            .2
            .ends_with("the work could not be done this time"),
        "nothing of the inside is shown: {job:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_knows_when_to_come_back_is_heard() {
    let begun = Instant::now();
    let (_, job) = played(r#"[{"retryable-after": 33}, "answer"]"#).await;
    assert_eq!(job.status, Status::Succeeded);
    assert!(
        (33..35).contains(&begun.elapsed().as_secs()),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_attempt_keeps_its_lease_and_hides_its_message_so_that_nobody_else_runs_it() {
    let room = room();
    let key = sent(&room, r#"[{"listen": 200}]"#).await;
    let second_worker = async {
        for _ in 0..195 {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(
                room.memory.receive(Duration::from_secs(10)),
                None,
                "the message was seen again"
            );
        }
    };
    tokio::join!(room.work_until_idle(), second_worker);
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 1));
    assert_eq!(
        job.finished_at
            .expect("over")
            .since(job.created_at)
            .as_secs(),
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_object_storage_costs_no_lease() {
    for (call, acts) in [("open", r#"["answer"]"#), ("put", r#"["answer-large"]"#)] {
        let mut room = room();
        room.submit.inline_limit = if call == "open" { 0 } else { 1000 };
        let key = sent(&room, acts).await;
        room.memory.slow(call, Duration::from_secs(100));
        let second_worker = async {
            for _ in 0..95 {
                sleep(Duration::from_secs(1)).await;
                assert_eq!(
                    room.memory.receive(Duration::from_secs(10)),
                    None,
                    "the message was seen again"
                );
            }
        };
        tokio::join!(room.work_until_idle(), second_worker);
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 1), "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_answers_late_keeps_no_attempt_from_its_deadline() {
    let room = room();
    sent(&room, r#"[{"sleep": 100}]"#).await;
    let delivery = room
        .memory
        .receive(Duration::from_secs(60))
        .expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(30));
    let begun = Instant::now();
    let late = async {
        sleep(Duration::from_secs(1)).await;
        room.memory.slow("change", Duration::from_secs(60));
        sleep(Duration::from_secs(27)).await;
        room.memory.slow("change", Duration::ZERO);
    };
    let (disposition, ()) = tokio::join!(room.worker.handle(&delivery, ends_at), late);
    assert_eq!(disposition, Disposition::Keep);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(room.memory.only_job().status, Status::Retrying);
}

#[tokio::test(start_paused = true)]
async fn progress_is_written_at_most_once_a_second_and_tells_the_end() {
    let room = room();
    let key = sent(&room, r#"[{"progress": 20}]"#).await;
    let watch = async {
        sleep(Duration::from_millis(10_500)).await;
        let job = room.poll(&key).await;
        let progress = job.progress.expect("a report");
        assert_eq!(
            (progress.percent, progress.message.as_deref()),
            (50.0, Some("second 10 indeed"))
        );
        let left = job
            .estimated_finish_at
            .expect("an estimate")
            .since(room.host.now())
            .as_secs();
        assert!((8..=11).contains(&left), "{left}");
    };
    tokio::join!(room.work_until_idle(), watch);
    let writes = room
        .memory
        .calls()
        .iter()
        .filter(|&&call| call == "change")
        .count();
    assert!((20..=23).contains(&writes), "{writes}");
    let done = cloakroom_core::Progress {
        percent: 100.0,
        message: None,
    };
    assert_eq!(room.poll(&key).await.progress, Some(done));
}

#[tokio::test(start_paused = true)]
async fn at_its_timeout_an_attempt_is_told_then_dropped_and_tried_again() {
    for acts in [
        r#"[{"listen": 400}, "answer"]"#,
        r#"[{"sleep": 400}, "answer"]"#,
    ] {
        let begun = Instant::now();
        let (_, job) = played(acts).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 2), "{acts}");
        assert!(
            (300..320).contains(&begun.elapsed().as_secs()),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(
            job.failure.expect("of the first attempt").code,
            "attempt-timed-out"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn near_the_functions_own_end_an_attempt_is_stopped_in_time_to_say_so() {
    let room = room();
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    let delivery = room
        .memory
        .receive(Duration::from_secs(60))
        .expect("a message");
    let begun = Instant::now();
    let ends_at = room.host.now().after(Duration::from_secs(30));
    assert_eq!(
        room.worker.handle(&delivery, ends_at).await,
        Disposition::Keep
    );
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(room.poll(&key).await.status, Status::Retrying);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_is_taken_over_from_when_its_lease_is_over() {
    let room = room();
    let key = sent(&room, r#"[{"sleep": 100}, "answer"]"#).await;
    let died = timeout(Duration::from_secs(45), room.work_once()).await;
    assert!(died.is_err());
    let begun = Instant::now();
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!((job.status, job.attempt), (Status::Succeeded, 2));
    assert!(
        begun.elapsed() < Duration::from_secs(31),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_in_every_attempt_fails_the_job_truthfully() {
    let room = room();
    let key = sent(&room, r#"[{"sleep": 100}]"#).await;
    for _ in 0..3 {
        while room
            .memory
            .messages()
            .1
            .is_some_and(|visible| visible > Instant::now())
        {
            sleep(Duration::from_secs(1)).await;
        }
        // It may find the lease alive at first.
        while timeout(Duration::from_secs(5), room.work_once())
            .await
            .is_ok()
        {
            sleep(Duration::from_secs(1)).await;
        }
    }
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.attempt, failure(&job).1),
        (Status::Failed, 3, "worker-crashed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_is_stopped_and_its_outcome_refused() {
    let room = room();
    let begun = Instant::now();
    let key = sent(&room, r#"[{"listen": 250}, "answer"]"#).await;
    let slow = room
        .memory
        .receive(Duration::from_secs(10))
        .expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let paused = Worker {
        settings: WorkerSettings {
            lease: Duration::from_secs(300),
            ..room.worker.settings
        },
        ..room.worker.clone()
    };
    // A worker whose sign of life comes too late, because it believes in a longer lease than the table does.
    let late = async {
        let disposition = paused.handle(&slow, ends_at).await;
        assert_eq!(
            (disposition, begun.elapsed().as_secs()),
            (Disposition::Keep, 100),
            "stopped by its first beat"
        );
    };
    let takes_over = async {
        sleep(Duration::from_secs(1)).await;
        let job = room.poll(&key).await;
        let token = job.lease.as_ref().expect("it runs").token;
        let short = Transition::renew(token, Duration::from_secs(1), None, room.host.now());
        room.worker
            .store
            .change(&key, &short)
            .await
            .expect("memory");
        sleep(Duration::from_secs(10)).await;
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        assert_eq!((job.status, job.attempt), (Status::Succeeded, 2));
        job
    };
    let ((), over) = tokio::join!(late, takes_over);
    assert_eq!(room.poll(&key).await, over, "what was recorded stays");
}

#[tokio::test(start_paused = true)]
async fn a_second_message_of_a_job_that_runs_is_done_with_at_once() {
    let room = room();
    let key = sent(&room, r#"[{"listen": 20}]"#).await;
    let body = room.memory.receive(Duration::ZERO).expect("a message").body;
    room.worker
        .queue
        .send(&key.tenant, body, Duration::ZERO, None)
        .await
        .expect("memory");
    let both = async {
        tokio::join!(room.work_once(), async {
            sleep(Duration::from_secs(1)).await;
            assert!(room.work_once().await);
            assert_eq!(room.memory.messages().0, 1);
        })
    };
    both.await;
    room.work_until_idle().await;
    assert_eq!(room.poll(&key).await.attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cant_be_read_or_that_nobody_handles_stays_for_the_dead_letters() {
    let room = room();
    sent(&room, r#"["answer"]"#).await;
    let good = room.memory.receive(Duration::ZERO).expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let unhandled = good.body.replace("\"type\":\"play\"", "\"type\":\"gone\"");
    assert_ne!(unhandled, good.body);
    for body in ["", "garbage", "{}", &unhandled] {
        let delivery = Delivery {
            body: body.to_owned(),
            ..good.clone()
        };
        room.memory.calls();
        assert_eq!(
            room.worker.handle(&delivery, ends_at).await,
            Disposition::Keep
        );
        assert_eq!(room.memory.calls(), Vec::<&str>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_gone_or_not_what_was_accepted_fails_the_job_truthfully() {
    for (code, mend) in [
        ("payload-lost", None),
        ("payload-corrupted", Some("other bytes")),
    ] {
        let mut room = room();
        room.submit.inline_limit = 0;
        let key = sent(&room, r#"["answer"]"#).await;
        let object = room.memory.object_keys().pop().expect("a payload");
        match mend {
            Some(other) => room
                .worker
                .objects
                .put(&object, "application/json", other.into())
                .await
                .expect("memory"),
            None => room.memory.lose(&object),
        }
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        assert_eq!((job.status, failure(&job).1), (Status::Failed, code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_deleted_once_its_job_succeeded_or_was_cancelled_and_kept_to_send_a_failed_one_back()
 {
    for (acts, cancel, kept) in [
        (r#"["answer"]"#, false, false),
        (r#"["retryable", "answer"]"#, false, false),
        (r#"["terminal"]"#, false, true),
        (r#"["answer"]"#, true, false),
    ] {
        let mut room = room();
        room.submit.inline_limit = 0;
        let key = sent(&room, acts).await;
        let objects = room.memory.object_keys();
        if cancel {
            room.jobs.cancel(&key).await.expect("cancelled");
        }
        room.work_until_idle().await;
        assert!(room.poll(&key).await.status.is_terminal());
        let left = room.memory.object_keys();
        assert_eq!(left, if kept { objects } else { vec![] }, "{acts}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_message_of_a_job_that_expired_leaves_the_payload_of_the_next_one_alone() {
    let mut room = room();
    room.submit.inline_limit = 0;
    let submitted = room
        .send("play", Some("order-1"), r#"{"acts":["answer"]}"#)
        .await
        .expect("accepted");
    let late = room.memory.receive(Duration::ZERO).expect("a message");
    room.work_until_idle().await;
    let ends_at = || room.host.now().after(Duration::from_secs(900));
    // The next one has its payload where the first one's was, and is not recorded yet.
    for before_expiry in [1800, 600, 1] {
        let expires_at = room.poll(&submitted.job.key()).await.expires_at;
        sleep(
            expires_at
                .since(room.host.now())
                .saturating_sub(Duration::from_secs(before_expiry)),
        )
        .await;
        let envelope = Envelope::read(&late.body).expect("its envelope");
        let payload = envelope.stored_payload_key().expect("it is stored");
        room.worker
            .objects
            .put(payload, "application/json", "{}".into())
            .await
            .expect("memory");
        assert_eq!(
            room.worker.handle(&late, ends_at()).await,
            Disposition::Done
        );
        assert_eq!(room.memory.object_keys(), [payload.to_owned()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_message_deletes_the_payload_until_half_an_hour_before_its_job_expires_and_never_that_of_the_next()
 {
    let mut room = room();
    room.submit.inline_limit = 0;
    let send = || room.send("play", Some("order-1"), r#"{"acts":["answer"]}"#);
    let first = send().await.expect("accepted").job;
    let late = room.memory.receive(Duration::ZERO).expect("a message");
    room.work_until_idle().await;
    let payload = Envelope::read(&late.body)
        .expect("ours")
        .stored_payload_key()
        .expect("it is stored")
        .to_owned();
    let left = async || {
        room.worker
            .objects
            .put(&payload, "application/json", "{}".into())
            .await
            .expect("memory");
        let ends_at = room.host.now().after(Duration::from_secs(900));
        assert_eq!(room.worker.handle(&late, ends_at).await, Disposition::Done);
        room.memory.object_keys().len()
    };
    let expires_at = room.poll(&first.key()).await.expires_at;
    sleep(
        expires_at
            .since(room.host.now())
            .saturating_sub(Duration::from_secs(1801)),
    )
    .await;
    assert_eq!(left().await, 0);
    sleep(Duration::from_secs(1801)).await;
    send().await.expect("accepted");
    room.work_until_idle().await;
    assert_eq!(left().await, 1, "the next one's");
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_told_of_its_job_and_its_attempt() {
    let handler = |_: crate::testing::Nothing, job: JobContext| async move {
        assert_eq!(
            (job.tenant().as_str(), job.command().as_str(), job.attempt()),
            ("default", "play", 1)
        );
        assert_eq!(job.content_type(), "application/json; a=b");
        assert_eq!(job.time_left(), Duration::from_secs(60));
        assert_eq!(
            job.deadline(),
            job.created_at().after(Duration::from_secs(7 + 60))
        );
        assert_eq!(
            job.idempotency_token(),
            format!("{}-{:x}", job.id(), job.created_at().as_millis())
        );
        assert!(!job.is_cancelled());
        Output::json(&job.id().to_string())
    };
    let room = Room::new(vec![Command::json("play", handler).attempts(1)]);
    let body = crate::submit::Body::Sent {
        content_type: Some("application/json; a=b".into()),
        bytes: "{}".into(),
    };
    let key = room
        .send_body("play", None, "", body)
        .await
        .expect("accepted")
        .job
        .key();
    sleep(Duration::from_secs(7)).await;
    room.work_until_idle().await;
    let job = room.poll(&key).await;
    assert_eq!(job.status, Status::Succeeded, "{:?}", job.failure);
    let result = job.success.and_then(|success| success.result);
    let Some(ResultRef::Inline { bytes, .. }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(bytes, format!("\"{}\"", key.id).into_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_result_of_32_kib_stands_in_the_record_and_one_byte_more_does_not() {
    for (bytes, by_pieces) in [
        (32_768, false),
        (32_769, false),
        (32_768, true),
        (32_769, true),
    ] {
        let handler = move |_: crate::testing::Nothing, _| async move {
            let made = vec![7; bytes];
            let pieces: Vec<_> = made
                .chunks(10_000)
                .map(bytes::Bytes::copy_from_slice)
                .map(Ok::<_, HandlerError>)
                .collect();
            Ok::<_, HandlerError>(if by_pieces {
                Output::stream("image/png", futures::stream::iter(pieces))
            } else {
                Output::bytes("image/png", made)
            })
        };
        let room = Room::new(vec![Command::json("play", handler)]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        room.work_until_idle().await;
        let kept = match room
            .poll(&key)
            .await
            .success
            .and_then(|success| success.result)
            .expect("a result")
        {
            ResultRef::Inline {
                content_type,
                bytes,
            } => (content_type, bytes.len() as u64, true),
            ResultRef::Stored {
                content_type,
                length,
                sha256,
                ..
            } => {
                assert_eq!(sha256, cloakroom_core::Digest::of(&vec![7; bytes]));
                (content_type, length, false)
            }
        };
        assert_eq!(
            kept,
            ("image/png".to_owned(), bytes as u64, bytes == 32_768)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_recorded_with_its_place_and_for_as_long_as_its_command_keeps_it() {
    for (bytes, retention) in [(10, None), (40_000, Some(Duration::from_secs(7200)))] {
        let handler = move |_: crate::testing::Nothing, _| async move {
            Output::bytes("image/png", vec![7; bytes]).at("/reports/7")
        };
        let command = Command::json("play", handler).result_retention(Duration::from_secs(7200));
        let room = Room::new(vec![command]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        room.work_until_idle().await;
        let success = room.poll(&key).await.success.expect("a success");
        assert_eq!(
            success
                .resource
                .as_ref()
                .map(cloakroom_core::Resource::as_str),
            Some("/reports/7")
        );
        assert_eq!(success.result.expect("a result").retention(), retention);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_names_an_unsafe_place_fails_for_good() {
    for place in [
        "//example.com",
        "/\\example.com",
        "javascript:alert(1)",
        "",
        "/a b",
    ] {
        let handler = move |_: crate::testing::Nothing, _| async move { Output::none().at(place) };
        let room = Room::new(vec![Command::json("play", handler)]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        let failed = (400, "job-failed", "the handler named a place that is none");
        assert_eq!(
            (job.status, job.attempt, failure(&job)),
            (Status::Failed, 1, failed),
            "{place}"
        );
        assert_eq!(job.success, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_its_handler_does_not_go_on_with_times_out() {
    let handler = |_: crate::testing::Nothing, _| async {
        let first =
            futures::stream::iter([Ok::<_, HandlerError>(bytes::Bytes::from(vec![7; 40_000]))]);
        Ok::<_, HandlerError>(Output::stream(
            "image/png",
            first.chain(futures::stream::pending()),
        ))
    };
    let room = Room::new(vec![
        Command::json("play", handler)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    let begun = Instant::now();
    room.work_once().await;
    assert_eq!(
        (begun.elapsed().as_secs(), failure(&room.poll(&key).await).1),
        (32, "attempt-timed-out")
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_stored_slowly_takes_none_of_its_handlers_time() {
    let handler = |_: crate::testing::Nothing, _| async {
        let pieces =
            futures::stream::iter([Ok::<_, HandlerError>(bytes::Bytes::from(vec![7; 40_000]))]);
        Ok::<_, HandlerError>(Output::stream("image/png", pieces))
    };
    let room = Room::new(vec![
        Command::json("play", handler)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    room.memory.slow("put", Duration::from_secs(100));
    room.work_once().await;
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, job.history.len()),
        (Status::Succeeded, 2),
        "{:?}",
        job.failure
    );
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_there_in_time_costs_no_attempt() {
    let mut room = Room::new(vec![
        Command::json("play", play)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    room.submit.inline_limit = 0;
    let key = sent(&room, r#"["answer"]"#).await;
    room.memory.slow("open", Duration::from_secs(100));
    room.work_once().await;
    let job = room.poll(&key).await;
    let late = (
        400,
        "storage-unavailable",
        "the payload could not be fetched in time",
    );
    assert_eq!(
        (job.status, job.attempt, failure(&job)),
        (Status::Retrying, 0, late)
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_worked_side_by_side_and_each_message_on_its_own() {
    let room = room();
    for acts in [
        r#"[{"sleep": 10}]"#,
        r#"["terminal"]"#,
        r#"["retryable"]"#,
        r#"["panic"]"#,
        r#"[{"sleep": 10}]"#,
    ] {
        sent(&room, acts).await;
    }
    let batch: Vec<_> =
        std::iter::from_fn(|| room.memory.receive(Duration::from_secs(60))).collect();
    let begun = Instant::now();
    let dispositions = room
        .worker
        .handle_batch(&batch, room.host.now().after(Duration::from_secs(900)))
        .await;
    let done: Vec<_> = dispositions
        .iter()
        .map(|disposition| *disposition == Disposition::Done)
        .collect();
    assert_eq!(done, [true, true, false, false, true]);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_panics_keeps_its_message_and_leaves_the_others_of_its_batch_alone() {
    let mut panics = 0;
    for n in 0.. {
        let mut room = room();
        room.submit.inline_limit = 0;
        let keys = [
            sent(&room, r#"["answer-large"]"#).await,
            sent(&room, r#"["answer-large"]"#).await,
        ];
        let batch: Vec<_> =
            std::iter::from_fn(|| room.memory.receive(Duration::from_secs(60))).collect();
        room.memory.calls();
        room.memory.fail_nth(n, Fault::Panic);
        let ends_at = room.host.now().after(Duration::from_secs(900));
        let dispositions = timeout(
            Duration::from_secs(900),
            room.worker.handle_batch(&batch, ends_at),
        )
        .await;
        let dispositions = dispositions.expect("within its function");
        if room.memory.calls().len() <= n {
            assert_eq!(dispositions, [Disposition::Done; 2]);
            break;
        }
        panics += 1;
        room.memory.calm();
        let [kept, done] = match dispositions[..] {
            [Disposition::Keep, Disposition::Done] => [0, 1],
            [Disposition::Done, Disposition::Keep] => [1, 0],
            _ => panic!("call {n}: {dispositions:?}"),
        };
        assert_eq!(
            room.poll(&keys[done]).await.status,
            Status::Succeeded,
            "call {n}"
        );
        room.memory.delete(&batch[done]);
        room.work_until_idle().await;
        assert_eq!(
            room.poll(&keys[kept]).await.status,
            Status::Succeeded,
            "call {n}"
        );
    }
    assert_eq!(
        panics,
        2 * ["change", "open", "put", "change", "delete"].len()
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_attempt_is_written_again_and_again_and_never_the_work_done_twice_for_it() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let room = Room::new(vec![Command::json("play", move |_: Script, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, HandlerError>(Output::none()) }
    })]);
    let key = sent(&room, "[]").await;
    room.memory.calls();
    room.memory.fail_nth(1, Fault::Before);
    room.work_until_idle().await;
    room.memory.calm();
    assert_eq!(
        (room.poll(&key).await.status, runs.load(Ordering::SeqCst)),
        (Status::Succeeded, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_not_begun_in_time_fails_as_expired_and_one_that_was_goes_on() {
    let room = Room::new(vec![
        Command::json("play", play).start_within(Duration::from_secs(60)),
    ]);
    let late = sent(&room, r#"["answer"]"#).await;
    sleep(Duration::from_secs(61)).await;
    let in_time = sent(&room, r#"["retryable", "answer"]"#).await;
    assert!(room.work_once().await);
    let job = room.poll(&late).await;
    assert_eq!(
        (job.status, job.attempt, failure(&job).1),
        (Status::Failed, 0, "expired")
    );
    assert!(room.work_once().await);
    sleep(Duration::from_secs(100)).await;
    room.work_until_idle().await;
    assert_eq!(
        room.poll(&in_time).await.status,
        Status::Succeeded,
        "its second attempt may be late"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_begun_before_its_time_however_early_its_message_comes_and_can_be_cancelled_until_then()
 {
    let room = room();
    for (hours, cancel) in [(5, false), (20, false), (20, true)] {
        let submission = crate::submit::Submission {
            tenant: cloakroom_core::Tenant::default(),
            command: "play".parse().expect("a name"),
            client_job_id: None,
            body: crate::submit::Body::Sent {
                content_type: None,
                bytes: r#"{"acts":["answer"]}"#.into(),
            },
            query: String::new(),
            not_before: Some(room.host.now().after(Duration::from_secs(hours * 3600))),
            trace: crate::envelope::RequestTrace::default(),
        };
        let begun = Instant::now();
        let key = room
            .submit
            .submit(submission)
            .await
            .expect("accepted")
            .job
            .key();
        if cancel {
            sleep(Duration::from_secs(2000)).await;
            assert!(room.work_once().await, "its message came early");
            room.jobs.cancel(&key).await.expect("cancelled");
        }
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        let status = if cancel {
            Status::Cancelled
        } else {
            Status::Succeeded
        };
        assert_eq!((job.status, job.attempt), (status, u32::from(!cancel)));
        assert!(
            cancel || (hours * 3600..hours * 3600 + 5).contains(&begun.elapsed().as_secs()),
            "{:?}",
            begun.elapsed()
        );
    }
}
