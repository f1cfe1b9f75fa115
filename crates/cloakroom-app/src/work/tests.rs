//! Given a message, when its handler ends in any way, its worker crashes, or a port fails, then its job ends correctly.

mod budget;
mod lease;
mod meanwhile;
mod outage;

mod batches;
mod payloads;
mod results;
mod stops;
mod takeovers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{Job, ResultRef, Status, Transition};
use futures::StreamExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::host::Host as _;
use crate::ports::{JobStore as _, keys};
use crate::testing::{Fault, Room};
use crate::{Command, HandlerError, JobContext, Output};

/// Actions of the handler, one for each attempt. The last one is repeated.
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
    /// Sleeps for this many seconds and ignores requests to stop.
    Sleep(u64),
    /// Sleeps for this many seconds and stops on request.
    Listen(u64),
    /// Reports progress every second, this many times.
    Progress(u32),
}

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

/// Submits a script and runs it to its end.
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
    let info = room.worker.objects.info(key).await.expect("memory");
    assert_eq!(info.expect("an object").content_type, "image/png");
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
        failure(&job).2.ends_with("the attempt failed"),
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
async fn the_end_of_an_attempt_is_written_again_and_again_and_never_the_work_done_twice_for_it() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let room = Room::new(vec![Command::json("play", move |_: Script| {
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
    let command = Command::json("play", play).retention(Duration::from_secs(20 * 86_400));
    let room = Room::new(vec![command]);
    for (hours, cancel) in [(5, false), (20, false), (20, true), (240, false)] {
        let body = crate::submit::Body::Sent {
            content_type: None,
            bytes: r#"{"acts":["answer"]}"#.into(),
        };
        let submission = crate::submit::Submission {
            not_before: Some(room.host.now().after(Duration::from_secs(hours * 3600))),
            ..Room::submission("play", body)
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
    // It is hidden for 12 hours at most, and sent again at its fourth receipt.
    assert_eq!(room.memory.most_received(), 4);
}
