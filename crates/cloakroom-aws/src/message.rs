//! Messages as SQS carries them: in a body alone, or in a body and attributes.
//!
//! A message whose payload is text in the bucket is sent as Amazon's SQS Extended Client sends its own: the body points to the
//! payload, `ExtendedPayloadSize` says so, and our envelope is an attribute beside it. Whoever consumes the queue with that
//! client is handed the payload, and we go by the envelope. All other messages are the envelope, in the body.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::MessageAttributeValue;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::envelope::Envelope;
use cloakroom_app::intake::{PayloadLocation, ProducerMessage, attributes};
use cloakroom_core::Timestamp;
use sqs_extended_client::{Pointer, PointerClass, SizeAttribute};

/// The attribute that our envelope goes in, where the body is a pointer for others to follow.
pub const ENVELOPE: &str = "Cloakroom-Envelope";

/// An envelope with a claim check is smaller, whatever its names: others need not be looked into.
const LARGEST_WITH_A_CLAIM_CHECK: usize = 16 * 1024;

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// The queue's id of it.
    pub message_id: String,
    /// What the receipt is answered by.
    pub receipt: String,
    /// Its body.
    pub body: String,
    /// Its attributes that are text or numbers.
    pub attributes: BTreeMap<String, String>,
    /// When it was sent, in milliseconds since 1970, if the queue says so.
    pub sent_at: Option<i64>,
    /// How often it was received, this time counted.
    pub receive_count: u32,
}

impl Received {
    /// What it is: ours, however it was carried; or a producer's.
    pub fn delivery(self) -> Delivery {
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
            let payload = place(&body, &attributes);
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

fn place(body: &str, attributes: &BTreeMap<String, String>) -> PayloadLocation {
    if SizeAttribute::of(attributes.keys().map(String::as_str)).is_none() {
        return PayloadLocation::Body;
    }
    match Pointer::parse(body) {
        Ok(Pointer { bucket, key }) => PayloadLocation::Object { bucket, key },
        Err(error) => PayloadLocation::Unknown(error.to_string()),
    }
}

/// Body and attributes of a message of ours, whose payload is in this bucket if it is in one.
pub(crate) fn carried(
    body: String,
    bucket: Option<&str>,
) -> (String, Option<HashMap<String, MessageAttributeValue>>) {
    let check = bucket.filter(|_| body.len() <= LARGEST_WITH_A_CLAIM_CHECK);
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
        sqs_extended_client::attributes::DATA_TYPE,
        bytes.to_string(),
    );
    let attributes = [
        (SizeAttribute::default().as_str().to_owned(), size),
        (ENVELOPE.to_owned(), attribute("String", body)),
    ];
    (pointer, Some(attributes.into()))
}

/// The attributes of a message that are text or numbers.
pub(crate) fn texts(
    attributes: HashMap<String, MessageAttributeValue>,
) -> BTreeMap<String, String> {
    attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect()
}

#[cfg(test)]
mod tests;
