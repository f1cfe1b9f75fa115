//! Attributes of a stored record. Each line of an input sets one attribute of a valid record (`status S running`), or
//! removes it (`-lease_token`). A record that can be read is written unchanged, and each use case accepts it.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::host::Host as _;
use cloakroom_app::ports::JobStore as _;
use cloakroom_app::testing::new_job;
use cloakroom_aws::testing::{job_from_item, to_item};
use cloakroom_core::transition::Verdict;
use cloakroom_core::view::{HistoryView, JobView};
use cloakroom_core::{Digest, Job, Status, Timestamp, poll};
use http::Method;

use crate::contract::BASE;
use crate::scene::{Scene, play};

/// Payload of the job, whose digest is in its message.
const PAYLOAD: &[u8] = b"{}";

/// Parses the record that an input describes, and runs all use cases with it.
pub fn run(input: &[u8]) {
    let Ok(lines) = std::str::from_utf8(input) else {
        return;
    };
    let mut item = to_item(&new_job(Timestamp::from_seconds(1_795_248_000), 7));
    for line in lines.lines() {
        change(&mut item, line);
    }
    let Ok(job) = job_from_item(&item) else {
        return;
    };
    let again = to_item(&job);
    assert_eq!(
        job_from_item(&again).as_ref(),
        Ok(&job),
        "what was read is written"
    );
    shown(&job);
    play(async || used(&job).await);
}

fn change(item: &mut HashMap<String, AttributeValue>, line: &str) {
    if let Some(name) = line.strip_prefix('-') {
        item.remove(name);
        return;
    }
    let mut words = line.splitn(3, ' ');
    let (Some(name), Some(kind)) = (words.next(), words.next()) else {
        return;
    };
    let value = words.next().unwrap_or_default();
    let value = match kind {
        "S" => AttributeValue::S(value.to_owned()),
        "N" => AttributeValue::N(value.to_owned()),
        "B" => AttributeValue::B(Blob::new(value.as_bytes())),
        // The SHA-256 of the value, as 32 bytes.
        "D" => AttributeValue::B(Blob::new(
            *Digest::from_content(value.as_bytes()).as_bytes(),
        )),
        "L" => AttributeValue::L(
            value
                .split('|')
                .map(|text| AttributeValue::S(text.to_owned()))
                .collect(),
        ),
        "NULL" => AttributeValue::Null(true),
        _ => AttributeValue::Bool(true),
    };
    item.insert(name.to_owned(), value);
}

/// Checks that the job can be displayed at any time.
fn shown(job: &Job) {
    for now in [
        Timestamp::from_millis(0),
        job.created_at,
        job.ready_at,
        job.expires_at,
        Timestamp::from_millis(i64::MAX),
    ] {
        assert!((1..=30).contains(&poll::retry_after(job, now)));
        for message in ["m-1", "m-2"] {
            _ = Verdict::for_dead_letter(Some(job), job.created_at, message, true, now);
        }
        _ = Verdict::for_sweep(Some(job), Duration::from_secs(3600), false, now);
    }
    let view = JobView::from_job(job, BASE);
    let text = serde_json::to_string(&view).expect("JSON");
    let read: JobView =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read.status, view.status);
    _ = serde_json::to_string(&HistoryView::from_job(job, BASE)).expect("JSON");
}

async fn used(job: &Job) {
    let scene = Scene::new();
    let (room, key) = (&scene.room, job.key());
    let place = format!("{BASE}/jobs/{}", job.id);
    room.memory
        .accept(job)
        .await
        .expect("the memory does not fail");
    let get = async |paths: &[&str]| {
        for path in paths {
            for accept in ["application/json", "text/html"] {
                scene
                    .get(&job.tenant, &format!("{place}{path}"), accept)
                    .await;
            }
        }
    };
    get(&["", "/result", "/history"]).await;

    let delivery = |message_id: &str| Delivery {
        message_id: message_id.into(),
        receipt: "receipt".into(),
        body: Envelope::new(
            job,
            "application/json",
            "",
            PayloadRef::from_bytes(PAYLOAD),
            &Digest::from_content(PAYLOAD),
            RequestTrace::default(),
        )
        .write(),
        receive_count: 2,
        producer_message: None,
    };
    _ = room
        .worker
        .handle(
            &delivery("m-1"),
            room.host.now().after(Duration::from_secs(900)),
        )
        .await;
    get(&["", "/history"]).await;
    _ = room
        .sweeper
        .sweep(std::slice::from_ref(&key))
        .await
        .expect("the memory does not fail");
    scene
        .request(Method::DELETE, &job.tenant, &place, "*/*")
        .await;
    _ = room.dead_letters.handle(&delivery("m-2")).await;
    get(&["", "/result", "/history"]).await;
    for letter in room
        .redrive
        .list(Some(&job.tenant), None)
        .await
        .expect("the memory does not fail")
    {
        _ = room
            .redrive
            .send(&letter)
            .await
            .expect("the memory does not fail");
    }
    room.work_until_idle().await;
    get(&["", "/result", "/history"]).await;
    // Only an operator changes a job that has ended.
    if matches!(job.status, Status::Succeeded | Status::Cancelled)
        && let Some(now) = room.jobs.get(&key).await.expect("the memory does not fail")
    {
        assert_eq!(now, *job);
    }
}
