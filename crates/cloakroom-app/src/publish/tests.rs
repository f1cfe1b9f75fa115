use std::time::Duration;

use cloakroom_core::listeners::{EventScope, PublishedEvent};
use cloakroom_core::{DeliveryState, Success};

use super::*;
use crate::testing::{Fault, Listening};

#[tokio::test(start_paused = true)]
async fn a_job_without_listeners_costs_no_call() {
    let room = Listening::default();
    let mut job = room.job(Status::Succeeded, 3);
    job.events = None;
    room.publisher.publish(&job).await.expect("published");
    job.events = Some(Box::default());
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(room.memory.calls(), <[&str; 0]>::default());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_recorded_before_its_message_is_sent() {
    let room = Listening::default();
    let job = room.job(Status::Running, 2);
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(
        room.memory.calls(),
        ["load_deliveries", "save_deliveries", "send"]
    );
    assert_eq!(room.memory.sender().as_ref(), Some(&job.tenant));
    let now = tokio::time::Instant::now();
    assert_eq!(room.memory.messages(), (1, Some(now)), "visible at once");
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(
        room.memory.calls(),
        ["load_deliveries", "send"],
        "the record is not written again"
    );
    let log = room.publisher.deliveries(&job).await.expect("read");
    let [delivery] = &log.deliveries[..] else {
        panic!("{log:?}")
    };
    assert_eq!(
        (
            delivery.id.as_str(),
            delivery.target.as_str(),
            delivery.state
        ),
        (
            "2-webhook",
            "https://hooks.example:8443",
            DeliveryState::Pending
        ),
        "the rest of the URL may be secret"
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_published_late_is_due_from_then() {
    let room = Listening::default();
    let job = room.job(Status::Running, 2);
    tokio::time::sleep(Duration::from_secs(600)).await;
    room.publisher.publish(&job).await.expect("published");
    let log = room.publisher.deliveries(&job).await.expect("read");
    assert_eq!(log.deliveries[0].next_at, Some(room.host.now()));
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_a_second_publication_completes_the_first() {
    let calls = 3;
    for n in 0..calls {
        for fault in [Fault::Before, Fault::Denied, Fault::After] {
            let room = Listening::default();
            let job = room.job(Status::Succeeded, 3);
            room.memory.fail_nth(n, fault);
            assert!(room.publisher.publish(&job).await.is_err(), "{n} {fault:?}");
            room.publisher.publish(&job).await.expect("published");
            room.deliver_all().await;
            let posted = room.memory.posted();
            assert!(!posted.is_empty(), "{n} {fault:?}");
            let log = room.publisher.deliveries(&job).await.expect("read");
            assert_eq!(log.deliveries.len(), 1);
            assert_eq!(log.deliveries[0].state, DeliveryState::Delivered);
            // A change that is published after its delivery sends nothing more.
            room.memory.calls();
            room.publisher.publish(&job).await.expect("published");
            assert_eq!(room.memory.calls(), ["load_deliveries"]);
            room.deliver_all().await;
            assert_eq!(room.memory.posted(), []);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_publications_at_once_keep_both_deliveries() {
    let room = Listening::default();
    let (one, two) = (room.job(Status::Running, 2), room.job(Status::Succeeded, 3));
    // Both read the record before either writes it.
    room.memory.slow("save_deliveries", Duration::from_secs(1));
    let both = futures::future::join(room.publisher.publish(&one), room.publisher.publish(&two));
    let (first, second) = both.await;
    first.and(second).expect("published");
    let log = room.publisher.deliveries(&one).await.expect("read");
    assert_eq!(log.deliveries.len(), 2);
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn ten_writes_are_tried_while_the_record_changes_and_then_the_caller_is_told() {
    let room = Listening::default();
    let job = room.job(Status::Succeeded, 3);
    room.memory.contend(10);
    let published = room.publisher.publish(&job).await;
    assert_eq!(published, Err(overtaken()));
    assert_eq!(room.memory.messages(), (0, None));
    room.memory.contend(9);
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 1);

    room.memory.contend(10);
    let again = room.publisher.redeliver(&job, "3-webhook").await;
    assert_eq!(again, Err(RedeliverError::Unavailable(overtaken())));
    room.memory.contend(9);
    assert_eq!(room.publisher.redeliver(&job, "3-webhook").await, Ok(()));
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_listener_receives_what_it_asked_for() {
    let room = Listening::default();
    let mut job = room.job(Status::Running, 2);
    let context = job.events.as_mut().expect("listeners");
    context.webhook.as_mut().expect("a webhook").scope = EventScope::Terminal;
    context.reply_to = Some("orders".parse().expect("a name"));
    context.bus = Some(EventScope::All);
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    assert_eq!(room.memory.posted(), []);
    assert_eq!(room.memory.replies(), []);
    let bus = room.memory.bus();
    assert_eq!(bus, [CloudEvent::from_job(&job, "")]);

    (job.status, job.version) = (Status::Succeeded, 3);
    job.success = Some(Success {
        published: vec![PublishedEvent {
            kind: "movie.created".to_owned(),
            data: serde_json::json!({ "n": 1 }),
        }],
        ..Success::default()
    });
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    let bus = room.memory.bus();
    let kinds: Vec<_> = bus.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["movie.created", "cloakroom.job.succeeded"]);
    assert_eq!(room.memory.posted().len(), 1);
    let replies = room.memory.replies();
    let kinds: Vec<_> = replies
        .iter()
        .map(|(_, reply)| reply.kind.as_str())
        .collect();
    assert_eq!(kinds, ["movie.created", "cloakroom.job.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_job_is_replied_and_nothing_else() {
    for status in Status::ALL {
        let room = Listening::default();
        let mut job = room.job(status, 3);
        let context = job.events.as_mut().expect("listeners");
        context.reply_to = Some("orders".parse().expect("a name"));
        context.webhook = None;
        room.publisher.publish(&job).await.expect("published");
        room.deliver_all().await;
        let replies = room.memory.replies();
        let kinds: Vec<_> = replies.iter().map(|(_, reply)| &*reply.kind).collect();
        let end = format!("cloakroom.job.{}", status.as_str());
        let expected = status.is_terminal().then_some(&*end);
        assert_eq!(kinds, expected.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_unavailable_delays_no_other_listener() {
    let room = Listening::default();
    let mut job = room.job(Status::Succeeded, 3);
    job.events.as_mut().expect("listeners").bus = Some(EventScope::Terminal);
    room.memory.fail("put_events", Fault::Before);
    assert!(room.publisher.publish(&job).await.is_err());
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 1);
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(room.memory.bus(), [CloudEvent::from_job(&job, "")]);
}

#[tokio::test(start_paused = true)]
async fn the_bus_receives_the_changes_of_its_scope() {
    let room = Listening::default();
    for (scope, status, count) in [
        (EventScope::Terminal, Status::Running, 0),
        (EventScope::Terminal, Status::Failed, 1),
        (EventScope::All, Status::Running, 1),
    ] {
        let mut job = room.job(status, 3);
        let context = job.events.as_mut().expect("listeners");
        (context.bus, context.webhook) = (Some(scope), None);
        room.publisher.publish(&job).await.expect("published");
        assert_eq!(room.memory.bus().len(), count, "{scope:?} {status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_job_that_succeeded_publishes_the_events_of_its_handler() {
    let room = Listening::default();
    let mut job = room.job(Status::Failed, 3);
    job.events.as_mut().expect("listeners").bus = Some(EventScope::All);
    job.success = Some(Success {
        published: vec![PublishedEvent {
            kind: "movie.created".to_owned(),
            data: serde_json::json!({}),
        }],
        ..Success::default()
    });
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(room.memory.bus(), [CloudEvent::from_job(&job, "")]);
}

#[tokio::test(start_paused = true)]
async fn events_have_the_path_of_the_public_base_url() {
    let mut room = Listening::default();
    room.publisher.base_path = "/v1".to_owned();
    let mut job = room.job(Status::Succeeded, 3);
    let context = job.events.as_mut().expect("listeners");
    context.bus = Some(EventScope::All);
    context.reply_to = Some("orders".parse().expect("a name"));
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    let want = CloudEvent::from_job(&job, "/v1");
    assert_eq!(room.memory.bus(), std::slice::from_ref(&want));
    let (posted, replies) = (room.memory.posted(), room.memory.replies());
    let posted: CloudEvent = serde_json::from_slice(&posted[0].body).expect("an event");
    let reply: CloudEvent = serde_json::from_str(&replies[0].1.body).expect("an event");
    assert_eq!((&posted, &reply), (&want, &want));
}

/// Returns the time from which the record of a job's deliveries counts as deleted.
async fn expiry(room: &Listening, job: &Job) -> Timestamp {
    let stored = room
        .memory
        .load_deliveries(&job.key(), job.created_at)
        .await;
    stored.expect("read").expect("recorded").expires_at
}

#[tokio::test(start_paused = true)]
async fn the_record_of_deliveries_outlives_its_job_and_every_attempt() {
    let room = Listening::default();
    let mut job = room.job(Status::Succeeded, 3);
    let now = room.host.now();
    let attempts = now.after(DELIVERY_LIFE + job.retention);
    job.expires_at = attempts.before(Duration::from_secs(1));
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(expiry(&room, &job).await, attempts);
    room.deliver_all().await;
    assert_eq!(expiry(&room, &job).await, attempts, "as before");

    job.expires_at = attempts.after(Duration::from_secs(1));
    assert_eq!(room.publisher.redeliver(&job, "3-webhook").await, Ok(()));
    assert_eq!(expiry(&room, &job).await, job.expires_at);
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_of_a_change_that_another_made_meanwhile_is_kept() {
    let room = Listening::default();
    let mut job = room.job(Status::Succeeded, 3);
    job.events.as_mut().expect("listeners").reply_to = Some("orders".parse().expect("a name"));
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    room.memory.slow("save_deliveries", Duration::from_secs(1));
    let one = room.publisher.redeliver(&job, "3-webhook");
    let two = room.publisher.redeliver(&job, "3-reply");
    assert_eq!(futures::future::join(one, two).await, (Ok(()), Ok(())));
    assert_eq!(room.memory.sender().as_ref(), Some(&job.tenant));
    room.deliver_all().await;
    let log = room.publisher.deliveries(&job).await.expect("read");
    assert!(log.deliveries.iter().all(|it| it.attempts.len() == 2));
}

#[tokio::test(start_paused = true)]
async fn a_redelivery_is_recorded_before_its_message_is_sent() {
    let room = Listening::default();
    let job = room.job(Status::Succeeded, 3);
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    room.memory.calls();
    assert_eq!(room.publisher.redeliver(&job, "3-webhook").await, Ok(()));
    assert_eq!(
        room.memory.calls(),
        ["load_deliveries", "save_deliveries", "send"]
    );
    for call in ["load_deliveries", "save_deliveries", "send"] {
        for fault in [Fault::Before, Fault::Denied] {
            room.memory.fail(call, fault);
            let failed = room.publisher.redeliver(&job, "3-webhook").await;
            let is_told = matches!(failed, Err(RedeliverError::Unavailable(_)));
            assert!(is_told, "{call} {fault:?}: {failed:?}");
        }
    }
}

#[test]
fn an_origin_is_scheme_and_host_alone() {
    for (url, shown) in [
        ("https://a.example", "https://a.example"),
        ("https://a.example/x?k=1", "https://a.example"),
        ("https://a.example?k=1", "https://a.example"),
        ("https://a.example#k", "https://a.example"),
        ("a.example/k", "a.example"),
    ] {
        assert_eq!(origin(url), shown, "{url}");
    }
}

#[test]
fn a_message_has_no_character_that_the_queue_rejects() {
    let room = Listening::default();
    let mut job = room.job(Status::Succeeded, 3);
    let text = "a\u{fffe}b\u{ffff}c\u{0}d\u{1f600}";
    job.success = Some(Success {
        published: vec![PublishedEvent {
            kind: "a.made".to_owned(),
            data: serde_json::json!(text),
        }],
        ..Success::default()
    });
    let context = EventContext {
        reply_to: Some("orders".parse().expect("a name")),
        ..EventContext::default()
    };
    let planned = room.publisher.plan(&job, &context);
    let body = planned[0].message.write();
    assert!(!body.contains(['\u{fffe}', '\u{ffff}', '\u{0}']), "{body}");
    let read = DeliveryMessage::read(&body).expect("a message");
    assert_eq!(read.event.data, serde_json::json!(text));
}

#[tokio::test(start_paused = true)]
async fn without_a_bus_nothing_is_put_on_one() {
    let mut room = Listening::default();
    room.publisher.bus = None;
    let mut job = room.job(Status::Succeeded, 3);
    job.events.as_mut().expect("listeners").bus = Some(EventScope::All);
    room.publisher.publish(&job).await.expect("published");
    assert_eq!(room.memory.bus(), []);
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_is_denied_fails_until_it_is_permitted() {
    for call in ["load_deliveries", "save_deliveries", "send", "put_events"] {
        let room = Listening::default();
        let mut job = room.job(Status::Succeeded, 3);
        job.events.as_mut().expect("listeners").bus = Some(EventScope::Terminal);
        room.memory.fail(call, Fault::Denied);
        let denied = room.publisher.publish(&job).await;
        assert!(
            matches!(denied, Err(PortError::Misconfigured { .. })),
            "{call}"
        );
        room.publisher.publish(&job).await.expect("published");
        room.deliver_all().await;
        let heard = (room.memory.posted().len(), room.memory.bus().len());
        assert_eq!(heard, (1, 1), "{call}");
    }
}

/// A publication that fails is repeated, and holds up the changes of all other jobs meanwhile.
#[tokio::test(start_paused = true)]
async fn deliveries_that_cant_be_read_fail_no_publication_and_the_bus_hears_of_the_change() {
    let room = Listening::default();
    let mut job = room.job(Status::Succeeded, 3);
    job.events.as_mut().expect("listeners").bus = Some(EventScope::Terminal);
    room.memory.damage(&job.key());
    assert_eq!(room.publisher.publish(&job).await, Ok(()));
    assert_eq!(room.memory.bus(), [CloudEvent::from_job(&job, "")]);
}

#[tokio::test(start_paused = true)]
async fn only_the_latest_event_is_delivered_again() {
    let room = Listening::default();
    let (one, two) = (room.job(Status::Running, 2), room.job(Status::Succeeded, 3));
    for job in [&one, &two] {
        room.publisher.publish(job).await.expect("published");
    }
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 2);
    let redeliver = async |id| room.publisher.redeliver(&two, id).await;
    let before = room.publisher.deliveries(&two).await;
    assert_eq!(redeliver("2-webhook").await, Err(RedeliverError::Overtaken));
    assert_eq!(redeliver("9-webhook").await, Err(RedeliverError::Unknown));
    assert_eq!(room.publisher.deliveries(&two).await, before);
    assert_eq!(redeliver("3-webhook").await, Ok(()));
    room.deliver_all().await;
    let [posted] = &room.memory.posted()[..] else {
        panic!("one more")
    };
    assert_eq!(
        posted.header("webhook-id"),
        Some(format!("{}/3", two.id).as_str())
    );
    let silent = crate::testing::new_job(room.host.now(), 9);
    let unknown = room.publisher.redeliver(&silent, "3-webhook").await;
    assert_eq!(unknown, Err(RedeliverError::Unknown));
}

/// All later versions must be able to read it.
#[test]
fn a_message_of_version_1_is_read_and_others_are_not() {
    let text = r#"{"v":1,"tenant":"default","job":"00000000-0000-0000-0000-000000000001","created_at":1000,"delivery":"3-webhook","kind":"webhook","to":"https://a.example/","event":{"specversion":"1.0","id":"j/3","source":"/jobs/j","type":"cloakroom.job.succeeded","subject":"j","time":"1970-01-01T00:00:01.000Z","datacontenttype":"application/json","sequence":"3","correlationid":"j","data":{}}}"#;
    let reply = r#"{"v":1,"tenant":"default","job":"00000000-0000-0000-0000-000000000001","created_at":1000,"delivery":"3-reply","kind":"reply","to":"orders","result_key":"results/1","event":{"specversion":"1.0","id":"j/3","source":"/jobs/j","type":"cloakroom.job.succeeded","subject":"j","time":"1970-01-01T00:00:01.000Z","datacontenttype":"application/json","sequence":"3","correlationid":"order-1042","causationid":"j/2","traceparent":"00-1","data":{}}}"#;
    for text in [text, reply] {
        assert_eq!(DeliveryMessage::read(text).expect("read").write(), text);
    }
    let message = DeliveryMessage::read(text).expect("a message");
    assert_eq!(message.created_at(), Timestamp::from_seconds(1));
    assert!(DeliveryMessage::read(&text.replace(r#""v":1"#, r#""v":2"#)).is_err());
    assert!(DeliveryMessage::read("{}").is_err());
}
