//! Sending, receiving, deleting and hiding messages.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue,
};

use crate::harness::in_memory;

#[tokio::test]
async fn a_message_is_received_with_its_digest_and_gone_once_deleted() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    let sent = sqs
        .send_message()
        .queue_url(&queue)
        .message_body("hello")
        .send()
        .await
        .expect("sent");
    assert_eq!(
        sent.md5_of_message_body(),
        Some("5d41402abc4b2a76b9719d911017c592")
    );

    let received = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    let message = &received.messages()[0];
    assert_eq!(message.body(), Some("hello"));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(message.attributes(), None);

    let hidden = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(hidden.messages(), []);

    sqs.delete_message()
        .queue_url(&queue)
        .receipt_handle(message.receipt_handle().expect("a handle"))
        .send()
        .await
        .expect("deleted");
    running.time.pass_s(60);
    let gone = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(gone.messages(), []);
}

fn text(kind: &str, value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type(kind)
        .string_value(value)
        .build()
        .expect("complete")
}

#[tokio::test]
async fn attributes_are_digested_and_given_back_as_asked_for() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    let binary = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new(*b"\x00\xff"))
        .build()
        .expect("complete");
    let sent = sqs
        .send_message()
        .queue_url(&queue)
        .message_body("x")
        .message_attributes("trace.id", text("String", "abc"))
        .message_attributes("trace.depth", text("Number", "7"))
        .message_attributes("raw", binary)
        .send()
        .await
        .expect("sent");
    // Computed independently, by the rule in the developer guide.
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("cbf8e2848cf1712689ef1137173785a4")
    );

    let receive = |names: &'static [&'static str]| {
        let mut request = sqs
            .receive_message()
            .queue_url(&queue)
            .visibility_timeout(0);
        for name in names {
            request = request.message_attribute_names(*name);
        }
        async move {
            let received = request.send().await.expect("received");
            let message = &received.messages()[0];
            let mut names: Vec<String> = message
                .message_attributes()
                .map(|attributes| attributes.keys().cloned().collect())
                .unwrap_or_default();
            names.sort();
            (
                names.join(" "),
                message.md5_of_message_attributes().map(str::to_owned),
            )
        }
    };
    assert_eq!(receive(&[]).await, (String::new(), None));
    let all = (
        "raw trace.depth trace.id".to_owned(),
        sent.md5_of_message_attributes,
    );
    assert_eq!(receive(&["All"]).await, all);
    assert_eq!(receive(&[".*"]).await, all);
    assert_eq!(receive(&["trace.*"]).await.0, "trace.depth trace.id");
    assert_eq!(receive(&["raw", "other"]).await.0, "raw");
}

#[tokio::test]
async fn system_attributes_tell_a_messages_story() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    let trace = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value("Root=1-5759e988-bd862e3fe1be46a994272793")
        .build()
        .expect("complete");
    sqs.send_message()
        .queue_url(&queue)
        .message_body("x")
        .message_group_id("tenant-1")
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace)
        .send()
        .await
        .expect("sent");
    let receive = || async {
        let received = sqs
            .receive_message()
            .queue_url(&queue)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .expect("received");
        received.messages()[0]
            .attributes()
            .expect("asked for")
            .clone()
    };
    running.time.pass_s(5);
    let first = receive().await;
    running.time.pass_s(31);
    let second = receive().await;

    let (sent, seen) = ("1800000000000", "1800000005000");
    for (name, in_first, in_second) in [
        (MessageSystemAttributeName::SentTimestamp, sent, sent),
        (
            MessageSystemAttributeName::ApproximateFirstReceiveTimestamp,
            seen,
            seen,
        ),
        (
            MessageSystemAttributeName::ApproximateReceiveCount,
            "1",
            "2",
        ),
        (
            MessageSystemAttributeName::MessageGroupId,
            "tenant-1",
            "tenant-1",
        ),
        (
            MessageSystemAttributeName::SenderId,
            "000000000000",
            "000000000000",
        ),
        (
            MessageSystemAttributeName::AwsTraceHeader,
            "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a994272793",
        ),
    ] {
        assert_eq!(first[&name], in_first, "{name}");
        assert_eq!(second[&name], in_second, "{name}");
    }
    assert_eq!(first.len(), 6, "and nothing else: {first:?}");
}

#[tokio::test]
async fn visibility_is_changed_while_in_flight_and_not_after() {
    let running = in_memory().await;
    let (sqs, queue) = (
        running.sqs(),
        running.queue("jobs", &[("VisibilityTimeout", "10")]).await,
    );
    sqs.send_message()
        .queue_url(&queue)
        .message_body("x")
        .send()
        .await
        .expect("sent");
    let received = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    let handle = received.messages()[0].receipt_handle().expect("a handle");
    let change = |seconds| {
        sqs.change_message_visibility()
            .queue_url(&queue)
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .send()
    };
    running.time.pass_s(8);
    change(10).await.expect("still in flight");
    running.time.pass_s(8);
    let none = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(none.messages(), []);

    let too_long = change(43_201)
        .await
        .expect_err("12 hours are the limit")
        .into_service_error();
    assert_eq!(too_long.code(), Some("InvalidParameterValue"));
    let too_long = change(43_200)
        .await
        .expect_err("counted from the receive")
        .into_service_error();
    assert_eq!(too_long.code(), Some("InvalidParameterValue"));

    change(0).await.expect("let go");
    let again = change(10)
        .await
        .expect_err("no longer in flight")
        .into_service_error();
    assert!(again.is_message_not_inflight(), "{again:?}");
    let back = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(back.messages().len(), 1);

    let stale = change(10)
        .await
        .expect_err("received by another since")
        .into_service_error();
    assert_eq!(stale.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn only_the_latest_receipt_deletes() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    sqs.send_message()
        .queue_url(&queue)
        .message_body("x")
        .send()
        .await
        .expect("sent");
    let receive = || async {
        let received = sqs
            .receive_message()
            .queue_url(&queue)
            .send()
            .await
            .expect("received");
        received
            .messages()
            .first()
            .and_then(|message| message.receipt_handle.clone())
    };
    let delete = |handle: String| {
        sqs.delete_message()
            .queue_url(&queue)
            .receipt_handle(handle)
            .send()
    };
    let old = receive().await.expect("a message");
    running.time.pass_s(31);
    let new = receive().await.expect("the message again");
    delete(old).await.expect("accepted, as AWS does");
    running.time.pass_s(31);
    assert!(receive().await.is_some(), "the old receipt deleted nothing");

    running.time.pass_s(31);
    let latest = receive().await.expect("a message");
    running.time.pass_s(31);
    delete(latest.clone())
        .await
        .expect("also when its visibility is over");
    delete(latest).await.expect("and again");
    assert!(receive().await.is_none());

    let wrong = delete("nonsense".into())
        .await
        .expect_err("no receipt")
        .into_service_error();
    assert!(wrong.is_receipt_handle_is_invalid(), "{wrong:?}");
    delete(new).await.expect("gone is gone");
}

#[tokio::test]
async fn a_delayed_message_shows_when_its_delay_is_over() {
    let running = in_memory().await;
    let (sqs, queue) = (
        running.sqs(),
        running.queue("jobs", &[("DelaySeconds", "5")]).await,
    );
    let receive = || async {
        let received = sqs
            .receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10)
            .send()
            .await
            .expect("received");
        received
            .messages()
            .iter()
            .filter_map(|m| m.body.clone())
            .collect::<Vec<_>>()
    };
    let send = |body: &str| sqs.send_message().queue_url(&queue).message_body(body);
    send("by the queue").send().await.expect("sent");
    send("by itself")
        .delay_seconds(900)
        .send()
        .await
        .expect("sent");
    send("at once").delay_seconds(0).send().await.expect("sent");
    assert_eq!(receive().await, ["at once"]);
    running.time.pass_s(5);
    assert_eq!(receive().await, ["by the queue"]);
    running.time.pass_s(895);
    assert!(receive().await.contains(&"by itself".to_owned()));
    let error = send("x")
        .delay_seconds(901)
        .send()
        .await
        .expect_err("too long");
    assert_eq!(
        error.into_service_error().code(),
        Some("InvalidParameterValue")
    );
}

#[tokio::test]
async fn a_message_may_have_a_mebibyte_with_its_attributes() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    let send = |bytes: usize| {
        sqs.send_message()
            .queue_url(&queue)
            // Two bytes per character: the limit counts bytes.
            .message_body("é".repeat(bytes / 2))
            .message_attributes("name", text("String", "1234567890"))
            .send()
    };
    let attribute = "name".len() + "String".len() + 10;
    send((1 << 20) - attribute).await.expect("just fits");
    let error = send((1 << 20) - attribute + 2)
        .await
        .expect_err("too large");
    assert_eq!(
        error.into_service_error().code(),
        Some("InvalidParameterValue")
    );
    let received = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(
        received.messages()[0].body().map(str::len),
        Some((1 << 20) - attribute)
    );
}

#[tokio::test]
async fn what_xml_cannot_carry_is_refused() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    let send = |body: &str| {
        sqs.send_message()
            .queue_url(&queue)
            .message_body(body)
            .send()
    };
    send("tab\t, line\r\n, é, 漢, 🎩, \u{FFFD}")
        .await
        .expect("legal");
    for illegal in ["a\0b", "\u{8}", "\u{B}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
        let error = send(illegal)
            .await
            .expect_err("illegal")
            .into_service_error();
        assert!(
            error.is_invalid_message_contents(),
            "{illegal:?}: {error:?}"
        );
    }
    let empty = send("").await.expect_err("empty").into_service_error();
    assert_eq!(empty.code(), Some("MissingParameter"));
}

#[tokio::test]
async fn a_message_older_than_its_retention_is_gone() {
    let running = in_memory().await;
    let (sqs, queue) = (
        running.sqs(),
        running
            .queue("jobs", &[("MessageRetentionPeriod", "60")])
            .await,
    );
    sqs.send_message()
        .queue_url(&queue)
        .message_body("x")
        .send()
        .await
        .expect("sent");
    running.time.pass_s(59);
    let received = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(received.messages().len(), 1);
    running.time.pass_s(31);
    let received = sqs
        .receive_message()
        .queue_url(&queue)
        .send()
        .await
        .expect("received");
    assert_eq!(received.messages(), []);
}

#[tokio::test]
async fn messages_come_in_the_order_sent_ten_at_most() {
    let running = in_memory().await;
    let (sqs, queue) = (running.sqs(), running.queue("jobs", &[]).await);
    for n in 0..12 {
        sqs.send_message()
            .queue_url(&queue)
            .message_body(n.to_string())
            .send()
            .await
            .expect("sent");
    }
    let receive = |max| {
        sqs.receive_message()
            .queue_url(&queue)
            .max_number_of_messages(max)
            .send()
    };
    let bodies: Vec<_> = receive(10)
        .await
        .expect("received")
        .messages()
        .iter()
        .filter_map(|message| message.body.clone())
        .collect();
    assert_eq!(bodies, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!(receive(10).await.expect("received").messages().len(), 2);
    for max in [0, 11] {
        let error = receive(max)
            .await
            .expect_err("out of range")
            .into_service_error();
        assert_eq!(error.code(), Some("InvalidParameterValue"));
    }
}
