//! Encoding of messages in SQS: in the body only, or in the body and attributes.
//!
//! A message whose payload is text in the bucket is sent like those of Amazon's SQS Extended Client. The body refers to
//! the payload, `ExtendedPayloadSize` marks the reference, and another attribute contains the envelope. A consumer with
//! that client gets the payload, and the worker reads the envelope. All other messages have the envelope in the body.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::MessageAttributeValue;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::envelope::Envelope;
use cloakroom_app::intake::{PayloadLocation, ProducerMessage, attributes};
use cloakroom_core::Timestamp;
use cloakroom_sqs_extended_client::{Pointer, PointerClass, SizeAttribute};

/// Attribute that contains the envelope if the body is a reference that other clients can follow.
pub const ENVELOPE: &str = "Cloakroom-Envelope";

/// Maximum size in bytes of an envelope with a claim check, whatever its names. A longer body is not parsed.
const MAX_CLAIM_CHECK_BYTES: usize = 16 * 1024;

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceivedMessage {
    /// Queue's id of the message.
    pub message_id: String,
    /// Receipt handle.
    pub receipt: String,
    /// Body of the message.
    pub body: String,
    /// Attributes that are text or numbers.
    pub attributes: BTreeMap<String, String>,
    /// Time at which it was sent, in milliseconds since 1970, if the queue reports it.
    pub sent_at: Option<i64>,
    /// Number of receipts, including this one.
    pub receive_count: u32,
}

impl ReceivedMessage {
    /// Decodes a message of Cloakroom in either form, or a message of a producer.
    pub fn into_delivery(self) -> Delivery {
        let Self {
            message_id,
            receipt,
            body,
            mut attributes,
            sent_at,
            receive_count,
        } = self;
        if let Some(body) = attributes.remove(ENVELOPE) {
            return Delivery {
                message_id,
                receipt,
                body,
                receive_count,
                producer_message: None,
            };
        }
        let producer_message = attributes.contains_key(attributes::COMMAND).then(|| {
            let payload = payload_location(&body, &attributes);
            Box::new(ProducerMessage {
                attributes,
                payload,
                sent_at: sent_at.map(Timestamp::from_millis),
            })
        });
        Delivery {
            message_id,
            receipt,
            body,
            receive_count,
            producer_message,
        }
    }
}

fn payload_location(body: &str, attributes: &BTreeMap<String, String>) -> PayloadLocation {
    if SizeAttribute::from_names(attributes.keys().map(String::as_str)).is_none() {
        return PayloadLocation::Body;
    }
    match Pointer::parse(body) {
        Ok(Pointer { bucket, key }) => PayloadLocation::Object { bucket, key },
        Err(error) => PayloadLocation::Unknown(error.to_string()),
    }
}

/// Encodes an envelope as body and attributes. `bucket` contains a payload in S3.
pub(crate) fn encode(
    body: String,
    bucket: Option<&str>,
) -> (String, Option<HashMap<String, MessageAttributeValue>>) {
    let check = bucket.filter(|_| body.len() <= MAX_CLAIM_CHECK_BYTES);
    let Some((bucket, (key, bytes))) =
        check.and_then(|bucket| Some((bucket, Envelope::claim_check(&body)?)))
    else {
        return (body, None);
    };
    let attribute = |data_type, value: String| {
        let value = MessageAttributeValue::builder()
            .data_type(data_type)
            .string_value(value)
            .build();
        value.expect("its type is set")
    };
    let pointer = Pointer::new(bucket, key).to_body(PointerClass::default());
    let size = attribute(
        cloakroom_sqs_extended_client::attributes::DATA_TYPE,
        bytes.to_string(),
    );
    let attributes = [
        (SizeAttribute::default().as_str().to_owned(), size),
        (ENVELOPE.to_owned(), attribute("String", body)),
    ];
    (pointer, Some(attributes.into()))
}

/// Returns the attributes of a message that are text or numbers.
pub(crate) fn text_attributes(
    attributes: HashMap<String, MessageAttributeValue>,
) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect()
}

#[cfg(test)]
mod tests;
