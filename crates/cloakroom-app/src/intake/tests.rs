//! Given a producer's message, when it is received once, twice, or again after a crash, then its command is done once, or its
//! job fails, or it is kept with the reason.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloakroom_core::{JobKey, Status, Transition};
use serde_json::Value;
use tokio::time::sleep;

use super::attributes::{CLIENT_JOB_ID, COMMAND, CONTENT_TYPE, QUERY, TENANT};
use super::*;
use crate::host::Host as _;
use crate::ports::Objects as _;
use crate::testing::{Fault, Note, Room, another, claim_by};
use crate::{HandlerError, Output};

/// A deployment that lets producers in as the tenant `warehouse`, with payloads in `theirs`; and how often handlers ran.
fn room() -> (Room, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let (note, file) = (Arc::clone(&runs), Arc::clone(&runs));
    let mut room = Room::new(vec![
        Command::json("note.keep", move |it: Note, _| {
            note.fetch_add(1, Ordering::SeqCst);
            async move { Output::json(&it.text.len()) }
        })
        .upload_limit(2_000_000),
        Command::json("note.strict", |_: Note, _| async { Ok(Output::none()) }).key_required(),
        Command::binary(
            "file.keep",
            &["image/png", "image/jpeg"],
            move |_: Note, bytes: Bytes, _| {
                file.fetch_add(1, Ordering::SeqCst);
                async move { Ok::<_, HandlerError>(Output::bytes("image/png", bytes)) }
            },
        ),
    ]);
    room.worker.intake = Some(Arc::new(ProducerIntake {
        submit: room.submit.clone(),
        payloads: room.memory.clone(),
        buckets: vec!["theirs".to_owned()],
        dead_letters: room.memory.clone(),
        tenants: ProducerTenants::One(warehouse()),
    }));
    (room, runs)
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

const ORDER: [(&str, &str); 2] = [(COMMAND, "note.keep"), (CLIENT_JOB_ID, "order-1")];

/// A command by HTTP, under the key `order-1`.
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
async fn a_payload_that_is_refused_or_gone_fails_the_job_which_says_why() {
    let (room, runs) = room();
    room.memory
        .put("theirs/large", "", vec![b' '; 2_000_001].into())
        .await
        .expect("memory");
    let cases = [
        (
            "note.keep",
            "{",
            PayloadLocation::Body,
            "malformed-json",
            "line 1",
        ),
        (
            "note.keep",
            r#"{"txet":1}"#,
            PayloadLocation::Body,
            "invalid-payload",
            "txet",
        ),
        (
            "file.keep",
            "x",
            PayloadLocation::Body,
            "unsupported-media-type",
            "image/png, image/jpeg",
        ),
        (
            "note.keep",
            "a pointer",
            object("theirs", "gone"),
            "payload-lost",
            "send both again",
        ),
        (
            "note.keep",
            "a pointer",
            object("theirs", "large"),
            "payload-too-large",
            "2000001 bytes",
        ),
    ];
    for (command, body, payload, code, detail) in cases {
        let attributes = [(COMMAND, command), (CLIENT_JOB_ID, code)];
        for _ in 0..2 {
            room.memory.produce(
                body,
                ProducerMessage {
                    payload: payload.clone(),
                    ..producer_message(&room, &attributes)
                },
            );
        }
        room.work_until_idle().await;
        let job = room.poll(&key_of(&room, code)).await;
        let failure = job.failure.as_ref().expect("a failure");
        assert_eq!((job.status, failure.code.as_str()), (Status::Failed, code));
        assert!(failure.detail.contains(detail), "{}", failure.detail);
        let failed = Fact::Failed {
            code: code.to_owned(),
            run_time: None,
        };
        assert_eq!(room.meter.facts(), [Fact::Accepted, failed]);
    }
    assert_eq!(
        (
            runs.load(Ordering::SeqCst),
            room.memory.dead_letters().len()
        ),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_no_job_can_be_recorded_of_is_kept_with_the_reason() {
    let (room, runs) = room();
    room.memory
        .put("payloads/default/secret", "", "{}".into())
        .await
        .expect("memory");
    room.memory.produce("{}", producer_message(&room, &ORDER));
    room.work_until_idle().await;
    room.meter.take();
    let other = |more: &[(&'static str, &'static str)]| {
        producer_message(&room, &[&[(COMMAND, "note.keep")], more].concat())
    };
    let old = Some(room.host.now().before(Duration::from_secs(24 * 3600)));
    let cases = [
        (
            producer_message(&room, &[(COMMAND, "No Such")]),
            "invalid-request",
        ),
        (other(&[(CLIENT_JOB_ID, "a b")]), "invalid-request"),
        (other(&[(TENANT, "default")]), "forbidden"),
        (
            ProducerMessage {
                payload: object("payloads", "default/secret"),
                ..other(&[])
            },
            "forbidden",
        ),
        (
            ProducerMessage {
                payload: PayloadLocation::Unknown("no pointer".into()),
                ..other(&[])
            },
            "invalid-request",
        ),
        (
            producer_message(&room, &[(COMMAND, "note.strict")]),
            "idempotency-key-required",
        ),
        (
            other(&[(CLIENT_JOB_ID, "order-1"), (QUERY, "text=other")]),
            "idempotency-key-reused",
        ),
        (
            ProducerMessage {
                sent_at: old,
                ..other(&[])
            },
            "expired",
        ),
    ];
    for (producer_message, code) in cases {
        let id = room.memory.produce("{}", producer_message.clone());
        room.work_until_idle().await;
        assert_eq!(room.memory.messages().0, 0, "{code}");
        let letters = room.memory.dead_letters();
        let (_, letter) = letters
            .iter()
            .find(|(key, _)| *key == keys::dead_letter(None, &id))
            .expect("a letter");
        let letter: Value = serde_json::from_str(letter).expect("JSON");
        assert_eq!(
            (&letter["refused"]["code"], &letter["body"]),
            (&code.into(), &"{}".into()),
            "{letter}"
        );
        assert_eq!(
            letter["attributes"].as_object().map(serde_json::Map::len),
            Some(producer_message.attributes.len())
        );
        assert_eq!(
            room.meter.facts(),
            [Fact::Dead {
                code: code.to_owned()
            }]
        );
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1, "of the first alone");
}

#[tokio::test(start_paused = true)]
async fn a_message_may_name_its_tenant_only_where_the_operator_lets_it() {
    let (mut room, _) = room();
    let mut intake = ProducerIntake::clone(room.worker.intake.as_ref().expect("an intake"));
    intake.tenants = ProducerTenants::Named;
    room.worker.intake = Some(Arc::new(intake));
    let named = [
        (COMMAND, "note.keep"),
        (CLIENT_JOB_ID, "k"),
        (TENANT, "warehouse"),
    ];
    room.memory.produce("{}", producer_message(&room, &named));
    room.memory
        .produce("{}", producer_message(&room, &named[..2]));
    room.work_until_idle().await;
    assert_eq!(
        room.poll(&key_of(&room, "k")).await.status,
        Status::Succeeded
    );
    assert_eq!(
        room.memory.dead_letters().len(),
        1,
        "the one that names none"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_command_waits_and_is_kept_whole_among_the_dead_letters() {
    let (room, _) = room();
    let id = room
        .memory
        .produce("{}", producer_message(&room, &[(COMMAND, "not.yet")]));
    let delivery = room.memory.receive(Duration::ZERO).expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    assert_eq!(
        room.worker.handle(&delivery, ends_at).await,
        Disposition::Keep
    );
    assert_eq!(room.dead_letters.handle(&delivery).await, Disposition::Done);
    let letters = room.memory.dead_letters();
    assert_eq!(letters[0].0, keys::dead_letter(None, &id));
    assert!(letters[0].1.contains("not.yet"), "{}", letters[0].1);
}

#[tokio::test(start_paused = true)]
async fn where_producers_are_not_let_in_their_messages_are_left_for_the_dead_letters() {
    let (mut room, runs) = room();
    room.worker.intake = None;
    room.memory.produce("{}", producer_message(&room, &ORDER));
    let delivery = room.memory.receive(Duration::ZERO).expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    room.memory.calls();
    assert_eq!(
        room.worker.handle(&delivery, ends_at).await,
        Disposition::Keep
    );
    assert_eq!(
        (room.memory.calls(), runs.load(Ordering::SeqCst)),
        (vec![], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_deletion_was_lost_does_not_run_again_when_its_job_is_forgotten() {
    let (room, runs) = room();
    room.memory.produce("{}", producer_message(&room, &ORDER));
    let first = room.memory.receive(Duration::ZERO).expect("a message");
    room.work_until_idle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    for hours in [23, 24, 25, 80] {
        let age = room.host.now().since(first_sent(&first));
        sleep(Duration::from_secs(hours * 3600).saturating_sub(age)).await;
        let again = Delivery {
            receive_count: 2,
            ..first.clone()
        };
        let ends_at = room.host.now().after(Duration::from_secs(900));
        assert_eq!(room.worker.handle(&again, ends_at).await, Disposition::Done);
        room.work_until_idle().await;
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

fn first_sent(delivery: &Delivery) -> Timestamp {
    delivery
        .producer_message
        .as_ref()
        .and_then(|producer_message| producer_message.sent_at)
        .expect("a time")
}

/// Each call of a port fails once, before its effect and after it, as if the process had died there: the message comes back.
#[tokio::test(start_paused = true)]
async fn whichever_call_fails_the_command_is_done_once_or_its_job_fails_as_it_must() {
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(1_000_000));
    for (body, payload, status) in [
        (
            r#"{"text":"abc"}"#,
            PayloadLocation::Body,
            Status::Succeeded,
        ),
        ("a pointer", object("theirs", "1"), Status::Succeeded),
        (r#"{"txet":1}"#, PayloadLocation::Body, Status::Failed),
        ("{}", object("ours", "1"), Status::Accepted),
    ] {
        let mut calls = 0;
        for fault in [Fault::Before, Fault::After] {
            for n in 0.. {
                let (room, runs) = room();
                room.memory
                    .put("theirs/1", "", large.clone().into())
                    .await
                    .expect("memory");
                room.memory.calls();
                room.memory.produce(
                    body,
                    ProducerMessage {
                        payload: payload.clone(),
                        ..producer_message(&room, &ORDER)
                    },
                );
                room.memory.fail_nth(n, fault);
                room.work_until_idle().await;
                let made = room.memory.calls().len();
                if made <= n {
                    break;
                }
                calls += 1;
                room.memory.calm();
                let found = room
                    .jobs
                    .get(&key_of(&room, "order-1"))
                    .await
                    .expect("memory");
                match status {
                    Status::Accepted => assert_eq!(
                        (found, room.memory.dead_letters().len()),
                        (None, 1),
                        "{n} {fault:?}"
                    ),
                    _ => assert_eq!(found.map(|job| job.status), Some(status), "{n} {fault:?}"),
                }
                let ran = usize::from(status == Status::Succeeded);
                assert_eq!(runs.load(Ordering::SeqCst), ran, "{n} {fault:?}");
            }
        }
        assert!(calls >= 2, "{calls}");
    }
}

/// A job of another command waits under the key `order-1`.
async fn waiting(room: &Room) -> Job {
    let job = room.submit.submit(by_http()).await.expect("accepted").job;
    room.memory.purge();
    room.meter.take();
    job
}

#[tokio::test(start_paused = true)]
async fn a_refused_payload_under_the_key_of_another_command_leaves_that_ones_job_alone() {
    for (command, body, payload) in [
        ("note.keep", "{", PayloadLocation::Body),
        ("file.keep", "x", PayloadLocation::Body),
        ("note.keep", "a pointer", object("theirs", "gone")),
    ] {
        let (room, _) = room();
        let job = waiting(&room).await;
        let attributes = [(COMMAND, command), (CLIENT_JOB_ID, "order-1")];
        let id = room.memory.produce(
            body,
            ProducerMessage {
                payload,
                ..producer_message(&room, &attributes)
            },
        );
        assert!(room.work_once().await);
        assert_eq!(room.poll(&job.key()).await, job, "{command} {body}");
        assert_eq!(room.memory.messages().0, 0);
        let letters = room.memory.dead_letters();
        assert_eq!(letters[0].0, keys::dead_letter(None, &id));
        assert!(
            letters[0].1.contains("idempotency-key-reused"),
            "{}",
            letters[0].1
        );
        assert_eq!(
            room.meter.facts(),
            [Fact::Dead {
                code: "idempotency-key-reused".into()
            }]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_payload_does_nothing_to_a_job_that_moves_meanwhile() {
    for (call, facts) in [("change", vec![]), ("accept", vec![])] {
        let (room, _) = room();
        let now = room.host.now();
        // Sent twice; the first one's job is there.
        room.memory.produce("{", producer_message(&room, &ORDER));
        room.memory.fail("change", Fault::Before);
        room.work_once().await;
        room.meter.take();
        sleep(Duration::from_secs(5)).await;
        room.memory.meanwhile(
            call,
            another(move |job| Transition::claim(&claim_by("another", job), now)),
        );
        assert!(room.work_once().await);
        let job = room.poll(&key_of(&room, "order-1")).await;
        assert_eq!(
            (job.status, room.memory.messages().0),
            (Status::Running, 0),
            "{call}"
        );
        assert_eq!(room.meter.facts(), facts, "{call}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_producers_message_comes_back_after_a_fault_later_and_later() {
    for (receive_count, wait) in [(1, 5), (4, 320), (9, 900)] {
        let (room, _) = room();
        room.memory.produce("{}", producer_message(&room, &ORDER));
        let delivery = room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        room.memory.fail("accept", Fault::Before);
        let ends_at = room.host.now().after(Duration::from_secs(900));
        let disposition = room
            .worker
            .handle(
                &Delivery {
                    receive_count,
                    ..delivery
                },
                ends_at,
            )
            .await;
        assert_eq!(disposition, Disposition::Keep);
        let hidden = room.memory.messages().1.expect("it stays") - tokio::time::Instant::now();
        assert_eq!(hidden, Duration::from_secs(wait));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_taken_until_shortly_before_its_job_would_be_forgotten() {
    let kept = Duration::from_secs(24 * 3600).saturating_sub(LAST_CALL);
    for (age, taken) in [
        (kept.saturating_sub(Duration::from_millis(1)), true),
        (kept, false),
    ] {
        let (room, _) = room();
        let sent_at = Some(room.host.now().before(age));
        room.memory.produce(
            "{}",
            ProducerMessage {
                sent_at,
                ..producer_message(&room, &ORDER)
            },
        );
        room.work_until_idle().await;
        let found = room
            .jobs
            .get(&key_of(&room, "order-1"))
            .await
            .expect("memory");
        assert_eq!(
            (found.is_some(), room.memory.dead_letters().len()),
            (taken, usize::from(!taken)),
            "{age:?}"
        );
    }
    // Where the queue does not say, it is taken.
    let (room, _) = room();
    room.memory.produce(
        "{}",
        ProducerMessage {
            sent_at: None,
            ..producer_message(&room, &ORDER)
        },
    );
    room.work_until_idle().await;
    assert_eq!(
        room.poll(&key_of(&room, "order-1")).await.status,
        Status::Succeeded
    );
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
                "the payload has 2000001 bytes, and the command takes 2000000"
            );
        }
    }
}
