//! The calls that are reckoned with are those that the use cases make, over ports of which each call is one to AWS.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cloakroom::cost::{By, Workload};
use cloakroom::outcome::INLINE_RESULT_LIMIT;
use cloakroom::{Job, Status, Tenant};
use cloakroom_app::ports::{UploadTerms, keys};
use cloakroom_app::submit::{Body, INLINE_LIMIT};
use cloakroom_app::testing::Room;
use cloakroom_app::{Command, HandlerError, JobContext, Output, Payload};

use super::workload;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

impl Payload for Nothing {}

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
            "get" => "S3.GetObject",
            "info" => "S3.HeadObject",
            "copy" => "S3.CopyObject",
            // Only where the client did not say its SHA-256. The memory never knows it; the model takes it as said.
            "digest" => continue,
            _ => panic!("{call} is not reckoned with"),
        };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

/// What the model counts for one job.
fn reckoned(workload: &Workload, by: By) -> Counts {
    let mut counts = BTreeMap::<String, f64>::new();
    for call in workload.calls().iter().filter(|call| call.by == by) {
        *counts.entry(call.name.to_owned()).or_default() += call.a_job;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few, and whole")]
    counts.into_iter().map(|(name, count)| (name, count.round() as u32)).collect()
}

/// A command that takes the time, makes the reports, and fails until the last attempt.
fn command(workload: &Workload) -> Command {
    let it = *workload;
    let handler = move |_: Nothing, _: Bytes, job: JobContext| async move {
        for n in 1..=it.progress {
            tokio::time::sleep(it.duration / (it.progress + 1)).await;
            job.progress(f64::from(n), "");
        }
        tokio::time::sleep(it.duration / (it.progress + 1)).await;
        if f64::from(job.attempt()) < it.attempts {
            return Err(HandlerError::retryable("not yet"));
        }
        Ok(Output::bytes("x/y", vec![7; it.result.try_into().expect("a length")]))
    };
    Command::binary("some.work", &["x/y"], handler).attempts(9).timeout(Duration::from_secs(800))
}

async fn submitted(room: &Room, workload: &Workload) -> Job {
    let bytes = Bytes::from(vec![0xff; workload.payload.try_into().expect("a length")]);
    let body = if workload.payload > workload.body_limit {
        let terms = UploadTerms { content_type: "x/y".into(), length: workload.payload, sha256: None };
        let ready = room.uploads.start(&Tenant::default(), &terms).await.expect("ready");
        let key = keys::upload(&Tenant::default(), ready.id);
        room.submit.objects.put(&key, "x/y", bytes).await.expect("put");
        assert_eq!(room.memory.calls(), ["put"], "the client's own");
        Body::Uploaded(ready.id)
    } else {
        Body::Sent { content_type: Some("x/y".into()), bytes }
    };
    room.send_body("some.work", None, "", body).await.expect("accepted").job
}

#[tokio::test(start_paused = true)]
async fn the_calls_reckoned_with_are_those_that_are_made() {
    let it = workload();
    let inline = INLINE_LIMIT as u64;
    let workloads = [
        it,
        Workload { payload: inline / 4 * 3 - 500, ..it },
        Workload { payload: inline / 4 * 3, ..it },
        Workload { payload: it.body_limit + 1, ..it },
        Workload { result: INLINE_RESULT_LIMIT as u64, ..it },
        Workload { result: INLINE_RESULT_LIMIT as u64 + 1, payload: inline, ..it },
        Workload { attempts: 3.0, payload: inline, ..it },
        Workload { duration: Duration::from_millis(9_900), ..it },
        Workload { duration: Duration::from_millis(10_100), ..it },
        Workload { duration: Duration::from_secs(95), attempts: 2.0, ..it },
        Workload { duration: Duration::from_secs(33), progress: 3, ..it },
        Workload { duration: Duration::from_secs(33), progress: 2, ..it },
        Workload { duration: Duration::from_secs(65), progress: 4, attempts: 2.0, ..it },
        Workload { duration: Duration::from_millis(800), progress: 9, ..it },
        Workload { polls: 3.0, ..it },
    ];
    for workload in workloads {
        let room = Room::new(vec![command(&workload)]);
        let job = submitted(&room, &workload).await;
        assert_eq!(counted(room.memory.calls()), reckoned(&workload, By::Submit), "{workload:?}");
        room.work_until_idle().await;
        assert_eq!(counted(room.memory.calls()), reckoned(&workload, By::Worker), "{workload:?}");
        let mut polls = 0.0;
        while polls < workload.polls {
            assert_eq!(room.poll(&job.key()).await.status, Status::Succeeded);
            polls += 1.0;
        }
        assert_eq!(counted(room.memory.calls()), reckoned(&workload, By::Status), "{workload:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_held_reads_as_often_as_is_reckoned() {
    for wait in [0, 1, 100, 101, 800, 2000, 9999, 25_000].map(Duration::from_millis) {
        let it = Workload { wait, ..workload() };
        let room = Room::new(vec![command(&it)]);
        let job = submitted(&room, &it).await;
        room.memory.calls();
        room.jobs.wait(&job.key(), wait, |_| false).await.expect("read").expect("known");
        assert_eq!(counted(room.memory.calls()), reckoned(&it, By::Status), "{wait:?}");
    }
}
