//! Requests to SQS and to EventBridge Scheduler.

use std::time::Duration;

use cloakroom_app::delivery::Delivery;
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::intake::{PayloadLocation, ProducerMessage};
use cloakroom_app::ports::{LONGEST_DELAY, PortError, Queue, keys};
use cloakroom_app::testing::new_job;
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_core::{Digest, Tenant, Timestamp};
use serde_json::{Value, json};

use super::script::{Answer, Script, failed, fails_with_its_service, ok};
use crate::SqsQueue;
use crate::config::ScheduleConfig;
use crate::schedule::ScheduledQueue;

const URL: &str = "http://sqs.example/123456789012/work";
const STATE: &str = r#"{"Attributes":{"ApproximateNumberOfMessages":"1","VisibilityTimeout":"360","MessageRetentionPeriod":"1209600","RedrivePolicy":"{\"maxReceiveCount\":10}"}}"#;

fn queue(answers: impl IntoIterator<Item = Answer>) -> (Script, SqsQueue) {
    let script = Script::new(answers);
    let queue = SqsQueue::new(&script.clients(), URL);
    (script, queue)
}

fn tenant() -> Tenant {
    "shop-1".parse().expect("a tenant")
}

#[tokio::test]
async fn a_message_is_sent_in_the_group_of_its_tenant() {
    let (script, queue) = queue([ok("{}"), ok("{}")]);
    queue
        .send(&tenant(), "{\"n\":1}".into(), Duration::ZERO, None)
        .await
        .expect("sent");
    queue
        .send(
            &tenant(),
            "x".into(),
            Duration::from_millis(1),
            Some("Root=1-2-3"),
        )
        .await
        .expect("sent");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_message_is_held_back_for_whole_seconds_up_to_the_longest_delay() {
    for (delay, seconds) in [
        (Duration::ZERO, None),
        (Duration::from_nanos(1), None),
        (Duration::from_millis(1), Some(1)),
        (Duration::from_millis(1_000), Some(1)),
        (Duration::from_millis(1_001), Some(2)),
        (LONGEST_DELAY, Some(900)),
        (LONGEST_DELAY + Duration::from_secs(1), Some(900)),
    ] {
        let (script, queue) = queue([ok("{}")]);
        queue
            .send(&tenant(), "x".into(), delay, None)
            .await
            .expect("sent");
        let said = seconds.map(|seconds| format!("\"DelaySeconds\": {seconds},"));
        let requests = script.requests();
        assert_eq!(
            requests.contains("DelaySeconds"),
            said.is_some(),
            "{delay:?}"
        );
        assert!(
            said.is_none_or(|said| requests.contains(&said)),
            "{delay:?} {requests}"
        );
    }
}

#[tokio::test]
async fn messages_are_received_with_what_is_needed_of_them() {
    let (script, queue) = queue([ok("{}")]);
    queue
        .receive(10, Duration::from_millis(19_001))
        .await
        .expect("received");
    insta::assert_snapshot!(script.requests());
    for (max, wait, said) in [
        (
            0,
            0,
            ["\"MaxNumberOfMessages\": 1,", "\"WaitTimeSeconds\": 0\n"],
        ),
        (
            11,
            21,
            ["\"MaxNumberOfMessages\": 10,", "\"WaitTimeSeconds\": 20\n"],
        ),
    ] {
        let (script, queue) = self::queue([ok("{}")]);
        queue
            .receive(max, Duration::from_secs(wait))
            .await
            .expect("received");
        let requests = script.requests();
        assert!(
            said.iter().all(|said| requests.contains(said)),
            "{said:?} {requests}"
        );
    }
}

#[tokio::test]
async fn a_message_is_received_with_its_count_its_time_and_its_attributes() {
    let message = json!({
        "MessageId": "m-1",
        "ReceiptHandle": "r-1",
        "Body": "{}",
        "Attributes": {
            "ApproximateReceiveCount": "4",
            "SentTimestamp": "1795248000120",
        },
        "MessageAttributes": {
            "Cloakroom-Command-Type": { "DataType": "String", "StringValue": "note.keep" },
        },
    });
    let (_, queue) = queue([ok(&json!({ "Messages": [message] }).to_string())]);
    let producer_message = ProducerMessage {
        attributes: [("Cloakroom-Command-Type".into(), "note.keep".into())].into(),
        payload: PayloadLocation::Body,
        sent_at: Some(Timestamp::from_millis(1_795_248_000_120)),
    };
    let want = Delivery {
        message_id: "m-1".into(),
        receipt: "r-1".into(),
        body: "{}".into(),
        receive_count: 4,
        producer_message: Some(Box::new(producer_message)),
    };
    assert_eq!(queue.receive(1, Duration::ZERO).await, Ok(vec![want]));
}

#[tokio::test]
async fn a_message_is_hidden_and_deleted_by_its_receipt() {
    let (script, queue) = queue([ok("{}"), ok("{}"), ok("{}"), ok("{}")]);
    queue.hide("r-1", Duration::ZERO).await.expect("hidden");
    queue
        .hide("r-1", Duration::from_millis(1_001))
        .await
        .expect("hidden");
    queue.hide("r-1", Duration::MAX).await.expect("hidden");
    queue.delete("r-1").await.expect("deleted");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_receipt_that_is_stale_is_no_fault_and_any_other_refusal_is() {
    let refusal = |code: &str, message: &str| {
        failed(
            400,
            &format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"{message}"}}"#),
        )
    };
    for (code, message, good) in [
        ("ReceiptHandleIsInvalid", "", true),
        ("MessageNotInflight", "", true),
        (
            "InvalidParameterValueException",
            "Value r for parameter ReceiptHandle is invalid",
            true,
        ),
        (
            "InvalidParameterValueException",
            "Value 1 for parameter VisibilityTimeout is invalid",
            false,
        ),
        ("UnsupportedOperation", "ReceiptHandle", false),
    ] {
        let (_, queue) = queue([refusal(code, message), refusal(code, message)]);
        assert_eq!(
            queue.hide("r", Duration::ZERO).await.is_ok(),
            good,
            "{code} {message}"
        );
        assert_eq!(queue.delete("r").await.is_ok(), good, "{code} {message}");
    }
}

#[tokio::test]
async fn a_queue_is_asked_for_its_backlog_and_times() {
    let (script, queue) = queue([ok(STATE)]);
    let state = queue.state().await.expect("a state");
    assert_eq!(
        (state.backlog, state.cycle),
        (true, Duration::from_secs(3600))
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_cycle_is_no_longer_than_a_message_is_kept_and_needs_all_that_it_is_computed_from() {
    let state = async |changed: &[(&str, &str)]| {
        let text = changed
            .iter()
            .fold(STATE.to_owned(), |text, (from, to)| text.replace(from, to));
        queue([ok(&text)]).1.state().await
    };
    let cycle = state(&[("\"1209600\"", "\"3599\"")])
        .await
        .expect("a state")
        .cycle;
    assert_eq!(cycle.as_secs(), 3599);
    for left_out in [
        "ApproximateNumberOfMessages",
        "VisibilityTimeout",
        "MessageRetentionPeriod",
    ] {
        let state = state(&[(left_out, "Other")]).await;
        assert!(
            matches!(state, Err(PortError::Misconfigured { .. })),
            "{left_out}: {state:?}"
        );
    }
    let empty = state(&[("Messages\":\"1\"", "Messages\":\"0\"")])
        .await
        .expect("a state");
    assert!(!empty.backlog);
}

#[tokio::test]
async fn queues_are_made_with_a_redrive_policy_and_a_long_memory_for_dead_letters() {
    let url = |name: &str| {
        ok(&format!(
            r#"{{"QueueUrl":"http://sqs.example/123456789012/{name}"}}"#
        ))
    };
    let arn = ok(r#"{"Attributes":{"QueueArn":"arn:aws:sqs:eu-west-1:123456789012:work-dead"}}"#);
    let script = Script::new([
        url("work-dead"),
        ok("{}"),
        arn,
        url("work"),
        ok("{}"),
        ok("{}"),
    ]);
    SqsQueue::create(&script.clients(), "work", Duration::from_millis(59_001), 3)
        .await
        .expect("made");
    insta::assert_snapshot!(script.requests());
}

/// Returns the envelope of a payload that is text in object storage.
pub(super) fn claim_check() -> Envelope {
    let (job, digest) = (
        new_job(Timestamp::from_millis(7), 1),
        Digest::from_content(b"{}"),
    );
    let payload = PayloadRef::Stored(keys::payload(&job.key(), &digest));
    Envelope::new(
        &job,
        "application/json",
        "",
        payload,
        &digest,
        RequestTrace::default(),
    )
    .with_text_length(2)
}

#[tokio::test]
async fn a_claim_check_is_sent_as_a_pointer_with_our_envelope_beside_it() {
    let (script, queue) = queue([ok("{}")]);
    let envelope = claim_check();
    queue
        .with_payload_bucket("payloads")
        .send(&tenant(), envelope.write(), Duration::ZERO, None)
        .await
        .expect("sent");
    insta::assert_snapshot!(script.requests());
}

fn scheduled(answers: impl IntoIterator<Item = Answer>) -> (Script, ScheduledQueue) {
    let (script, queue) = queue(answers);
    let config = ScheduleConfig {
        group: "later".into(),
        role_arn: "arn:aws:iam::123456789012:role/scheduler".into(),
        queue_arn: "arn:aws:sqs:eu-west-1:123456789012:work".into(),
    };
    let queue = ScheduledQueue::new(queue, &script.clients(), &config);
    (script, queue)
}

#[tokio::test]
async fn what_the_queue_can_not_hold_back_for_so_long_is_a_schedule_of_its_own() {
    let (script, queue) = scheduled([ok("{}")]);
    let before = SystemHost.now().after(Duration::from_secs(3600));
    queue
        .send(
            &tenant(),
            "x".into(),
            Duration::from_secs(3600),
            Some("Root=1-2-3"),
        )
        .await
        .expect("sent");
    let requests = script.requests();
    let (start, at) = requests.split_once("\"at(").expect("a time");
    let (at, end) = at.split_once(")\"").expect("a time");
    let at: Timestamp = format!("{at}Z").parse().expect("a time");
    assert!(
        at >= before && at < before.after(Duration::from_secs(60)),
        "{at} is an hour from now"
    );
    insta::assert_snapshot!(format!("{start}\"at(an hour from now)\"{end}"));
}

#[tokio::test]
async fn a_delay_that_the_queue_can_hold_makes_no_schedule() {
    for (delay, place) in [
        (LONGEST_DELAY, "sqs"),
        (LONGEST_DELAY + Duration::from_millis(1), "scheduler"),
    ] {
        let (script, queue) = scheduled([ok("{}")]);
        queue
            .send(&tenant(), "x".into(), delay, None)
            .await
            .expect("sent");
        let requests = script.requests();
        assert!(
            requests
                .lines()
                .next()
                .is_some_and(|line| line.contains(&format!("//{place}."))),
            "{requests}"
        );
    }
    let (script, scheduled) = scheduled([ok("{}")]);
    let (alone, queue) = queue([ok("{}")]);
    for queue in [&scheduled as &dyn Queue, &queue] {
        queue
            .send(&tenant(), "x".into(), LONGEST_DELAY, Some("Root=1-2-3"))
            .await
            .expect("sent");
    }
    assert_eq!(script.requests(), alone.requests());
}

#[tokio::test]
async fn a_schedule_that_is_there_is_as_good_as_one_that_is_made() {
    for (code, good) in [("ConflictException", true), ("ValidationException", false)] {
        let refusal = failed(if good { 409 } else { 400 }, r#"{"Message":"no"}"#)
            .header("x-amzn-errortype", code);
        let (_, queue) = scheduled([refusal]);
        let sent = queue
            .send(&tenant(), "x".into(), Duration::from_secs(3600), None)
            .await;
        assert_eq!(sent.is_ok(), good, "{code} {sent:?}");
    }
}

#[tokio::test]
async fn a_queue_with_schedules_hides_and_tells_of_itself_as_any() {
    let (script, queue) = scheduled([ok("{}"), ok(STATE)]);
    queue
        .hide("r-1", Duration::from_secs(5))
        .await
        .expect("hidden");
    assert!(queue.state().await.expect("a state").backlog);
    let requests = script.requests();
    let bodies: Vec<Value> = requests
        .split("\n\n")
        .filter_map(|request| {
            request
                .split_once('{')
                .and_then(|(_, body)| serde_json::from_str(&format!("{{{body}")).ok())
        })
        .collect();
    assert_eq!(
        (bodies.len(), &bodies[0]["VisibilityTimeout"]),
        (2, &Value::from(5)),
        "{requests}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_call_hides_an_error() {
    let denied = r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#;
    let fault = r#"{"__type":"com.amazonaws.sqs#InternalError"}"#;
    for name in ["send", "hide", "state", "receive", "delete"] {
        let errors = (failed(403, denied), failed(500, fault));
        fails_with_its_service(name, errors, async |clients| {
            let queue = SqsQueue::new(clients, URL);
            match name {
                "send" => {
                    queue
                        .send(&tenant(), "x".into(), Duration::ZERO, None)
                        .await
                }
                "hide" => queue.hide("r-1", Duration::from_secs(1)).await,
                "state" => queue.state().await.map(drop),
                "receive" => queue.receive(1, Duration::ZERO).await.map(drop),
                _ => queue.delete("r-1").await,
            }
        })
        .await;
    }
}
