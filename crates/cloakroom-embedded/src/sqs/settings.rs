//! Settings of a queue: the attributes of `CreateQueue` and `SetQueueAttributes`.
//!
//! They are stored as AWS sends them, as a map of strings, so that they are read back unchanged.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::Value;

use super::error::{Kind, SqsError};
use super::protocol::arn_to_name;

pub(super) type AttributeMap = BTreeMap<String, String>;

/// Maximum size of a message with its attributes, and of a whole batch: 1 MiB.
pub(super) const MAX_MESSAGE_BYTES: u32 = 1 << 20;

/// Maximum time for which a message may be hidden: 12 hours.
pub(super) const MAX_VISIBILITY_S: i64 = 43_200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) visibility_timeout_s: i64,
    pub(super) delay_s: i64,
    pub(super) retention_s: i64,
    pub(super) max_message_bytes: usize,
    pub(super) receive_wait_s: i64,
    pub(super) redrive: Option<Redrive>,
}

/// Redrive policy of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redrive {
    /// Name of the dead-letter queue.
    pub(super) queue: String,
    pub(super) max_receive_count: i64,
}

/// Numeric attributes: name, default and limits.
const NUMBERS: [(&str, i64, RangeInclusive<i64>); 5] = [
    ("VisibilityTimeout", 30, 0..=MAX_VISIBILITY_S),
    ("DelaySeconds", 0, 0..=900),
    ("MessageRetentionPeriod", 345_600, 60..=1_209_600),
    (
        "MaximumMessageSize",
        MAX_MESSAGE_BYTES as i64,
        1024..=MAX_MESSAGE_BYTES as i64,
    ),
    ("ReceiveMessageWaitTimeSeconds", 0, 0..=20),
];

/// Attributes that are stored and returned, but have no effect.
const WITHOUT_EFFECT: [&str; 5] = [
    "Policy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedriveAllowPolicy",
];

impl Settings {
    /// Parses stored attributes, or validates new ones.
    pub(super) fn read(attributes: &AttributeMap) -> Result<Self, SqsError> {
        for name in attributes.keys() {
            check_name(name)?;
        }
        let number = |which: usize| {
            let (name, default, limits) = &NUMBERS[which];
            match attributes.get(*name) {
                None => Ok(*default),
                Some(text) => text
                    .parse()
                    .ok()
                    .filter(|value| limits.contains(value))
                    .ok_or_else(|| invalid(name)),
            }
        };
        Ok(Self {
            visibility_timeout_s: number(0)?,
            delay_s: number(1)?,
            retention_s: number(2)?,
            max_message_bytes: usize::try_from(number(3)?).map_err(SqsError::internal)?,
            receive_wait_s: number(4)?,
            redrive: match attributes.get("RedrivePolicy").map(String::as_str) {
                None | Some("") => None,
                Some(text) => Some(Redrive::read(text)?),
            },
        })
    }
}

impl Redrive {
    fn read(text: &str) -> Result<Self, SqsError> {
        /// The count is a number or a text.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Policy {
            dead_letter_target_arn: String,
            max_receive_count: Value,
        }
        let policy: Policy = serde_json::from_str(text).map_err(|_| invalid("RedrivePolicy"))?;
        let count = match &policy.max_receive_count {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        Ok(Self {
            queue: arn_to_name(&policy.dead_letter_target_arn)
                .ok_or_else(|| invalid("RedrivePolicy"))?
                .to_owned(),
            max_receive_count: count
                .filter(|count| (1..=1000).contains(count))
                .ok_or_else(|| invalid("RedrivePolicy"))?,
        })
    }
}

/// Adds the defaults of missing attributes.
pub(super) fn with_defaults(mut attributes: AttributeMap) -> AttributeMap {
    for (name, default, _) in &NUMBERS {
        attributes
            .entry((*name).to_owned())
            .or_insert_with(|| default.to_string());
    }
    attributes
}

/// Returns true if a repeated `CreateQueue` requests the existing attributes.
pub(super) fn is_same_as_stored(asked: &AttributeMap, stored: &AttributeMap) -> bool {
    let stored = with_defaults(stored.clone());
    asked.iter().all(|(name, value)| {
        let same_policy = || {
            let parsed = |text: &str| Redrive::read(text).ok();
            name == "RedrivePolicy"
                && stored
                    .get(name)
                    .is_some_and(|stored| parsed(stored) == parsed(value))
        };
        stored.get(name) == Some(value) || same_policy()
    })
}

fn check_name(name: &str) -> Result<(), SqsError> {
    if name == "FifoQueue" || name == "ContentBasedDeduplication" {
        return Err(standard_only());
    }
    let known = NUMBERS.iter().any(|(number, _, _)| *number == name)
        || name == "RedrivePolicy"
        || WITHOUT_EFFECT.contains(&name);
    if known {
        Ok(())
    } else {
        let message = format!("Unknown Attribute {name}.");
        Err(SqsError::new(Kind::InvalidAttributeName, message))
    }
}

pub(super) fn standard_only() -> SqsError {
    SqsError::new(
        Kind::UnsupportedOperation,
        "This embedded SQS serves standard queues only, not FIFO queues.",
    )
}

pub(super) fn invalid(attribute: &str) -> SqsError {
    SqsError::new(
        Kind::InvalidAttributeValue,
        format!("Invalid value for the parameter {attribute}."),
    )
}
