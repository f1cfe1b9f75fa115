//! Requests on the wire, and the threshold from which a payload goes to S3.

mod script;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageAttributeValue, SendMessageBatchRequestEntry,
};
use cloakroom_sqs_extended_client::{Error, Pointer, PointerClass, Settings, SizeAttribute, embed};
use script::Script;
use serde_json::{Value, json};

const SENT: &str = r#"{"MessageId":"m-1"}"#;

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::new("payloads");
    change(&mut settings);
    settings
}

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .expect("its type is set")
}

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/work";

/// Sends a body with this number of attributes. Returns true if its payload went to S3, and the message.
async fn sent(settings: Settings, body: &str, attributes: usize) -> Result<(bool, Value), Error> {
    let script = Script::new([SENT]);
    let client = script.client(settings);
    let mut request = client
        .sqs()
        .send_message()
        .queue_url(QUEUE)
        .message_body(body);
    for n in 0..attributes {
        request = request.message_attributes(format!("a{n}"), text("12"));
    }
    let sent = client.send_message(request).await;
    let requests = script.requests();
    sent.map(|_| {
        (
            requests.len() == 2,
            requests.last().expect("a message").json(),
        )
    })
}

#[tokio::test]
async fn a_message_over_256_kib_with_its_attributes_goes_to_s3() {
    for (length, attributes, is_offloaded) in [
        (262_144, 0, false),
        (262_145, 0, true),
        (262_134, 1, false),
        (262_135, 1, true),
        (1, 10, false),
    ] {
        let (offloaded, message) = sent(settings(|_| ()), &"x".repeat(length), attributes)
            .await
            .expect("sent");
        assert_eq!(
            offloaded, is_offloaded,
            "{length} bytes and {attributes} attributes"
        );
        let said = &message["MessageAttributes"]["ExtendedPayloadSize"];
        let expected = if offloaded {
            json!({"DataType": "Number", "StringValue": length.to_string()})
        } else {
            Value::Null
        };
        assert_eq!(said, &expected);
    }
}

#[tokio::test]
async fn every_setting_of_a_pointer_is_followed() {
    let legacy = settings(|it| {
        (it.always, it.key_prefix) = (true, "here/".into());
        (it.class, it.attribute) = (
            PointerClass::MessageS3Pointer,
            SizeAttribute::SqsLargePayloadSize,
        );
    });
    let script = Script::new([SENT]);
    let client = script.client(legacy);
    let request = client
        .sqs()
        .send_message()
        .queue_url(QUEUE)
        .message_body("né");
    client
        .send_message(request.message_attributes("colour", text("red")))
        .await
        .expect("sent");
    let requests = script.requests();
    let [put, sent] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert!(
        put.line
            .starts_with("PUT https://s3.eu-west-1.amazonaws.com/payloads/here/"),
        "{}",
        put.line
    );
    assert_eq!(
        (put.content_type.as_str(), &put.body[..]),
        ("text/plain; charset=utf-8", "né".as_bytes())
    );
    assert_eq!(sent.line, "POST AmazonSQS.SendMessage");
    let message = sent.json();
    let key = put.line.rsplit_once("payloads/").expect("a key").1;
    let pointer = Pointer::new("payloads", key).to_body(PointerClass::MessageS3Pointer);
    assert_eq!(message["MessageBody"], pointer);
    let attributes = json!({
        "colour": {"DataType": "String", "StringValue": "red"},
        "SQSLargePayloadSize": {"DataType": "Number", "StringValue": "3"},
    });
    assert_eq!(
        (&message["MessageAttributes"], &message["QueueUrl"]),
        (&attributes, &json!(QUEUE))
    );
}

#[tokio::test]
async fn a_message_that_can_not_be_sent_is_refused_before_its_payload_is_put() {
    let always = || settings(|it| it.always = true);
    assert!(matches!(sent(always(), "", 0).await, Err(Error::NoBody)));
    assert!(matches!(sent(always(), "x", 9).await, Ok((true, _))));
    assert!(matches!(
        sent(always(), "x", 10).await,
        Err(Error::TooManyAttributes(10))
    ));
    for name in ["ExtendedPayloadSize", "SQSLargePayloadSize"] {
        let script = Script::new([]);
        let client = script.client(always());
        let request = client
            .sqs()
            .send_message()
            .queue_url(QUEUE)
            .message_body("x")
            .message_attributes(name, text("1"));
        let refused = client.send_message(request).await;
        assert!(
            matches!(refused, Err(Error::Reserved(reserved)) if reserved == name),
            "{refused:?}"
        );
        assert!(script.requests().is_empty());
    }
}

/// Returns the size of a message with a large attribute and its payload in S3.
fn weight(value: usize) -> usize {
    let pointer = Pointer::new("payloads", "0".repeat(36))
        .to_body(PointerClass::default())
        .len();
    pointer + "ExtendedPayloadSizeNumber1".len() + "largeString".len() + value
}

#[tokio::test]
async fn attributes_may_fill_a_message_to_1_mib_and_no_further() {
    let most = 1_048_576 - weight(0);
    for (value, refused) in [(most, false), (most + 1, true)] {
        let script = Script::new([SENT]);
        let client = script.client(settings(|it| it.always = true));
        let request = client
            .sqs()
            .send_message()
            .queue_url(QUEUE)
            .message_body("x");
        let sent = client
            .send_message(request.message_attributes("large", text(&"v".repeat(value))))
            .await;
        let is_refused = matches!(sent, Err(Error::TooLarge(size)) if size == 1_048_577);
        assert_eq!((is_refused, sent.is_ok()), (refused, !refused), "{value}");
    }
}

#[tokio::test]
async fn a_batch_is_brought_below_1_mib_in_total() {
    let entry = |n: usize, length: usize| {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(n.to_string())
            .message_body("x".repeat(length));
        entry.build().expect("it has what it needs")
    };
    for (last, puts) in [(262_144, 0), (262_145, 1)] {
        let script = Script::new([r#"{"Successful":[],"Failed":[]}"#]);
        let client = script.client(settings(|_| ()));
        let entries = vec![
            entry(0, 262_144),
            entry(1, 262_144),
            entry(2, 262_144),
            entry(3, last),
        ];
        let request = client
            .sqs()
            .send_message_batch()
            .queue_url(QUEUE)
            .set_entries(Some(entries));
        client.send_message_batch(request).await.expect("sent");
        assert_eq!(script.requests().len(), puts + 1, "{last}");
    }
    let script = Script::new([r#"{"Successful":[],"Failed":[]}"#]);
    let client = script.client(settings(|it| it.batch_limit = 524_288));
    let entries = vec![entry(0, 200_000), entry(1, 262_144), entry(2, 100_000)];
    let request = client
        .sqs()
        .send_message_batch()
        .queue_url(QUEUE)
        .set_entries(Some(entries));
    client.send_message_batch(request).await.expect("sent");
    let requests = script.requests();
    let sent = requests.last().expect("a batch").json();
    let lengths: Vec<_> = sent["Entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|it| it["MessageBody"].as_str().map(str::len))
        .collect();
    assert_eq!(
        (requests.len(), lengths[0], lengths[2]),
        (2, Some(200_000), Some(100_000))
    );
    assert_eq!(
        sent["Entries"][1]["MessageAttributes"]["ExtendedPayloadSize"]["StringValue"],
        "262144"
    );
}

#[tokio::test]
async fn a_received_pointer_is_the_payload_and_its_handle_remembers_where() {
    let pointer = Pointer::new("theirs", "k");
    let message = |attributes: Value| {
        let body = pointer.to_body(PointerClass::default());
        json!({"MessageId": "m", "ReceiptHandle": "r-1", "Body": body, "MD5OfBody": "x", "MessageAttributes": attributes})
    };
    let (number, red) = (
        json!({"DataType": "Number", "StringValue": "7"}),
        json!({"DataType": "String", "StringValue": "red"}),
    );
    let marked = message(
        json!({"ExtendedPayloadSize": number, "SQSLargePayloadSize": number, "colour": red}),
    );
    let script =
        Script::new([&*json!({"Messages": [marked, message(json!({"colour": red}))]}).to_string()]);
    let client = script.client(settings(|_| ()));
    let request = client
        .sqs()
        .receive_message()
        .queue_url(QUEUE)
        .message_attribute_names("colour");
    let received = client.receive_message(request).await.expect("received");
    let [one, plain] = &received.messages[..] else {
        panic!("{received:?}")
    };
    assert_eq!((one.body(), one.md5_of_body()), (Some("payload"), None));
    assert_eq!(one.receipt_handle(), Some(&*embed(&pointer, "r-1")));
    assert_eq!(
        one.message_attributes()
            .expect("attributes")
            .keys()
            .collect::<Vec<_>>(),
        ["colour"]
    );
    assert_eq!(
        (plain.receipt_handle(), plain.md5_of_body()),
        (Some("r-1"), Some("x"))
    );
    let requests = script.requests();
    assert_eq!(
        requests[0].json()["MessageAttributeNames"],
        json!(["colour", "ExtendedPayloadSize", "SQSLargePayloadSize"])
    );
    assert_eq!(
        requests[1].line,
        "GET https://s3.eu-west-1.amazonaws.com/theirs/k"
    );
}

#[tokio::test]
async fn attributes_are_not_asked_for_twice() {
    for all in ["All", ".*"] {
        let script = Script::new(["{}"]);
        let client = script.client(settings(|_| ()));
        let request = client
            .sqs()
            .receive_message()
            .queue_url(QUEUE)
            .message_attribute_names(all);
        client.receive_message(request).await.expect("received");
        assert_eq!(
            script.requests()[0].json()["MessageAttributeNames"],
            json!([all])
        );
    }
}

#[tokio::test]
async fn a_message_is_deleted_and_hidden_by_sqs_own_handle_and_its_payload_only_where_that_is_set()
{
    let handle = embed(&Pointer::new("theirs", "k"), "r-1");
    for (deletes, handle, requests) in [
        (false, handle.as_str(), 1),
        (true, &handle, 2),
        (true, "r-1", 1),
    ] {
        let script = Script::new(["{}", "{}"]);
        let client = script.client(settings(|it| it.delete_payloads = deletes));
        let delete = client
            .sqs()
            .delete_message()
            .queue_url(QUEUE)
            .receipt_handle(handle);
        client.delete_message(delete).await.expect("deleted");
        let hide = client
            .sqs()
            .change_message_visibility()
            .queue_url(QUEUE)
            .receipt_handle(handle);
        client
            .change_message_visibility(hide.visibility_timeout(7))
            .await
            .expect("hidden");
        let made = script.requests();
        assert_eq!(
            (made.len(), &made[0].json()["ReceiptHandle"]),
            (requests + 1, &json!("r-1"))
        );
        let hidden = made.last().expect("a request").json();
        assert_eq!(
            (&hidden["ReceiptHandle"], &hidden["VisibilityTimeout"]),
            (&json!("r-1"), &json!(7))
        );
        if requests == 2 {
            assert_eq!(
                made[1].line,
                "DELETE https://s3.eu-west-1.amazonaws.com/theirs/k"
            );
        }
    }
}

#[tokio::test]
async fn of_a_batch_the_payloads_of_deleted_messages_go_and_no_others() {
    let handle = |key: &str| embed(&Pointer::new("theirs", key), "r-1");
    let entry = |id: &str| {
        let entry = DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle(id));
        entry.build().expect("it has what it needs")
    };
    let answer =
        r#"{"Successful":[{"Id":"a"}],"Failed":[{"Id":"b","SenderFault":true,"Code":"x"}]}"#;
    for (deletes, requests) in [(true, 2), (false, 1)] {
        let script = Script::new([answer]);
        let client = script.client(settings(|it| it.delete_payloads = deletes));
        let delete = client
            .sqs()
            .delete_message_batch()
            .queue_url(QUEUE)
            .entries(entry("a"))
            .entries(entry("b"));
        client.delete_message_batch(delete).await.expect("answered");
        let made = script.requests();
        assert_eq!(
            (made.len(), &made[0].json()["Entries"][1]["ReceiptHandle"]),
            (requests, &json!("r-1"))
        );
        assert!(
            made.len() == 1 || made[1].line.ends_with("/theirs/a"),
            "{made:?}"
        );
    }
    let script = Script::new([r#"{"Successful":[],"Failed":[]}"#]);
    let client = script.client(settings(|_| ()));
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
        .id("a")
        .receipt_handle(handle("a"))
        .visibility_timeout(7);
    let hide = client
        .sqs()
        .change_message_visibility_batch()
        .queue_url(QUEUE)
        .entries(entry.build().expect("whole"));
    client
        .change_message_visibility_batch(hide)
        .await
        .expect("answered");
    assert_eq!(
        script.requests()[0].json()["Entries"][0]["ReceiptHandle"],
        "r-1"
    );
}

#[test]
fn settings_are_those_of_the_other_libraries() {
    let Settings {
        threshold,
        batch_limit,
        always,
        delete_payloads,
        key_prefix,
        class,
        attribute,
        ..
    } = settings(|_| ());
    assert_eq!(
        (
            threshold,
            batch_limit,
            always,
            delete_payloads,
            key_prefix.as_str()
        ),
        (262_144, 1_048_576, false, false, "")
    );
    assert_eq!(
        (class, attribute),
        (
            PointerClass::PayloadS3Pointer,
            SizeAttribute::ExtendedPayloadSize
        )
    );
}
