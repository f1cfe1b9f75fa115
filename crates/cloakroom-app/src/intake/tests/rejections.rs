//! Messages that are rejected, and jobs that fail because of their payloads.

use serde_json::json;

use super::*;

/// Payloads that fail their job: command, body, location, code, and a part of the detail.
fn refused_payloads() -> [(
    &'static str,
    &'static str,
    PayloadLocation,
    &'static str,
    &'static str,
); 5] {
    [
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
    ]
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_refused_or_gone_fails_the_job_which_says_why() {
    let (room, runs) = room();
    room.memory
        .put("theirs/large", "", vec![b' '; 2_000_001].into())
        .await
        .expect("memory");
    for case in refused_payloads() {
        let (command, body, payload, code, detail) = case;
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
        let status = match code {
            "unsupported-media-type" => 415,
            "invalid-payload" => 422,
            "payload-too-large" => 413,
            _ => 400,
        };
        assert_eq!(
            (job.status, failure.code.as_str(), failure.status),
            (Status::Failed, code, status)
        );
        assert!(failure.detail.contains(detail), "{}", failure.detail);
        let failed = Fact::Failed {
            code: code.to_owned(),
            run_time: None,
        };
        let measured = [Fact::Accepted, failed].map(|fact| measure(Some(command), fact));
        assert_eq!(room.meter.take(), measured);
    }
    assert_eq!(
        (
            runs.load(Ordering::SeqCst),
            room.memory.dead_letters().len()
        ),
        (0, 0)
    );
}

fn measure(command: Option<&str>, fact: Fact) -> Measure {
    let command = command.map(|command| command.parse().expect("a name"));
    Measure { command, fact }
}

/// Attributes that can't be parsed.
const INVALID: [(&str, &str); 4] = [
    (COMMAND, "No Such"),
    (CLIENT_JOB_ID, "a b"),
    (CORRELATION_ID, "a b"),
    (REPLY_TO, "a b"),
];

/// A message for which no job can be recorded: the message, its command if all attributes can be parsed, the code, and
/// a part of the detail.
type RejectedMessage = (
    ProducerMessage,
    Option<&'static str>,
    &'static str,
    &'static str,
);

fn rejected_messages(room: &Room) -> Vec<RejectedMessage> {
    let other = |more: &[(&'static str, &'static str)]| {
        producer_message(room, &[&[(COMMAND, "note.keep")], more].concat())
    };
    let old = Some(room.host.now().before(Duration::from_secs(24 * 3600)));
    let invalid = INVALID.map(|it| (other(&[it]), None, "invalid-request", it.0));
    let parsed = [
        (
            other(&[(TENANT, "default")]),
            None,
            "forbidden",
            "another tenant",
        ),
        (
            other(&[(REPLY_TO, "nobody")]),
            Some("note.keep"),
            "unknown-reply-queue",
            "no reply queue of this name",
        ),
        (
            ProducerMessage {
                payload: object("payloads", "default/secret"),
                ..other(&[])
            },
            Some("note.keep"),
            "forbidden",
            "the bucket \"payloads\"",
        ),
        (
            ProducerMessage {
                payload: PayloadLocation::Unknown("no pointer".into()),
                ..other(&[])
            },
            Some("note.keep"),
            "invalid-request",
            "no pointer",
        ),
        (
            producer_message(room, &[(COMMAND, "note.strict")]),
            Some("note.strict"),
            "idempotency-key-required",
            "Cloakroom-Client-Job-Id",
        ),
        (
            other(&[(CLIENT_JOB_ID, "order-1"), (QUERY, "text=other")]),
            Some("note.keep"),
            "idempotency-key-reused",
            "another command",
        ),
        (
            producer_message(
                room,
                &[
                    (COMMAND, "file.keep"),
                    (CLIENT_JOB_ID, "order-1"),
                    (CONTENT_TYPE, "image/png"),
                ],
            ),
            Some("file.keep"),
            "idempotency-key-reused",
            "another command",
        ),
        (
            ProducerMessage {
                sent_at: old,
                ..other(&[])
            },
            Some("note.keep"),
            "expired",
            "older than the retention",
        ),
    ];
    invalid.into_iter().chain(parsed).collect()
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
    for (producer_message, command, code, detail) in rejected_messages(&room) {
        let id = room.memory.produce("{}", producer_message.clone());
        room.work_until_idle().await;
        assert_eq!(room.memory.messages().0, 0, "{code}");
        let letters = room.memory.dead_letters();
        let (_, letter) = letters
            .iter()
            .find(|(key, _)| *key == keys::dead_letter(None, &id))
            .expect("a letter");
        let letter: Value = serde_json::from_str(letter).expect("JSON");
        let said = letter["refused"]["detail"].as_str().expect("a detail");
        assert!(said.contains(detail), "{letter}");
        let whole = json!({
            "refused": { "code": code, "detail": said },
            "sent_at": producer_message.sent_at.map(|at| at.to_string()),
            "attributes": producer_message.attributes,
            "body": "{}",
        });
        assert_eq!(letter, whole);
        let dead = Fact::Dead {
            code: code.to_owned(),
        };
        assert_eq!(room.meter.take(), [measure(command, dead)]);
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
    for receive_count in [1, 2, 9] {
        let received = Delivery {
            receive_count,
            ..delivery.clone()
        };
        let disposition = room.worker.handle(&received, ends_at).await;
        assert_eq!(disposition, Disposition::Keep, "{receive_count}");
    }
    assert_eq!(room.dead_letters.handle(&delivery).await, Disposition::Done);
    let letters = room.memory.dead_letters();
    assert_eq!(letters[0].0, keys::dead_letter(None, &id));
    assert!(letters[0].1.contains("not.yet"), "{}", letters[0].1);
}

#[tokio::test(start_paused = true)]
async fn without_buckets_of_producers_no_object_is_read() {
    let (mut room, runs) = room();
    intake(&mut room).buckets.clear();
    let message = ProducerMessage {
        payload: object("theirs", "a"),
        ..producer_message(&room, &ORDER)
    };
    room.memory.produce("a pointer", message);
    room.work_once().await;
    assert!(!room.memory.calls().contains(&"fetch"));
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_at_its_intake_is_recorded_like_another() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let command = Command::json("note.keep", nothing::<Note>);
    let mut room = Room::new(vec![command.retention(days(5)).result_retention(days(2))]);
    let_producers_in(&mut room);
    let answers: ReplyQueue = "answers".parse().expect("a name");
    let listeners = &mut intake(&mut room).submit.listeners;
    listeners.bus = Some(EventScope::All);
    listeners.reply_queues.insert(answers.clone());
    let events = EventContext {
        bus: Some(EventScope::All),
        reply_to: Some(answers),
        correlation_id: Some("basket-7".parse().expect("an id")),
        ..EventContext::default()
    };
    let attributes = [
        (COMMAND, "note.keep"),
        (REPLY_TO, "answers"),
        (CORRELATION_ID, "basket-7"),
    ];
    for (body, status) in [("{}", Status::Succeeded), ("{", Status::Failed)] {
        let message = producer_message(&room, &attributes);
        let client_job_id = format!("sqs:{}", room.memory.produce(body, message));
        room.work_until_idle().await;
        let job = room.poll(&key_of(&room, &client_job_id)).await;
        assert_eq!((job.status, job.retention), (status, days(5)));
        let recorded = job.client_job_id.map(|id| id.to_string());
        assert_eq!(recorded, Some(client_job_id));
        assert_eq!(job.events.as_deref(), Some(&events), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_refused_message_under_a_key_is_not_taken_for_the_first() {
    for (body, other, letters) in [
        ("{", None, 0),
        ("[", None, 1),
        ("{", Some((QUERY, "text=a")), 1),
        ("{", Some((CONTENT_TYPE, "text/plain")), 1),
    ] {
        let (room, _) = room();
        room.memory.produce("{", producer_message(&room, &ORDER));
        room.work_until_idle().await;
        let job = room.poll(&key_of(&room, "order-1")).await;
        let attributes: Vec<_> = ORDER.into_iter().chain(other).collect();
        let again = producer_message(&room, &attributes);
        room.memory.produce(body, again);
        room.work_until_idle().await;
        assert_eq!(room.poll(&job.key()).await, job);
        let stored = room.memory.dead_letters();
        assert_eq!(stored.len(), letters, "{body} {other:?}");
        let reused = |(_, letter): &(_, String)| letter.contains("idempotency-key-reused");
        assert!(stored.iter().all(reused), "{stored:?}");
    }
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

/// Records a job of another command under the key `order-1`.
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
        let dead = Fact::Dead {
            code: "idempotency-key-reused".into(),
        };
        assert_eq!(room.meter.take(), [measure(Some(command), dead)]);
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
