use cloakroom_app::envelope::{PayloadRef, RequestTrace};
use cloakroom_app::ports::keys;
use cloakroom_app::testing::new_job;
use cloakroom_core::Digest;

use super::*;

fn envelope(payload: PayloadRef) -> Envelope {
    envelope_with_query("", payload)
}

fn envelope_with_query(query: &str, payload: PayloadRef) -> Envelope {
    let job = new_job(Timestamp::from_millis(7), 1);
    Envelope::new(
        &job,
        "application/json",
        query,
        payload,
        &Digest::from_content(b"{}"),
        RequestTrace::default(),
    )
}

/// Returns the payload key of the job above. A claim check with any other key is rejected.
fn key() -> String {
    keys::payload(
        &new_job(Timestamp::from_millis(7), 1).key(),
        &Digest::from_content(b"{}"),
    )
}

fn received(body: &str, attributes: &[(&str, &str)]) -> Delivery {
    let text = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let attributes = attributes.iter().map(text).collect();
    ReceivedMessage {
        body: body.to_owned(),
        attributes,
        sent_at: Some(7),
        receive_count: 1,
        ..ReceivedMessage::default()
    }
    .into_delivery()
}

#[test]
fn a_text_in_the_bucket_is_pointed_to_as_others_do_and_comes_back_as_our_envelope() {
    let written = envelope(PayloadRef::Stored(key()))
        .with_text_length(2)
        .write();
    let (body, attributes) = encode(written.clone(), Some("ours"));
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"ours","s3Key":"KEY"}]"#;
    assert_eq!(body, pointer.replace("KEY", &key()));
    let attributes = attributes.expect("attributes");
    assert_eq!(attributes["ExtendedPayloadSize"].data_type(), "Number");
    let texts = text_attributes(attributes);
    assert_eq!(texts["ExtendedPayloadSize"], "2");
    let delivery = ReceivedMessage {
        message_id: "m-1".into(),
        receipt: "r-1".into(),
        body,
        attributes: texts,
        sent_at: Some(7),
        receive_count: 4,
    }
    .into_delivery();
    let want = Delivery {
        message_id: "m-1".into(),
        receipt: "r-1".into(),
        body: written,
        receive_count: 4,
        producer_message: None,
    };
    assert_eq!(delivery, want);
}

#[test]
fn a_pointer_stands_for_an_envelope_of_up_to_16_kib() {
    for (query, is_pointer) in [(15_000, true), (16 * 1024, false)] {
        let stored = PayloadRef::Stored(key());
        let written = envelope_with_query(&"q".repeat(query), stored).with_text_length(2);
        let (_, attributes) = encode(written.write(), Some("ours"));
        assert_eq!(attributes.is_some(), is_pointer, "{query}");
    }
}

#[test]
fn bytes_in_the_bucket_and_payloads_in_the_message_are_in_no_pointer() {
    let large = PayloadRef::Text("x".repeat(MAX_CLAIM_CHECK_BYTES));
    for payload in [
        PayloadRef::Stored(key()),
        PayloadRef::Text("{}".into()),
        PayloadRef::Base64("AA==".into()),
        large,
    ] {
        let written = envelope(payload).write();
        assert_eq!(
            encode(written.clone(), Some("ours")),
            (written.clone(), None)
        );
        let delivery = received(&written, &[("colour", "red")]);
        assert_eq!((delivery.body, delivery.producer_message), (written, None));
    }
    let text = envelope(PayloadRef::Stored(key()))
        .with_text_length(2)
        .write();
    assert_eq!(
        encode(text.clone(), None),
        (text, None),
        "nor where the bucket is not said"
    );
}

#[test]
fn a_producers_message_is_told_by_its_command_and_its_payload_by_either_attribute_and_class() {
    let command = (attributes::COMMAND, "note.keep");
    let plain = received("{}", &[command])
        .producer_message
        .expect("a producer's");
    assert_eq!(
        (plain.payload, plain.sent_at),
        (PayloadLocation::Body, Some(Timestamp::from_millis(7)))
    );
    // As in the tests of the Java library, and as the Python library writes them.
    for body in [
        r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#,
        r#"["com.amazon.sqs.javamessaging.MessageS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#,
        r#"["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "b", "s3Key": "k"}]"#,
        r#"["com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName": "b", "s3Key": "k"}]"#,
    ] {
        for attribute in ["ExtendedPayloadSize", "SQSLargePayloadSize"] {
            let producer_message = received(body, &[command, (attribute, "300000")])
                .producer_message
                .expect("a producer's");
            assert_eq!(
                producer_message.payload,
                PayloadLocation::Object {
                    bucket: "b".into(),
                    key: "k".into()
                },
                "{attribute} {body}"
            );
        }
        let producer_message = received(body, &[command])
            .producer_message
            .expect("a producer's");
        assert_eq!(
            producer_message.payload,
            PayloadLocation::Body,
            "a payload that looks like a pointer"
        );
    }
    let lost = received("{}", &[command, ("ExtendedPayloadSize", "2")])
        .producer_message
        .expect("a producer's");
    assert!(matches!(lost.payload, PayloadLocation::Unknown(_)));
    assert_eq!(
        received("{}", &[("ExtendedPayloadSize", "2")]).producer_message,
        None,
        "of what is no command nothing is known"
    );
}
