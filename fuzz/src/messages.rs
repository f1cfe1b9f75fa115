//! Messages of the queue: for the worker, as dead letters, as lists of the sweeper, and as events of queue and stream.
//!
//! Two tenants have a job each. In an input, `{job}`, `{at}`, `{sha}` and `{key}` are the first one's id, time of
//! acceptance, payload digest and claim check. `{other-…}` are those of the other.

use std::sync::{Arc, Mutex};

use aws_lambda_events::sqs::SqsEvent;
use bytes::Bytes;
use cloakroom_app::body::Expected;
use cloakroom_app::delivery::{Delivery, Disposition};
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::ports::keys;
use cloakroom_app::submit::{Body, Submission};
use cloakroom_app::sweep::Rounds;
use cloakroom_app::testing::{Memory, Nothing, Room};
use cloakroom_app::{Command, HandlerError, JobContext, Output};
use cloakroom_core::{Digest, Job, JobId, JobKey};
use serde_json::Value;

use crate::request::parts;
use crate::scene::play;

const PAYLOADS: [&[u8]; 2] = [b"of one", b"a secret of the other"];

type Seen = Arc<Mutex<Vec<(JobId, Bytes)>>>;

/// Limit that makes every payload a claim check.
const INLINE_LIMIT: usize = 0;

/// Handles the messages of an input.
pub fn run(input: &[u8]) {
    play(async || {
        let seen = Seen::default();
        let mut room = Room::new(vec![keep(seen.clone())]);
        room.submit.inline_limit = INLINE_LIMIT;
        let jobs = [
            submit(&room, "one", PAYLOADS[0]).await,
            submit(&room, "other", PAYLOADS[1]).await,
        ];
        let messages: Vec<_> = parts(input)
            .iter()
            .filter_map(|(_, body)| message(body, &jobs))
            .collect();
        for body in &messages {
            read(body);
            written(body.as_bytes(), &jobs[0]);
        }
        let lists = Arc::new(Memory::default());
        let rounds = Rounds {
            sweeper: room.sweeper.clone(),
            lists: lists.clone(),
        };
        handle(&room, &rounds, &messages).await;
        for job in &jobs {
            let addressed = messages.iter().any(|body| concerns(body, &job.key()));
            let found = room.poll(&job.key()).await;
            assert!(
                addressed || found == *job,
                "{found:?} was changed by another's message"
            );
        }
        saw_its_own(&seen, &jobs, &messages);
        // The service's own message ends each job, whatever happened before.
        room.work_until_idle().await;
        for job in &jobs {
            let found = room.poll(&job.key()).await;
            assert!(found.status.is_terminal(), "{found:?}");
        }
        let mut last = None;
        while let Some(letter) = room
            .redrive
            .list(None, last.as_deref())
            .await
            .expect("letters")
            .into_iter()
            .next()
        {
            room.redrive
                .send(&letter)
                .await
                .expect("the memory does not fail");
            room.work_once().await;
            // Unreadable messages would be delivered forever in a queue without dead letters.
            room.memory.purge();
            last = Some(letter.key);
        }
        saw_its_own(&seen, &jobs, &messages);
    });
}

/// Returns a command that records the payload of each job.
fn keep(seen: Seen) -> Command {
    Command::binary(
        "keep",
        &["text/plain"],
        move |_: Nothing, bytes: Bytes, job: JobContext| {
            seen.lock()
                .expect("nobody panics while it holds it")
                .push((job.id(), bytes));
            async { Ok::<_, HandlerError>(Output::none()) }
        },
    )
}

/// Checks that a job got its own payload, or one that a message contains: its sender already knows that one.
fn saw_its_own(seen: &Seen, jobs: &[Job; 2], messages: &[String]) {
    let inline: Vec<_> = messages
        .iter()
        .filter_map(|body| Envelope::read(body).ok()?.payload.bytes()?.ok())
        .collect();
    for (id, bytes) in seen.lock().expect("nobody panics while it holds it").iter() {
        let own = jobs
            .iter()
            .zip(PAYLOADS)
            .any(|(job, payload)| job.id == *id && bytes == payload);
        assert!(own || inline.contains(bytes), "{id} was given {bytes:?}");
    }
}

async fn submit(room: &Room, tenant: &str, payload: &'static [u8]) -> Job {
    let submission = Submission {
        tenant: tenant.parse().expect("a good name"),
        command: "keep".parse().expect("a good name"),
        client_job_id: Some("order-1042".parse().expect("a good key")),
        body: Body::Sent {
            content_type: Some("text/plain".into()),
            bytes: Bytes::from_static(payload),
        },
        query: String::new(),
        not_before: None,
        trace: RequestTrace::default(),
        events: None,
    };
    room.submit.submit(submission).await.expect("accepted").job
}

/// Replaces the placeholders in a message.
fn message(body: &[u8], jobs: &[Job; 2]) -> Option<String> {
    let mut body = std::str::from_utf8(body).ok()?.trim_end().to_owned();
    for (prefix, (job, payload)) in ["", "other-"].into_iter().zip(jobs.iter().zip(PAYLOADS)) {
        let sha256 = Digest::from_content(payload);
        for (name, value) in [
            ("job", job.id.to_string()),
            ("at", job.created_at.as_millis().to_string()),
            ("sha", sha256.to_string()),
            ("key", keys::payload(&job.key(), &sha256)),
        ] {
            body = body.replace(&format!("{{{prefix}{name}}}"), &value);
        }
    }
    Some(body)
}

/// Checks that a readable message is written unchanged, and has a correct address.
fn read(body: &str) {
    let Ok(envelope) = Envelope::read(body) else {
        return;
    };
    assert_eq!(Envelope::read(&envelope.write()).as_ref(), Ok(&envelope));
    assert_eq!(
        Envelope::address(body),
        Some((envelope.key(), envelope.accepted_at()))
    );
    assert!(envelope.ready_at() >= envelope.accepted_at() || body.contains("ready_at"));
    _ = envelope.payload.bytes();
}

/// Checks that any payload is read back unchanged from a message that the queue accepts.
fn written(payload: &[u8], job: &Job) {
    let sha256 = Digest::from_content(payload);
    let envelope = Envelope::new(
        job,
        "x/y",
        "a=1",
        PayloadRef::from_bytes(payload),
        &sha256,
        RequestTrace::default(),
    );
    let body = envelope.write();
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(body.chars().all(legal), "{body:?}");
    let read = Envelope::read(&body).expect("what was written");
    assert_eq!(read, envelope);
    let bytes = read.payload.bytes().expect("inline").expect("base64");
    assert_eq!(read.expected(), Expected::Sha256(sha256));
    assert_eq!(bytes, payload);
}

/// Returns true if a message, or an event or list in it, names this job.
fn concerns(body: &str, key: &JobKey) -> bool {
    Envelope::address(body).is_some_and(|(addressed, _)| addressed == *key)
        || body.contains(&key.id.to_string())
}

/// Passes each message to all receivers of messages.
async fn handle(room: &Room, rounds: &Rounds, messages: &[String]) {
    let mut deliveries = vec![];
    for (n, body) in messages.iter().enumerate() {
        let receipt = format!("receipt {n}");
        deliveries.push(Delivery {
            message_id: format!("m-{n}"),
            receipt,
            body: body.clone(),
            receive_count: 1,
            producer_message: None,
        });
        let Ok(event) = serde_json::from_str::<Value>(body) else {
            continue;
        };
        if let Some(jobs) = cloakroom_lambda::stream::accepted(&event) {
            rounds.begin(&jobs).await.expect("the memory does not fail");
        }
        let Ok(event) = serde_json::from_value::<SqsEvent>(event) else {
            continue;
        };
        deliveries.extend(cloakroom_lambda::batch::deliveries(event));
    }
    let ends_at = cloakroom_lambda::batch::ends_at(
        u64::try_from(deliveries.len()).unwrap_or(0) + 900_000,
        room.submit.shared.host.now(),
    );
    for dispositions in [
        room.worker.handle_batch(&deliveries, ends_at).await,
        room.dead_letters.handle_batch(&deliveries).await,
        rounds.resume(&deliveries).await,
    ] {
        let answer = cloakroom_lambda::batch::response(&deliveries, &dispositions);
        let kept = dispositions
            .iter()
            .filter(|it| **it == Disposition::Keep)
            .count();
        assert_eq!(
            (dispositions.len(), answer.batch_item_failures.len()),
            (deliveries.len(), kept)
        );
        assert!(
            answer
                .batch_item_failures
                .iter()
                .all(|it| !it.item_identifier.is_empty())
        );
    }
}
