//! Given a producer's message, when it is received once, twice, or again after a crash, then its command runs once, or
//! its
//! job fails, or it is stored with the reason.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

mod faults;
mod rejections;

use cloakroom_core::{
    EventContext, EventScope, JobKey, ReplyQueue, Status, Tenant, Timestamp, Transition,
};
use serde_json::Value;
use tokio::time::sleep;

use super::attributes::{
    CLIENT_JOB_ID, COMMAND, CONTENT_TYPE, CORRELATION_ID, QUERY, REPLY_TO, TENANT,
};
use super::*;
use crate::host::Host as _;
use crate::ports::Objects as _;
use crate::testing::{Fault, Note, Room, another, claim_by, nothing};
use crate::{HandlerError, Output};

/// Returns a deployment whose producers are the tenant `warehouse`, with payloads in `theirs`, and a count of handler
/// runs.
fn room() -> (Room, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let (note, file) = (Arc::clone(&runs), Arc::clone(&runs));
    let mut room = Room::new(vec![
        Command::json("note.keep", move |it: Note| {
            note.fetch_add(1, Ordering::SeqCst);
            async move { Output::json(&it.text.len()) }
        })
        .upload_limit(2_000_000),
        Command::json("note.strict", nothing::<Note>).key_required(),
        Command::binary(
            "file.keep",
            &["image/png", "image/jpeg"],
            move |_: Note, bytes: Bytes| {
                file.fetch_add(1, Ordering::SeqCst);
                async move { Ok::<_, HandlerError>(Output::bytes("image/png", bytes)) }
            },
        ),
    ]);
    let_producers_in(&mut room);
    (room, runs)
}

fn let_producers_in(room: &mut Room) {
    room.worker.intake = Some(Arc::new(ProducerIntake {
        submit: room.submit.clone(),
        payloads: room.memory.clone(),
        buckets: vec!["theirs".to_owned()],
        dead_letters: room.memory.clone(),
        tenants: ProducerTenants::One(warehouse()),
    }));
}

/// Returns the intake, to change it.
fn intake(room: &mut Room) -> &mut ProducerIntake {
    let intake = room.worker.intake.as_mut().and_then(Arc::get_mut);
    intake.expect("its only owner")
}

fn warehouse() -> Tenant {
    "warehouse".parse().expect("a name")
}

fn producer_message(room: &Room, attributes: &[(&str, &str)]) -> ProducerMessage {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let sent_at = Some(room.host.now());
    ProducerMessage {
        attributes: attributes.iter().map(text).collect(),
        payload: PayloadLocation::Body,
        sent_at,
    }
}

fn object(bucket: &str, key: &str) -> PayloadLocation {
    PayloadLocation::Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    }
}

fn key_of(room: &Room, client_job_id: &str) -> JobKey {
    let tenant = warehouse();
    let id = room
        .submit
        .namespace
        .job_id(&tenant, &client_job_id.parse().expect("a key"));
    JobKey { tenant, id }
}

#[test]
fn the_attributes_of_messages_are_those_that_users_were_told() {
    assert_eq!(
        [
            COMMAND,
            CLIENT_JOB_ID,
            TENANT,
            CONTENT_TYPE,
            REPLY_TO,
            CORRELATION_ID,
            QUERY
        ],
        [
            "Cloakroom-Command-Type",
            "Cloakroom-Client-Job-Id",
            "Cloakroom-Tenant",
            "Cloakroom-Content-Type",
            "Cloakroom-Reply-To",
            "Cloakroom-Correlation-Id",
            "Cloakroom-Query",
        ]
    );
}

const ORDER: [(&str, &str); 2] = [(COMMAND, "note.keep"), (CLIENT_JOB_ID, "order-1")];

/// Returns a command submitted by HTTP, with the key `order-1`.
fn by_http() -> Submission {
    Submission {
        tenant: warehouse(),
        command: "note.keep".parse().expect("a name"),
        client_job_id: Some("order-1".parse().expect("a key")),
        body: Body::Sent {
            content_type: Some("application/json".into()),
            bytes: r#"{"text":"abc"}"#.into(),
        },
        query: String::new(),
        not_before: None,
        trace: RequestTrace::default(),
        events: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_producers_command_is_done_once_however_often_it_is_sent_and_its_key_finds_the_job() {
    let (room, runs) = room();
    for _ in 0..3 {
        room.memory
            .produce(r#"{"text":"abc"}"#, producer_message(&room, &ORDER));
    }
    room.work_until_idle().await;
    let found = room
        .jobs
        .find(&warehouse(), &"order-1".parse().expect("a key"))
        .await
        .expect("memory");
    assert_eq!(found.map(|job| job.status), Some(Status::Succeeded));
    assert_eq!(
        (runs.load(Ordering::SeqCst), room.memory.messages().0),
        (1, 0)
    );
    // Sent by HTTP under the same key it is the same command.
    assert!(
        room.submit
            .submit(by_http())
            .await
            .expect("accepted")
            .replayed
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_may_name_the_tenant_that_all_producers_have() {
    let (room, runs) = room();
    let attributes = [&ORDER[..], &[(TENANT, "warehouse")]].concat();
    room.memory
        .produce(r#"{"text":"abc"}"#, producer_message(&room, &attributes));
    room.work_until_idle().await;
    let job = room.poll(&key_of(&room, "order-1")).await;
    assert_eq!(
        (job.status, runs.load(Ordering::SeqCst)),
        (Status::Succeeded, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_names_its_reply_queue_and_what_its_job_belongs_to() {
    let (mut room, _) = room();
    let listeners = &mut intake(&mut room).submit.listeners;
    let answers: ReplyQueue = "answers".parse().expect("a name");
    listeners.reply_queues.insert(answers.clone());
    let events = [(REPLY_TO, "answers"), (CORRELATION_ID, "basket-7")];
    let message = producer_message(&room, &[&ORDER[..], &events].concat());
    room.memory.produce(r#"{"text":"abc"}"#, message);
    room.work_until_idle().await;
    let job = room.poll(&key_of(&room, "order-1")).await;
    let want = EventContext {
        reply_to: Some(answers),
        correlation_id: Some("basket-7".parse().expect("an id")),
        ..EventContext::default()
    };
    assert_eq!(job.events.as_deref(), Some(&want));
}

#[tokio::test(start_paused = true)]
async fn a_message_names_what_its_job_belongs_to_without_a_reply_queue_too() {
    let (room, _) = room();
    let attributes = [&ORDER[..], &[(CORRELATION_ID, "basket-7")]].concat();
    let message = producer_message(&room, &attributes);
    room.memory.produce(r#"{"text":"abc"}"#, message);
    room.work_until_idle().await;
    let job = room.poll(&key_of(&room, "order-1")).await;
    assert_eq!(job.correlation_id(), "basket-7");
}

#[tokio::test(start_paused = true)]
async fn an_object_of_a_producer_has_the_limit_of_an_upload() {
    let command = Command::json("note.keep", nothing::<Note>);
    let mut room = Room::new(vec![command.body_limit(20).upload_limit(1000)]);
    let_producers_in(&mut room);
    for (length, status) in [(1000, Status::Succeeded), (1001, Status::Failed)] {
        let key = format!("order-{length}");
        let note = format!("{:length$}", r#"{"text":"abc"}"#);
        let put = room.memory.put("theirs/a", "", note.into());
        put.await.expect("memory");
        let attributes = [(COMMAND, "note.keep"), (CLIENT_JOB_ID, &key)];
        let message = ProducerMessage {
            payload: object("theirs", "a"),
            ..producer_message(&room, &attributes)
        };
        room.memory.produce("a pointer", message);
        room.work_until_idle().await;
        let job = room.poll(&key_of(&room, &key)).await;
        assert_eq!(job.status, status, "{:?}", job.failure);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_content_type_has_the_only_one_of_its_command() {
    let mut room = Room::new(vec![Command::binary(
        "image.keep",
        &["image/png"],
        |_: Note, bytes: Bytes| async { Ok::<_, HandlerError>(Output::bytes("image/png", bytes)) },
    )]);
    let_producers_in(&mut room);
    let attributes = [(COMMAND, "image.keep"), (CLIENT_JOB_ID, "order-1")];
    room.memory
        .produce("the picture", producer_message(&room, &attributes));
    room.work_until_idle().await;
    let job = room.poll(&key_of(&room, "order-1")).await;
    assert_eq!(job.status, Status::Succeeded, "{:?}", job.failure);
}

#[tokio::test(start_paused = true)]
async fn without_a_key_the_messages_id_is_one() {
    let (room, runs) = room();
    let ids = [(); 2].map(|()| {
        room.memory
            .produce("{}", producer_message(&room, &[(COMMAND, "note.keep")]))
    });
    room.work_until_idle().await;
    for id in ids {
        assert_eq!(
            room.poll(&key_of(&room, &format!("sqs:{id}"))).await.status,
            Status::Succeeded
        );
    }
    assert_eq!(
        runs.load(Ordering::SeqCst),
        2,
        "two messages are two commands"
    );
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_fetched_from_the_producers_bucket_and_never_needed_there_again() {
    let (room, runs) = room();
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(1_500_000));
    room.memory
        .put("theirs/1", "text/plain", large.into())
        .await
        .expect("memory");
    room.memory
        .put("theirs/2", "image/png", Bytes::from_static(&[0, 255]))
        .await
        .expect("memory");
    room.memory.produce(
        "a pointer",
        ProducerMessage {
            payload: object("theirs", "1"),
            ..producer_message(&room, &ORDER)
        },
    );
    let file = [
        (COMMAND, "file.keep"),
        (CLIENT_JOB_ID, "file"),
        (CONTENT_TYPE, "image/png"),
        (QUERY, "text=a"),
    ];
    room.memory.produce(
        "a pointer",
        ProducerMessage {
            payload: object("theirs", "2"),
            ..producer_message(&room, &file)
        },
    );
    for _ in 0..2 {
        assert!(room.work_once().await);
    }
    room.memory.lose("theirs/1");
    room.memory.lose("theirs/2");
    room.work_until_idle().await;
    for key in ["order-1", "file"] {
        assert_eq!(
            room.poll(&key_of(&room, key)).await.status,
            Status::Succeeded,
            "{key}"
        );
    }
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetched_payload_may_be_as_large_as_an_upload_and_a_sent_one_as_a_body() {
    for (bytes, fetched, taken) in [
        (2_000_000, true, true),
        (2_000_001, true, false),
        (2_000_000, false, true),
    ] {
        let (room, _) = room();
        let body = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11));
        assert_eq!(body.len(), bytes);
        room.memory
            .put("theirs/1", "", body.clone().into())
            .await
            .expect("memory");
        let payload = if fetched {
            object("theirs", "1")
        } else {
            PayloadLocation::Body
        };
        room.memory.produce(
            &body,
            ProducerMessage {
                payload,
                ..producer_message(&room, &ORDER)
            },
        );
        room.work_until_idle().await;
        let job = room.poll(&key_of(&room, "order-1")).await;
        assert_eq!(
            job.status == Status::Succeeded,
            taken,
            "{bytes} {fetched}: {:?}",
            job.failure
        );
        if let Some(failure) = job.failure {
            assert_eq!(
                (failure.code.as_str(), failure.status),
                ("payload-too-large", 413)
            );
            assert_eq!(
                failure.detail,
                "the payload has 2000001 bytes, and the command accepts 2000000"
            );
        }
    }
}
