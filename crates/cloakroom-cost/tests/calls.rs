//! Compares the calls of the estimate with those of the use cases. Each call of a port is one call to AWS.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::command::BODY_LIMIT;
use cloakroom_app::ports::{UploadTerms, keys};
use cloakroom_app::submit::{Body, INLINE_LIMIT};
use cloakroom_app::testing::Room;
use cloakroom_app::{Command, HandlerError, JobContext, Output};
use cloakroom_core::outcome::INLINE_RESULT_LIMIT;
use cloakroom_core::{Job, Status, Tenant};
use cloakroom_cost::{Api, Architecture, By, Encoding, Workload};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

/// Number of calls of each operation.
type Counts = BTreeMap<String, u32>;

/// Converts calls of ports to calls of AWS, as the tests of the adapters count them.
fn counted(calls: Vec<&'static str>) -> Counts {
    let mut counts = Counts::new();
    for call in calls {
        let name = match call {
            "accept" | "take_upload" => "DynamoDB.PutItem",
            "change" => "DynamoDB.UpdateItem",
            "load" => "DynamoDB.GetItem",
            "send" => "SQS.SendMessage",
            "hide" => "SQS.ChangeMessageVisibility",
            "put" => "S3.PutObject",
            "open" => "S3.GetObject",
            "info" => "S3.HeadObject",
            "copy" => "S3.CopyObject",
            // Deleting costs nothing. The other is made where the client did not say its SHA-256, which the memory never
            // knows; the model takes it as said.
            "delete" | "digest" => continue,
            _ => panic!("{call} is not part of the estimate"),
        };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// Returns the calls that the model counts for one job.
fn estimated(workload: &Workload, by: By) -> Counts {
    let mut counts = BTreeMap::<&str, f64>::new();
    for call in workload.calls().iter().filter(|call| call.by == by) {
        *counts.entry(call.name).or_default() += call.a_job;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "few, and whole"
    )]
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count.round() as u32))
        .collect()
}

/// A small job that takes a second.
fn workload() -> Workload {
    Workload {
        jobs: 1e6,
        payload: 200,
        encoding: Encoding::Text,
        result: 100,
        polls: 1.0,
        wait: Duration::ZERO,
        attempts: 1.0,
        duration: Duration::from_secs(1),
        progress: 0,
        batch: 1.0,
        api: Api::Rest,
        architecture: Architecture::Arm64,
        worker_memory: 1024,
        http_memory: 256,
        http_duration: Duration::from_millis(20),
        lease: Duration::from_secs(30),
        log: 1024,
        inline_limit: INLINE_LIMIT as u64,
        body_limit: BODY_LIMIT,
    }
}

/// Work of a job.
#[derive(Debug, Deserialize, JsonSchema)]
struct Work {
    duration_ms: u64,
    reports: u32,
    failing_attempts: u32,
    result_bytes: usize,
    #[expect(dead_code, reason = "it makes the payload large")]
    fill: String,
}

async fn work(work: Work, job: JobContext) -> Result<Output, HandlerError> {
    let (begun, duration) = (Instant::now(), Duration::from_millis(work.duration_ms));
    for report in 1..=work.reports {
        sleep_until(begun + duration * report / work.reports).await;
        job.progress(100.0 * f64::from(report) / f64::from(work.reports), "");
    }
    if job.attempt() <= work.failing_attempts {
        return Err(HandlerError::retryable("not now"));
    }
    Ok(Output::bytes(
        "application/octet-stream",
        vec![0; work.result_bytes],
    ))
}

#[derive(Deserialize, JsonSchema)]
struct Image {}

async fn take(_: Image, _: Bytes) -> Result<(), HandlerError> {
    Ok(())
}

fn room() -> Room {
    let attempt = Duration::from_secs(900);
    Room::new(vec![
        Command::json("work.do", work)
            .timeout(attempt)
            .backoff(Duration::from_secs(1), Duration::from_secs(10)),
        Command::binary("image.take", &["image/png"], take),
    ])
}

/// Submits a job of this length, which takes the time, makes the reports, and fails until the last attempt.
async fn submitted(room: &Room, workload: &Workload) -> Job {
    #[expect(clippy::cast_possible_truncation, reason = "few, and whole")]
    let failing_attempts = workload.attempts as i64 - 1;
    let mut payload = json!({
        "duration_ms": workload.duration.as_millis(), "reports": workload.progress + 1,
        "failing_attempts": failing_attempts, "result_bytes": workload.result, "fill": "",
    });
    let length = usize::try_from(workload.payload).expect("a length") - payload.to_string().len();
    payload["fill"] = json!("x".repeat(length));
    room.send("work.do", None, &payload.to_string())
        .await
        .expect("accepted")
        .job
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_the_estimate_are_those_that_are_made() {
    let (it, inline) = (workload(), INLINE_LIMIT as u64);
    let lasting = |ms| Workload {
        duration: Duration::from_millis(ms),
        ..it
    };
    let workloads = [
        it,
        Workload {
            payload: inline - 700,
            ..it
        },
        Workload {
            payload: inline,
            ..it
        },
        Workload {
            result: INLINE_RESULT_LIMIT as u64,
            ..it
        },
        Workload {
            result: INLINE_RESULT_LIMIT as u64 + 1,
            payload: inline,
            ..it
        },
        Workload {
            attempts: 3.0,
            payload: inline,
            ..it
        },
        lasting(9_900),
        lasting(10_100),
        Workload {
            attempts: 2.0,
            ..lasting(95_000)
        },
        Workload {
            progress: 2,
            ..lasting(33_000)
        },
        Workload {
            progress: 3,
            ..lasting(33_000)
        },
        Workload {
            progress: 4,
            attempts: 2.0,
            ..lasting(65_000)
        },
        Workload {
            progress: 9,
            ..lasting(800)
        },
        Workload { polls: 3.0, ..it },
    ];
    for workload in workloads {
        let room = room();
        let job = submitted(&room, &workload).await;
        assert_eq!(
            counted(room.memory.calls()),
            estimated(&workload, By::Submit),
            "{workload:?}"
        );
        room.work_until_idle().await;
        assert_eq!(
            counted(room.memory.calls()),
            estimated(&workload, By::Worker),
            "{workload:?}"
        );
        let mut polls = 0.0;
        while polls < workload.polls {
            assert_eq!(room.poll(&job.key()).await.status, Status::Succeeded);
            polls += 1.0;
        }
        assert_eq!(
            counted(room.memory.calls()),
            estimated(&workload, By::Status),
            "{workload:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_carried_in_base64_and_uploaded_where_no_request_takes_them() {
    let small = INLINE_LIMIT as u64 / 4 * 3;
    for payload in [small - 700, small, BODY_LIMIT, BODY_LIMIT + 1] {
        let workload = Workload {
            payload,
            encoding: Encoding::Base64,
            ..workload()
        };
        let (room, bytes) = (
            room(),
            vec![0xff; usize::try_from(payload).expect("a length")],
        );
        let body = if payload > BODY_LIMIT {
            let terms = UploadTerms {
                content_type: "image/png".into(),
                length: payload,
                sha256: None,
            };
            let ready = room
                .uploads
                .start(&Tenant::default(), &terms)
                .await
                .expect("ready");
            let key = keys::upload(&Tenant::default(), ready.id);
            room.submit
                .objects
                .put(&key, "image/png", bytes.into())
                .await
                .expect("put");
            assert_eq!(room.memory.calls(), ["put"], "the client's own");
            Body::Uploaded(ready.id)
        } else {
            Body::Sent {
                content_type: Some("image/png".into()),
                bytes: bytes.into(),
            }
        };
        room.send_body("image.take", None, "", body)
            .await
            .expect("accepted");
        assert_eq!(
            counted(room.memory.calls()),
            estimated(&workload, By::Submit),
            "{payload}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_held_reads_as_often_as_is_estimated() {
    for wait in [0, 1, 100, 101, 800, 2000, 9999, 25_000].map(Duration::from_millis) {
        let (it, room) = (Workload { wait, ..workload() }, room());
        let job = submitted(&room, &it).await;
        room.memory.calls();
        room.jobs
            .wait(&job.key(), wait, |_| false)
            .await
            .expect("read")
            .expect("known");
        assert_eq!(
            counted(room.memory.calls()),
            estimated(&it, By::Status),
            "{wait:?}"
        );
    }
}
