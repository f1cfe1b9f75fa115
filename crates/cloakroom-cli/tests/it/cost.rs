//! `cloakroom cost` reckons with the calls that are made: those of the use cases, over ports of which each call is one
//! to AWS.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use cloakroom_app::command::BODY_LIMIT;
use cloakroom_app::ports::{UploadTerms, keys};
use cloakroom_app::submit::{Body, INLINE_LIMIT};
use cloakroom_app::testing::Room;
use cloakroom_core::outcome::INLINE_RESULT_LIMIT;
use cloakroom_core::{Job, Status, Tenant};
use cloakroom_cost::{Api, Architecture, By, Encoding, Workload};
use serde_json::json;

/// How often each operation is called.
type Counts = BTreeMap<String, u32>;

/// What each call of a port is to AWS, as the tests of the adapters count it.
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
            _ => panic!("{call} is not reckoned with"),
        };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// What the model counts for one job.
fn reckoned(workload: &Workload, by: By) -> Counts {
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

fn room() -> Room {
    Room::new(commands::registry().iter().cloned().collect())
}

/// Submits a diagnostic of this length, which takes the time, makes the reports, and fails until the last attempt.
async fn submitted(room: &Room, workload: &Workload) -> Job {
    let mut payload = json!({
        "duration_ms": workload.duration.as_millis(), "progress_steps": workload.progress + 1,
        "result_bytes": workload.result, "message": "",
    });
    if workload.attempts > 1.0 {
        payload["fail"] = json!("retryable");
        #[expect(clippy::cast_possible_truncation, reason = "few, and whole")]
        let fail_attempts = workload.attempts as i64 - 1;
        payload["fail_attempts"] = json!(fail_attempts);
    }
    let length = usize::try_from(workload.payload).expect("a length") - payload.to_string().len();
    payload["message"] = json!("x".repeat(length));
    room.send("diagnostic.run", None, &payload.to_string())
        .await
        .expect("accepted")
        .job
}

#[tokio::test(start_paused = true)]
async fn the_calls_reckoned_with_are_those_that_are_made() {
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
            reckoned(&workload, By::Submit),
            "{workload:?}"
        );
        room.work_until_idle().await;
        assert_eq!(
            counted(room.memory.calls()),
            reckoned(&workload, By::Worker),
            "{workload:?}"
        );
        let mut polls = 0.0;
        while polls < workload.polls {
            assert_eq!(room.poll(&job.key()).await.status, Status::Succeeded);
            polls += 1.0;
        }
        assert_eq!(
            counted(room.memory.calls()),
            reckoned(&workload, By::Status),
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
        room.send_body("thumbnail.create", None, "width=9", body)
            .await
            .expect("accepted");
        assert_eq!(
            counted(room.memory.calls()),
            reckoned(&workload, By::Submit),
            "{payload}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_held_reads_as_often_as_is_reckoned() {
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
            reckoned(&it, By::Status),
            "{wait:?}"
        );
    }
}

#[test]
fn nonsense_is_a_usage_error_that_names_what_would_be_right() {
    let cases = [
        ("--jobs", "-5", "want a number from 1 to 1e10"),
        ("--jobs", "NaN", "want a number from 1 to 1e10"),
        ("--polls", "inf", "want a number from 0 to 1e6"),
        (
            "--payload",
            "40Kb",
            "want whole bytes, as in 512, 40KiB or 1MB, at most 64MiB",
        ),
        (
            "--payload",
            "65MiB",
            "at most 64MiB, which is the most that can be uploaded",
        ),
        (
            "--duration",
            "16m",
            "at most 15m, which is the longest that a function runs",
        ),
        ("--duration", "0s", "more than 0"),
        (
            "--memory",
            "0",
            "want megabytes, a whole number from 128 to 10240",
        ),
        ("--batch", "0", "want a number from 1 to 10"),
        ("--api", "soap", "possible values: rest, http"),
        ("--architecture", "mips", "possible values: arm64, x86_64"),
    ];
    for (option, value, right) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
        let output = command
            .args(["cost", option, value])
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{option} {value}: {said}"
        );
        assert!(
            said.contains(option) && said.contains(right),
            "{option} {value}: {said}"
        );
    }
}

#[test]
fn a_document_adds_up() {
    let output = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
        .args(["cost", "--json"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let services = document["services"].as_array().expect("services");
    let sum = |of: &str| {
        services
            .iter()
            .map(|it| it[of].as_f64().expect("a number"))
            .sum::<f64>()
    };
    assert!((sum("dollars") - document["dollars"].as_f64().expect("a number")).abs() < 1e-9);
    assert!((sum("share") - 1.0).abs() < 1e-9);
}
