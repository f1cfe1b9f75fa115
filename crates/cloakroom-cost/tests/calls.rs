//! Compares the calls of the estimate with those of the use cases. Each call of a port is one call to AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::changes::Changes;
use cloakroom_app::command::BODY_LIMIT;
use cloakroom_app::jobs::FollowStep;
use cloakroom_app::observed::ObservedStore;
use cloakroom_app::ports::{JobStore, UploadTerms, keys};
use cloakroom_app::submit::{Body, INLINE_LIMIT, Submission};
use cloakroom_app::testing::{Listening, Room, tenant};
use cloakroom_app::{Command, HandlerError, JobContext, Output};
use cloakroom_core::outcome::INLINE_RESULT_LIMIT;
use cloakroom_core::{EventContext, EventScope, Job, JobKey, ReplyQueue, Status, WebhookListener};
use cloakroom_cost::{Api, Architecture, By, Encoding, Listeners, Meter, Webhook, Workload};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

/// Number of calls of each operation.
type Counts = BTreeMap<String, u32>;

/// Converts calls of ports to calls of AWS, as the tests of the adapters count them.
fn counted(calls: Vec<&'static str>) -> Counts {
    let mut counts = Counts::new();
    for call in calls {
        let name = match call {
            "accept" | "take_upload" | "save_deliveries" => "DynamoDB.PutItem",
            "change" => "DynamoDB.UpdateItem",
            "load" | "load_deliveries" => "DynamoDB.GetItem",
            "send" | "send_reply" => "SQS.SendMessage",
            "hide" => "SQS.ChangeMessageVisibility",
            "put" => "S3.PutObject",
            "open" => "S3.GetObject",
            "info" => "S3.HeadObject",
            "copy" => "S3.CopyObject",
            "put_events" => "EventBridge.PutEvents",
            // Deleting costs nothing. The other is made where the client did not say its SHA-256, which the memory never
            // knows; the model takes it as said.
            // The receiver of a webhook is no service of AWS. The keys of the deployment are read once a minute.
            "delete" | "digest" | "post" | "keys" => continue,
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
        listeners: Listeners::default(),
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
    let text = "x".repeat(work.result_bytes - 2);
    Ok(Output::bytes("application/json", format!("\"{text}\"")))
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
    let payload = payload(workload);
    room.send("work.do", None, &payload)
        .await
        .expect("accepted")
        .job
}

fn payload(workload: &Workload) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "few, and whole")]
    let failing_attempts = workload.attempts as i64 - 1;
    let mut payload = json!({
        "duration_ms": workload.duration.as_millis(), "reports": workload.progress + 1,
        "failing_attempts": failing_attempts, "result_bytes": workload.result, "fill": "",
    });
    let length = usize::try_from(workload.payload).expect("a length") - payload.to_string().len();
    payload["fill"] = json!("x".repeat(length));
    payload.to_string()
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
            let ready = room.uploads.start(&tenant(), &terms).await.expect("ready");
            let key = keys::upload(&tenant(), ready.id);
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

/// Follows a job as `GET /jobs/{id}/events` does, with the next stream after each window. Returns the number of streams.
async fn follow(room: &Room, key: &JobKey, window: Duration) -> f64 {
    let (mut cursor, mut streams) = (None, 0.0);
    loop {
        streams += 1.0;
        room.jobs.get(key).await.expect("read").expect("known");
        let mut follow = room.jobs.follow(key.clone(), cursor, window);
        loop {
            match follow.next(Duration::from_secs(15)).await.expect("read") {
                FollowStep::Changed(job) if job.status.is_terminal() => return streams,
                FollowStep::Changed(job) => cursor = Some(job.version),
                FollowStep::Silence => {}
                FollowStep::End => break,
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_followed_is_read_as_often_as_is_estimated() {
    let lasting = |ms| Workload {
        duration: Duration::from_millis(ms),
        ..workload()
    };
    let http = |workload| Workload {
        api: Api::Http,
        ..workload
    };
    let cases = [
        (500, lasting(1000)),
        (500, lasting(33_000)),
        (500, lasting(140_000)),
        (
            500,
            Workload {
                progress: 4,
                ..lasting(65_000)
            },
        ),
        (500, http(lasting(65_000))),
        // The job waits, so its stream has comments.
        (39_500, lasting(1000)),
        (97_500, lasting(1000)),
        (97_500, http(lasting(1000))),
    ];
    for (begins, mut it) in cases {
        let begins = Duration::from_millis(begins);
        it.listeners.followed = begins + it.duration;
        let room = room();
        let job = submitted(&room, &it).await;
        room.memory.calls();
        let window = match it.api {
            Api::Rest => Duration::from_secs(55),
            Api::Http => Duration::from_secs(25),
        };
        let work = async {
            sleep(begins).await;
            room.work_until_idle().await;
        };
        let key = job.key();
        let (streams, ()) = tokio::join!(follow(&room, &key, window), work);
        let requests = it
            .calls()
            .into_iter()
            .find(|call| call.name == "GET /jobs/{id}/events");
        assert_eq!(requests.map(|call| call.a_job), Some(streams), "{it:?}");
        let reads = room
            .memory
            .calls()
            .into_iter()
            .filter(|call| *call == "load");
        assert_eq!(
            counted(reads.collect()),
            estimated(&it, By::Events),
            "{it:?}"
        );
    }
}

/// Runs a job with its listeners. Returns the changes that concern them, and the number of all writes to the record.
async fn changes(it: &Workload) -> (Vec<Job>, usize) {
    let (mut room, changes) = (room(), Arc::new(Mutex::new(vec![])));
    let seen = Arc::clone(&changes);
    let observer = move |job| seen.lock().expect("nothing panics").push(job);
    let store = ObservedStore::new(room.memory.clone(), Changes::default(), Arc::new(observer));
    let store: Arc<dyn JobStore> = Arc::new(store);
    room.submit.shared.store = Arc::clone(&store);
    room.worker.shared.store = store;
    let orders: ReplyQueue = "orders".parse().expect("a name");
    room.submit.listeners.bus = it.listeners.bus;
    room.submit.listeners.reply_queues.insert(orders.clone());
    let webhook = it.listeners.webhook.map(|webhook| WebhookListener {
        url: "https://hooks.example/jobs".into(),
        scope: webhook.scope,
    });
    let body = Body::Sent {
        content_type: Some("application/json".into()),
        bytes: payload(it).into(),
    };
    let submission = Submission {
        events: Some(Box::new(EventContext {
            webhook,
            reply_to: (it.listeners.replies > 0.0).then_some(orders),
            ..EventContext::default()
        })),
        ..Room::submission("work.do", body)
    };
    room.submit.submit(submission).await.expect("accepted");
    room.work_until_idle().await;
    let calls = room.memory.calls().into_iter();
    let writes = calls.filter(|call| matches!(*call, "accept" | "change"));
    let changes = std::mem::take(&mut *changes.lock().expect("nothing panics"));
    (changes, writes.count())
}

fn webhook(attempts: f64, scope: EventScope) -> Listeners {
    let webhook = Webhook {
        attempts,
        scope,
        duration: Duration::ZERO,
    };
    Listeners {
        webhook: Some(webhook),
        ..Listeners::default()
    }
}

fn bus(scope: EventScope) -> Listeners {
    Listeners {
        bus: Some(scope),
        ..Listeners::default()
    }
}

fn replies(listeners: Listeners) -> Listeners {
    Listeners {
        replies: 1.0,
        ..listeners
    }
}

/// Publishes changes and delivers their events, with these responses to each. Returns the calls of publisher and deliver.
async fn notified(changes: &[Job], responses: &[u16]) -> [Counts; 2] {
    let room = Listening::default();
    let (mut published, mut delivered) = (vec![], vec![]);
    for job in changes {
        room.publisher.publish(job).await.expect("published");
        published.extend(room.memory.calls());
        let responses = responses.iter().map(|status| Ok(*status));
        room.memory.respond(responses);
        room.deliver_all().await;
        delivered.extend(room.memory.calls());
    }
    [counted(published), counted(delivered)]
}

#[tokio::test(start_paused = true)]
async fn listeners_make_the_calls_that_are_estimated() {
    use EventScope::{All, Terminal};
    let jobs = [
        workload(),
        Workload {
            progress: 2,
            attempts: 2.0,
            duration: Duration::from_secs(33),
            ..workload()
        },
        Workload {
            result: INLINE_RESULT_LIMIT as u64 + 1,
            ..workload()
        },
    ];
    let once: &[u16] = &[];
    let listeners = [
        (Listeners::default(), once),
        (webhook(1.0, Terminal), once),
        (webhook(2.0, Terminal), &[503]),
        (webhook(4.0, Terminal), &[503, 500, 302]),
        (webhook(1.0, All), once),
        (replies(Listeners::default()), once),
        (replies(webhook(1.0, All)), once),
        (replies(bus(Terminal)), once),
        (bus(All), once),
    ];
    for it in jobs {
        for (listeners, responses) in listeners {
            let it = Workload { listeners, ..it };
            let (changes, _) = changes(&it).await;
            let calls = [By::Publisher, By::Deliver].map(|by| estimated(&it, by));
            assert_eq!(notified(&changes, responses).await, calls, "{it:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_publisher_starts_as_often_as_is_estimated() {
    use EventScope::{All, Terminal};
    let it = Workload {
        progress: 2,
        attempts: 2.0,
        duration: Duration::from_secs(33),
        ..workload()
    };
    for (listeners, starts_at_all) in [
        (Listeners::default(), false),
        (bus(Terminal), false),
        (bus(All), true),
        (webhook(1.0, Terminal), false),
        (webhook(1.0, All), true),
    ] {
        let it = Workload { listeners, ..it };
        let (changes, writes) = changes(&it).await;
        let starts = if starts_at_all { writes } else { changes.len() };
        // Each message of a delivery starts the other function, which then reads the deliveries.
        let receipts = estimated(&it, By::Deliver).remove("DynamoDB.GetItem");
        let calls = it.calls().into_iter();
        let invocations = calls.filter(|call| call.meter == Meter::NotifyInvocations);
        let invocations: f64 = invocations.map(|call| call.a_job).sum();
        let publisher = invocations - f64::from(receipts.unwrap_or(0));
        let starts = f64::from(u32::try_from(starts).expect("few"));
        assert!((publisher - starts).abs() < 1e-9, "{it:?}");
    }
}
