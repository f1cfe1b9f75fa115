//! Converts the event of a queue to messages, and their dispositions to a partial batch response.
//!
//! The response contains the messages that stay in the queue. All others are deleted. A single empty or unknown
//! identifier would keep the whole batch, so only identifiers from the event are used.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use cloakroom_app::core::Timestamp;
use cloakroom_app::delivery::{Delivery, Disposition};
use cloakroom_aws::message::ReceivedMessage;
use lambda_http::tracing;

/// Returns the time at which the function times out. `deadline_ms` is a time in milliseconds since 1970 in Lambda, but
/// a duration from now in `cargo lambda watch`.
pub fn ends_at(deadline_ms: u64, now: Timestamp) -> Timestamp {
    const A_TIME: i64 = 1_000_000_000_000; // 2001; as a duration, 31 years
    let deadline = i64::try_from(deadline_ms).unwrap_or(i64::MAX);
    Timestamp::from_millis(if deadline < A_TIME {
        now.as_millis() + deadline
    } else {
        deadline
    })
}

/// Returns the messages of an event, in order.
pub fn deliveries(event: SqsEvent) -> Vec<Delivery> {
    event.records.into_iter().filter_map(delivery).collect()
}

fn delivery(record: SqsMessage) -> Option<Delivery> {
    let Some(message_id) = record.message_id.filter(|id| !id.is_empty()) else {
        // A response can't refer to it. The queue assigns an id to every message, so this is not one.
        tracing::error!("a record has no message id; it is skipped");
        return None;
    };
    let said = |name: &str| {
        record
            .attributes
            .get(name)
            .and_then(|text| text.parse::<i64>().ok())
    };
    let (receive_count, sent_at) = (said("ApproximateReceiveCount"), said("SentTimestamp"));
    let attributes = record.message_attributes.into_iter();
    let received = ReceivedMessage {
        message_id,
        receipt: record.receipt_handle.unwrap_or_default(),
        // A missing body is unreadable: the message stays until it becomes a dead letter.
        body: record.body.unwrap_or_default(),
        attributes: attributes
            .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
            .collect(),
        sent_at,
        receive_count: receive_count
            .and_then(|count| count.try_into().ok())
            .unwrap_or(1),
    };
    Some(received.into_delivery())
}

/// Handles the messages of an event. Returns the response, with the messages that stay.
pub async fn handle(
    event: SqsEvent,
    handle: impl AsyncFnOnce(&[Delivery]) -> Vec<Disposition>,
) -> SqsBatchResponse {
    let deliveries = deliveries(event);
    let dispositions = handle(&deliveries).await;
    response(&deliveries, &dispositions)
}

/// Returns the response with every message whose disposition is not known to be `Done`.
pub fn response(deliveries: &[Delivery], dispositions: &[Disposition]) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for (at, delivery) in deliveries.iter().enumerate() {
        match dispositions.get(at) {
            Some(Disposition::Done) => {}
            Some(Disposition::Keep) | None => response.add_failure(&delivery.message_id),
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::Disposition::{Done, Keep};
    use super::*;

    fn record(id: &str) -> Value {
        json!({
            "messageId": id,
            "receiptHandle": format!("receipt of {id}"),
            "body": format!("body of {id}"),
            "attributes": {
                "ApproximateReceiveCount": "2",
                "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "SentTimestamp": "1795248000120",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "MessageGroupId": "default",
                "ApproximateFirstReceiveTimestamp": "1795248000131"
            },
            "messageAttributes": {
                "n": { "stringValue": "1", "stringListValues": [], "binaryListValues": [], "dataType": "Number" }
            },
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:work",
            "awsRegion": "eu-central-1"
        })
    }

    fn read(records: &[Value]) -> Vec<Delivery> {
        deliveries(
            serde_json::from_value(json!({ "Records": records })).expect("an event of a queue"),
        )
    }

    fn ids(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries
            .iter()
            .map(|delivery| delivery.message_id.as_str())
            .collect()
    }

    #[test]
    fn an_event_of_a_queue_is_its_messages_in_their_order() {
        let deliveries = read(&[record("b"), record("a"), record("c")]);
        assert_eq!(ids(&deliveries), ["b", "a", "c"]);
        let want = Delivery {
            message_id: "b".into(),
            receipt: "receipt of b".into(),
            body: "body of b".into(),
            receive_count: 2,
            producer_message: None,
        };
        assert_eq!(deliveries[0], want);
    }

    #[test]
    fn a_producers_message_comes_with_its_attributes_and_its_time() {
        let mut record = record("a");
        for (name, value) in [
            ("Cloakroom-Command-Type", "note.keep"),
            ("Cloakroom-Tenant", "b"),
        ] {
            record["messageAttributes"][name] = json!({"stringValue": value, "dataType": "String"});
        }
        record["messageAttributes"]["bytes"] = json!({"binaryValue": "AA==", "dataType": "Binary"});
        let deliveries = read(&[record]);
        let producer_message = deliveries[0]
            .producer_message
            .as_ref()
            .expect("a producer's");
        assert_eq!(
            producer_message.sent_at,
            Some(Timestamp::from_millis(1_795_248_000_120))
        );
        let names: Vec<_> = producer_message.attributes.keys().collect();
        assert_eq!(names, ["Cloakroom-Command-Type", "Cloakroom-Tenant", "n"]);
    }

    #[tokio::test]
    async fn what_a_handler_keeps_is_in_the_answer() {
        let records = [record("a"), record("b")];
        let event = serde_json::from_value(json!({ "Records": records })).expect("an event");
        let answer = handle(event, async |deliveries| {
            assert_eq!(ids(deliveries), ["a", "b"]);
            vec![Done, Keep]
        })
        .await;
        assert_eq!(
            to_value(answer).expect("it is written as JSON"),
            json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] })
        );
    }

    #[test]
    fn the_answer_names_the_messages_that_stay_and_no_others() {
        let deliveries = read(&[record("a"), record("b"), record("c"), record("d")]);
        for (dispositions, stay) in [
            (&[Done, Done, Done, Done][..], &[][..]),
            (&[Keep, Done, Keep, Done], &["a", "c"]),
            (&[Keep, Keep, Keep, Keep], &["a", "b", "c", "d"]),
            (&[Done, Done], &["c", "d"]),
        ] {
            let failures: Vec<_> = stay
                .iter()
                .map(|id| json!({ "itemIdentifier": id }))
                .collect();
            let answer =
                to_value(response(&deliveries, dispositions)).expect("it is written as JSON");
            assert_eq!(
                answer,
                json!({ "batchItemFailures": failures }),
                "{dispositions:?}"
            );
        }
    }

    #[test]
    fn a_record_without_a_part_is_read_as_far_as_it_goes() {
        let deliveries = read(&[
            json!({ "messageId": "a" }),
            json!({ "messageId": "b", "body": null, "receiptHandle": null, "attributes": null }),
            json!({ "messageId": "c", "attributes": { "ApproximateReceiveCount": "many" } }),
            record("d"),
        ]);
        assert_eq!(ids(&deliveries), ["a", "b", "c", "d"]);
        assert!(
            deliveries[..3]
                .iter()
                .all(|it| it.body.is_empty() && it.receipt.is_empty() && it.receive_count == 1)
        );
    }

    #[test]
    fn a_deadline_is_a_time_or_a_duration_from_now() {
        let now = Timestamp::from_millis(1_795_248_000_120);
        for (deadline, ends) in [
            (1_795_248_060_120, 1_795_248_060_120),
            (600_000, 1_795_248_600_120),
        ] {
            assert_eq!(ends_at(deadline, now), Timestamp::from_millis(ends));
        }
    }

    #[test]
    fn no_answer_names_a_message_without_an_id() {
        let deliveries = read(&[
            json!({ "body": "x" }),
            json!({ "messageId": "", "body": "x" }),
            record("a"),
        ]);
        assert_eq!(ids(&deliveries), ["a"]);
        assert_eq!(read(&[]), []);
    }
}
