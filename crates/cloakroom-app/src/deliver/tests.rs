use cloakroom_core::delivery::DELAYS;
use cloakroom_core::events::CloudEvent;
use cloakroom_core::{DeliveryState, DeploymentKeys, Digest, Job, ResultRef, Status, Success};
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::testing::{Fault, Listening, Memory};

async fn published(room: &Listening) -> Job {
    let job = room.job(Status::Succeeded, 3);
    room.publisher.publish(&job).await.expect("published");
    job
}

async fn delivery(room: &Listening, job: &Job) -> cloakroom_core::delivery::Delivery {
    let log = room.publisher.deliveries(job).await.expect("read");
    log.find("3-webhook").expect("recorded").clone()
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_the_event_signed_with_the_tenants_secret() {
    let room = Listening::default();
    let job = published(&room).await;
    room.deliver_all().await;
    let [posted] = &room.memory.posted()[..] else {
        panic!("one webhook")
    };
    assert_eq!(posted.url, "https://hooks.example:8443/a?secret=1");
    let event: CloudEvent = serde_json::from_slice(&posted.body).expect("an event");
    assert_eq!(event, CloudEvent::from_job(&job, ""));
    let keys = room.memory.keys().await.expect("keys");
    let now = room.host.now();
    let secrets = keys.webhook_secrets(&job.tenant, now);
    let want = webhook::headers(&secrets, &event.id, now, &posted.body);
    for (name, value) in want {
        assert_eq!(posted.header(name), Some(value.as_str()));
    }
    assert_eq!(
        posted.header("content-type"),
        Some("application/cloudevents+json")
    );
    let delivery = delivery(&room, &job).await;
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!(delivery.attempts[0].status, Some(200));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_claimed_before_it_is_made_and_recorded_after() {
    let room = Listening::default();
    let job = published(&room).await;
    room.memory.calls();
    room.memory.slow("post", Duration::from_secs(10));
    assert!(room.deliver_once().await);
    assert_eq!(
        room.memory.calls(),
        [
            "load_deliveries",
            "save_deliveries",
            "keys",
            "post",
            "save_deliveries"
        ]
    );
    let attempts = delivery(&room, &job).await.attempts;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].at, room.host.now(), "the time of its end");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_received_twice_is_attempted_once() {
    let room = Listening::default();
    published(&room).await;
    let received = room.memory.receive(Duration::from_secs(60)).expect("sent");
    room.memory.slow("post", Duration::from_secs(10));
    let twice = [received.clone(), received];
    let dispositions = room.deliver.handle_batch(&twice).await;
    assert_eq!(dispositions.len(), 2);
    assert!(dispositions.contains(&Disposition::Done));
    assert_eq!(room.memory.posted().len(), 1);
}

/// Receivers that respond after the seconds, and with the status, that the path of their URL names: `/15/200`.
struct Receivers;

#[async_trait::async_trait]
impl WebhookSender for Receivers {
    async fn post(&self, url: &str, _: &[(&str, &str)], _: Bytes) -> Result<u16, String> {
        let mut path = url.rsplit('/');
        let status = path.next().and_then(|status| status.parse().ok());
        let seconds = path.next().and_then(|seconds| seconds.parse().ok());
        tokio::time::sleep(Duration::from_secs(seconds.expect("seconds"))).await;
        Ok(status.expect("a status"))
    }
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_a_batch_are_handled_side_by_side_and_each_on_its_own() {
    let mut room = Listening::default();
    room.deliver.webhooks = Arc::new(Receivers);
    for (n, path) in (1..).zip(["15/200", "0/500", "10/200", "15/500"]) {
        let mut job = room.job(Status::Succeeded, 3);
        job.id = cloakroom_core::JobId::from_uuid(uuid::Uuid::from_u128(n));
        let context = job.events.as_mut().expect("listeners");
        context.webhook.as_mut().expect("a webhook").url = format!("https://a.example/{path}");
        room.publisher.publish(&job).await.expect("published");
    }
    let batch: Vec<_> =
        std::iter::from_fn(|| room.memory.receive(Duration::from_secs(60))).collect();
    let begun = Instant::now();
    assert_eq!(
        room.deliver.handle_batch(&batch).await,
        [
            Disposition::Done,
            Disposition::Keep,
            Disposition::Done,
            Disposition::Keep
        ]
    );
    assert_eq!(begun.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn ten_writes_are_tried_while_the_record_changes_and_then_the_message_waits() {
    for (changes, disposition, posted) in [(9, Disposition::Done, 1), (10, Disposition::Keep, 0)] {
        let room = Listening::default();
        let job = published(&room).await;
        let received = room.memory.receive(Duration::from_secs(60)).expect("sent");
        room.memory.contend(changes);
        assert_eq!(room.deliver.handle(&received).await, disposition);
        assert_eq!(room.memory.posted().len(), posted, "{changes}");
        // Now the record changes during the attempt.
        room.memory.slow("post", Duration::from_secs(10));
        assert_eq!(room.publisher.redeliver(&job, "3-webhook").await, Ok(()));
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            room.memory.contend(changes);
        };
        let (again, ()) = tokio::join!(room.deliver.handle(&received), meanwhile);
        assert_eq!(again, disposition);
        assert_eq!(room.memory.posted().len(), 1, "{changes}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_claims_at_once_one_makes_the_attempt() {
    let room = Listening::default();
    let job = published(&room).await;
    let received = room.memory.receive(Duration::from_secs(60)).expect("sent");
    // Both read the record before either writes it.
    room.memory.slow("save_deliveries", Duration::from_secs(1));
    let twice = [received.clone(), received];
    room.deliver.handle_batch(&twice).await;
    assert_eq!(room.memory.posted().len(), 1);
    assert_eq!(delivery(&room, &job).await.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_recorded_though_another_event_is_published_meanwhile() {
    let room = Listening::default();
    let (one, two) = (room.job(Status::Running, 2), room.job(Status::Succeeded, 3));
    room.publisher.publish(&one).await.expect("published");
    room.memory.respond([Ok(500)]);
    room.memory.slow("post", Duration::from_secs(10));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        room.publisher.publish(&two).await.expect("published");
    };
    tokio::join!(room.deliver_once(), meanwhile);
    let log = room.publisher.deliveries(&one).await.expect("read");
    let recorded = log.find("2-webhook").expect("recorded");
    assert_eq!(recorded.attempts[0].status, Some(500));
    room.memory.calm();
    room.deliver_all().await;
    let log = room.publisher.deliveries(&one).await.expect("read");
    let delivered = |it: &cloakroom_core::delivery::Delivery| it.state == DeliveryState::Delivered;
    assert!(log.deliveries.iter().all(delivered), "{log:?}");
    assert_eq!(room.memory.posted().len(), 3);
}

/// Keys whose webhook secret was replaced.
struct Rotated(Arc<DeploymentKeys>);

#[async_trait::async_trait]
impl KeyStore for Rotated {
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError> {
        Ok(Arc::clone(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_signed_with_the_replaced_secret_too_for_a_day_after_that() {
    for (hours, signatures) in [(0, 2), (23, 2), (24, 1)] {
        let mut room = Listening::default();
        let (old, now) = (DeploymentKeys::new([1, 2]), room.host.now());
        let rotated_at = now.before(Duration::from_secs(hours * 3600));
        let new = old
            .clone()
            .with_rotated_webhooks(&"acme".parse().expect("a name"), rotated_at);
        room.deliver.keys = Arc::new(Rotated(Arc::new(new.clone())));
        let job = published(&room).await;
        room.deliver_all().await;
        let [posted] = &room.memory.posted()[..] else {
            panic!("one webhook")
        };
        let id = posted.header("webhook-id").expect("an id");
        let signed = [new, old].map(|keys| {
            let secret = &keys.webhook_secrets(&job.tenant, now)[..1];
            let [.., (_, signature)] = webhook::headers(secret, id, now, &posted.body);
            signature
        });
        assert_eq!(
            posted.header("webhook-signature"),
            Some(&*signed[..signatures].join(" ")),
            "{hours}"
        );
    }
}

/// Publishes an event whose next attempt is due after this time, and handles its message, received this often. Returns
/// the call that brings the message back, and the time after which it is visible.
async fn brought_back(wait: Duration, receive_count: u32) -> (&'static str, Duration) {
    let room = Listening::default();
    let job = published(&room).await;
    let (key, created_at) = (job.key(), job.created_at);
    let stored = room.memory.load_deliveries(&key, created_at).await;
    let mut stored = stored.expect("read").expect("recorded");
    stored.log.deliveries[0].next_at = Some(room.host.now().after(wait));
    let (log, seen) = (&stored.log, Some(stored.revision));
    let saved = room
        .memory
        .save_deliveries(&key, created_at, log, seen, stored.expires_at);
    assert!(saved.await.expect("a write"));
    let mut received = room.memory.receive(Duration::from_secs(60)).expect("sent");
    received.receive_count = receive_count;
    room.memory.calls();
    let begun = Instant::now();
    if room.deliver.handle(&received).await == Disposition::Done {
        room.memory.delete(&received);
        assert_eq!(room.memory.sender(), Some(job.tenant));
    }
    let calls = room.memory.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    let (1, Some(visible_at)) = room.memory.messages() else {
        panic!("one message")
    };
    (calls[1], visible_at - begun)
}

#[tokio::test(start_paused = true)]
async fn a_message_is_hidden_for_up_to_a_minute_and_sent_again_for_longer_or_if_received_often() {
    for (seconds, receive_count, call) in [
        (1, 1, "hide"),
        (60, 3, "hide"),
        (1, 4, "send"),
        (61, 1, "send"),
        (900, 1, "send"),
    ] {
        let wait = Duration::from_secs(seconds);
        let brought = brought_back(wait, receive_count).await;
        assert_eq!(brought, (call, wait), "{seconds} {receive_count}");
    }
    let longest = brought_back(Duration::from_secs(3600), 1).await;
    assert_eq!(longest, ("send", LONGEST_DELAY));
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_twice_as_long_after_each_fault_and_is_sent_again_after_the_fourth() {
    for trouble in [Memory::down, Memory::deny] {
        let room = Listening::default();
        let job = published(&room).await;
        trouble(&room.memory, &["load_deliveries"]);
        let mut waits = vec![];
        for _ in 0..5 {
            room.memory.calls();
            let begun = Instant::now();
            assert!(room.deliver_once().await);
            let (1, Some(visible_at)) = room.memory.messages() else {
                panic!("one message")
            };
            waits.push((room.memory.calls()[1], (visible_at - begun).as_secs()));
            tokio::time::sleep_until(visible_at).await;
        }
        let want = [
            ("hide", 5),
            ("hide", 10),
            ("hide", 20),
            ("send", 40),
            ("hide", 5),
        ];
        assert_eq!(waits, want);
        assert_eq!(room.memory.sender(), Some(job.tenant));
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_queue_a_message_waits_up_to_320_seconds_after_a_fault() {
    let room = Listening::default();
    published(&room).await;
    room.memory.down(&["load_deliveries", "send"]);
    let mut waits = vec![];
    for _ in 0..8 {
        let begun = Instant::now();
        assert!(room.deliver_once().await);
        let (1, Some(visible_at)) = room.memory.messages() else {
            panic!("one message")
        };
        waits.push((visible_at - begun).as_secs());
        tokio::time::sleep_until(visible_at).await;
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 320]);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_record_can_not_be_read_becomes_a_dead_letter() {
    let room = Listening::default();
    let job = published(&room).await;
    room.memory.damage(&job.key());
    for _ in 0..10 {
        let (1, Some(visible_at)) = room.memory.messages() else {
            panic!("one message")
        };
        tokio::time::sleep_until(visible_at).await;
        assert!(room.deliver_once().await);
    }
    assert_eq!(room.memory.most_received(), 10, "never sent again");
    assert_eq!(room.memory.posted(), []);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_extends_the_life_of_its_record() {
    let room = Listening::default();
    let job = published(&room).await;
    let (key, created_at) = (job.key(), job.created_at);
    let load = async || {
        let stored = room.memory.load_deliveries(&key, created_at).await;
        stored.expect("read").expect("recorded")
    };
    let (stored, now) = (load().await, room.host.now());
    let (log, seen) = (&stored.log, Some(stored.revision));
    let saved = room
        .memory
        .save_deliveries(&key, created_at, log, seen, now);
    assert!(saved.await.expect("a write"));
    room.deliver_all().await;
    let two_days = Duration::from_secs(2 * 86_400);
    assert_eq!(load().await.expires_at, now.after(two_days));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_is_tried_again_on_the_published_schedule() {
    let room = Listening::default();
    let begun = Instant::now();
    let job = published(&room).await;
    room.memory.respond([
        Ok(500),
        Err("no response within 15 s"),
        Ok(302),
        Ok(404),
        Ok(503),
    ]);
    room.memory.respond([Ok(500), Ok(500), Ok(500), Ok(200)]);
    room.deliver_all().await;
    let sum: Duration = DELAYS.iter().sum();
    let took = begun.elapsed();
    // Jitter adds up to a tenth, so that the receiver gets the retries of many deliveries one after the other.
    let jitter = sum.mul_f64(1.01)..sum.mul_f64(1.11);
    assert!(jitter.contains(&took), "{took:?}");
    let posted = room.memory.posted();
    assert_eq!(posted.len(), 8);
    let ids = posted.iter().map(|posted| posted.header("webhook-id"));
    assert!(ids.clone().all(|id| id == posted[0].header("webhook-id")));
    let delivery = delivery(&room, &job).await;
    assert_eq!(
        (delivery.state, delivery.attempts.len()),
        (DeliveryState::Failed, 8)
    );
    assert_eq!(
        delivery.attempts[1].error.as_deref(),
        Some("no response within 15 s")
    );
    for (posted, attempt) in posted.iter().zip(&delivery.attempts) {
        let time = (attempt.at.as_millis() / 1000).to_string();
        assert_eq!(posted.header("webhook-timestamp"), Some(&*time));
    }
    // A receiver that is down for a day makes no dead letter.
    assert!(room.memory.most_received() < 10);
}

#[tokio::test(start_paused = true)]
async fn no_event_overtakes_an_earlier_one_of_its_job() {
    let room = Listening::default();
    for (status, version) in [
        (Status::Running, 2),
        (Status::Retrying, 3),
        (Status::Succeeded, 4),
    ] {
        let job = room.job(status, version);
        room.publisher.publish(&job).await.expect("published");
    }
    room.memory.respond([Ok(500), Ok(500), Ok(500)]);
    room.deliver_all().await;
    let posted = room.memory.posted();
    let versions: Vec<_> = posted
        .iter()
        .map(|posted| serde_json::from_slice::<CloudEvent>(&posted.body).expect("an event"))
        .map(|event| event.sequence)
        .collect();
    assert_eq!(versions, ["2", "2", "2", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_gone_is_asked_no_more() {
    let room = Listening::default();
    for (status, version) in [(Status::Running, 2), (Status::Succeeded, 3)] {
        let job = room.job(status, version);
        room.publisher.publish(&job).await.expect("published");
    }
    room.memory.respond([Ok(410)]);
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 1);
    // What happens later is listed, and can be delivered again by the client.
    let job = room.job(Status::Failed, 4);
    room.publisher.publish(&job).await.expect("published");
    let log = room.publisher.deliveries(&job).await.expect("readable");
    let states: Vec<_> = log
        .deliveries
        .iter()
        .map(|it| (it.version, it.state))
        .collect();
    assert_eq!(
        states,
        [2, 3, 4].map(|version| (version, DeliveryState::Failed))
    );
    let again = room.publisher.redeliver(&job, "4-webhook").await;
    assert_eq!(again, Ok(()));
    room.deliver_all().await;
    assert_eq!(room.memory.posted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_a_port_is_survived_at_the_price_of_a_duplicate() {
    for call in ["load_deliveries", "save_deliveries", "keys", "send", "hide"] {
        for fault in [Fault::Before, Fault::After, Fault::Panic] {
            let room = Listening::default();
            let job = published(&room).await;
            room.memory.respond([Ok(500)]);
            room.memory.fail(call, fault);
            room.deliver_all().await;
            let delivery = delivery(&room, &job).await;
            assert_eq!(delivery.state, DeliveryState::Delivered, "{call} {fault:?}");
            let posted = room.memory.posted().len();
            assert!((2..=3).contains(&posted), "{call} {fault:?}");
            let attempts = delivery.attempts.len();
            assert!((2..=posted).contains(&attempts), "{call} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_record_is_gone_is_deleted_and_an_unreadable_one_is_kept() {
    let room = Listening::default();
    published(&room).await;
    let mut received = room.memory.receive(Duration::from_secs(1)).expect("sent");
    received.body = received
        .body
        .replace("\"created_at\":1234", "\"created_at\":1235");
    assert_eq!(room.deliver.handle(&received).await, Disposition::Done);
    received.body = "{}".to_owned();
    assert_eq!(room.deliver.handle(&received).await, Disposition::Keep);
    assert_eq!(room.memory.posted(), []);
}

fn replying(room: &Listening, queue: &str) -> Job {
    let mut job = room.job(Status::Succeeded, 3);
    let context = job.events.as_mut().expect("listeners");
    context.webhook = None;
    context.reply_to = Some(queue.parse().expect("a name"));
    context.correlation_id = Some("order-1042".parse().expect("an id"));
    job
}

/// Returns the reference to a result that is stored as `results/1`.
fn stored(content_type: &str, content: &[u8]) -> ResultRef {
    ResultRef::Stored {
        content_type: content_type.to_owned(),
        key: "results/1".to_owned(),
        length: content.len() as u64,
        sha256: Digest::from_content(content),
        retention: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_contains_a_large_result_and_names_what_it_answers() {
    let room = Listening::default();
    let mut job = replying(&room, "orders");
    let large = json!({ "text": "x".repeat(100_000) });
    let bytes = Bytes::from(large.to_string());
    job.success = Some(Success {
        result: Some(stored("application/json", &bytes)),
        ..Success::default()
    });
    room.memory
        .put("results/1", "application/json", bytes)
        .await
        .expect("stored");
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    let [(queue, reply)] = &room.memory.replies()[..] else {
        panic!("one reply")
    };
    assert_eq!(queue.as_str(), "orders");
    assert_eq!(reply.correlation_id, "order-1042");
    assert_eq!(reply.id, format!("{}/3", job.id));
    let event: CloudEvent = serde_json::from_str(&reply.body).expect("an event");
    assert_eq!(event.data["result"], large);
    assert_eq!(event.data.get("result_url"), None);
}

/// Delivers the replies of a job with this stored result and an event of its handler. Returns their data.
async fn replies_with(content_type: &str, content: Bytes) -> Vec<serde_json::Value> {
    let room = Listening::default();
    let mut job = replying(&room, "orders");
    job.success = Some(Success {
        result: Some(stored(content_type, &content)),
        published: vec![cloakroom_core::listeners::PublishedEvent {
            kind: "movie.created".to_owned(),
            data: json!({ "n": 1 }),
        }],
        ..Success::default()
    });
    room.memory
        .put("results/1", content_type, content)
        .await
        .expect("stored");
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    let replies = room.memory.replies();
    let ids: Vec<_> = replies.iter().map(|(_, reply)| reply.id.clone()).collect();
    assert_eq!(ids, [format!("{}/3/0", job.id), format!("{}/3", job.id)]);
    let causes: Vec<_> = replies
        .iter()
        .map(|(_, reply)| reply.causation_id.clone())
        .collect();
    assert_eq!(causes, [Some(ids[1].clone()), None]);
    for (_, reply) in &replies {
        assert_eq!(reply.job, job.key());
        assert_eq!(reply.correlation_id, "order-1042");
    }
    let event = |(_, reply): &(_, Reply)| -> CloudEvent {
        serde_json::from_str(&reply.body).expect("an event")
    };
    replies.iter().map(|reply| event(reply).data).collect()
}

#[tokio::test(start_paused = true)]
async fn only_the_end_of_the_job_contains_its_result_and_only_as_json() {
    let data = replies_with("application/json", Bytes::from_static(b"[7]")).await;
    assert_eq!(
        (&data[0], &data[1]["result"]),
        (&json!({ "n": 1 }), &json!([7]))
    );
    for (content_type, content) in [("text/plain", "[7]"), ("application/json", "[7")] {
        let data = replies_with(content_type, Bytes::from_static(content.as_bytes())).await;
        assert_eq!(data[1].get("result"), None, "{content_type} {content}");
        assert!(data[1]["result_url"].is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_over_32_mib_is_linked() {
    for (length, inside) in [(32 << 20, true), ((32 << 20) + 1, false)] {
        let text = format!("\"{}\"", "x".repeat(length - 2));
        let data = replies_with("application/json", Bytes::from(text)).await;
        assert_eq!(data[1].get("result").is_some(), inside, "{length}");
        assert_eq!(data[1].get("result_url").is_some(), !inside, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_can_not_be_read_delays_its_reply() {
    for call in ["open", "read"] {
        for fault in [Fault::Before, Fault::Denied] {
            let room = Listening::default();
            let job = with_a_stored_result(&room).await;
            room.memory.fail(call, fault);
            room.deliver_all().await;
            let [(_, reply)] = &room.memory.replies()[..] else {
                panic!("one reply")
            };
            let event: CloudEvent = serde_json::from_str(&reply.body).expect("an event");
            assert_eq!(event.data["result"], json!([7]), "{call}");
            let log = room.publisher.deliveries(&job).await.expect("read");
            assert_eq!(log.deliveries[0].attempts.len(), 1, "{call} {fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_corrupted_is_linked() {
    let room = Listening::default();
    with_a_stored_result(&room).await;
    room.memory.corrupt("results/1");
    assert!(room.deliver_once().await);
    let [(_, reply)] = &room.memory.replies()[..] else {
        panic!("one reply")
    };
    let event: CloudEvent = serde_json::from_str(&reply.body).expect("an event");
    assert_eq!(event.data.get("result"), None);
    assert!(event.data["result_url"].is_string());
}

/// Publishes the end of a job whose result `[7]` is stored, for the reply queue `orders`.
async fn with_a_stored_result(room: &Listening) -> Job {
    let mut job = replying(room, "orders");
    let content = Bytes::from_static(b"[7]");
    job.success = Some(Success {
        result: Some(stored("application/json", &content)),
        ..Success::default()
    });
    let stored = room.memory.put("results/1", "application/json", content);
    stored.await.expect("stored");
    room.publisher.publish(&job).await.expect("published");
    job
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_deleted_is_linked_and_a_queue_that_was_removed_ends_the_delivery() {
    let room = Listening::default();
    let mut job = replying(&room, "gone");
    job.success = Some(Success {
        result: Some(ResultRef::Stored {
            content_type: "application/json".to_owned(),
            key: "results/2".to_owned(),
            length: 40_000,
            sha256: Digest::from_content(b""),
            retention: None,
        }),
        ..Success::default()
    });
    room.publisher.publish(&job).await.expect("published");
    room.deliver_all().await;
    let [(_, reply)] = &room.memory.replies()[..] else {
        panic!("one try")
    };
    let event: CloudEvent = serde_json::from_str(&reply.body).expect("an event");
    assert!(event.data["result_url"].is_string());
    let log = room.publisher.deliveries(&job).await.expect("read");
    assert_eq!(log.deliveries[0].state, DeliveryState::Failed);
    assert_eq!(
        log.deliveries[0].attempts[0].error.as_deref(),
        Some("the deployment no longer has this queue")
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_makes_no_dead_letters() {
    let room = Listening::default();
    let job = published(&room).await;
    room.memory.down(&["load_deliveries"]);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4 * 3600) {
        if !room.deliver_once().await {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    assert!(room.memory.most_received() < 10);
    room.memory.calm();
    room.deliver_all().await;
    assert_eq!(delivery(&room, &job).await.state, DeliveryState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_reply_queue_that_rejects_a_reply_is_tried_again() {
    for fault in [Fault::Before, Fault::Denied] {
        let room = Listening::default();
        let job = replying(&room, "orders");
        room.publisher.publish(&job).await.expect("published");
        room.memory.fail("send_reply", fault);
        room.deliver_all().await;
        let log = room.publisher.deliveries(&job).await.expect("read");
        let attempts = &log.deliveries[0].attempts;
        assert_eq!(attempts.len(), 2, "{fault:?}");
        assert_eq!(
            attempts[0].error.as_deref(),
            Some("the queue did not accept the reply")
        );
        assert_eq!(log.deliveries[0].state, DeliveryState::Delivered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_received_often_is_sent_again() {
    for (receive_count, disposition) in [(3, Disposition::Keep), (4, Disposition::Done)] {
        for is_fault in [false, true] {
            let room = Listening::default();
            published(&room).await;
            let mut received = room.memory.receive(Duration::from_secs(1)).expect("sent");
            received.receive_count = receive_count;
            if is_fault {
                room.memory.fail("load_deliveries", Fault::Before);
            } else {
                room.memory.respond([Ok(500)]);
            }
            let done = room.deliver.handle(&received).await;
            assert_eq!(done, disposition, "{receive_count} {is_fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_each_fault_a_message_is_hidden_for_twice_the_time() {
    for (receive_count, seconds) in [(1, 5), (2, 10), (3, 20)] {
        let room = Listening::default();
        published(&room).await;
        let mut received = room.memory.receive(Duration::from_secs(1)).expect("sent");
        received.receive_count = receive_count;
        room.memory.fail("load_deliveries", Fault::Before);
        room.deliver.handle(&received).await;
        let visible = Instant::now() + Duration::from_secs(seconds);
        assert_eq!(room.memory.messages(), (1, Some(visible)));
    }
}
