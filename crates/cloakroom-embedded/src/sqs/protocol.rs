//! Types of requests and responses, and formats of queue URLs and receipt handles.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attributes::MessageAttributes;
use super::error::{Kind, SqsError};
use crate::account::{ACCOUNT, REGION};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEntry {
    /// Only in batches.
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) message_body: String,
    pub(super) delay_seconds: Option<i64>,
    #[serde(default)]
    pub(super) message_attributes: MessageAttributes,
    #[serde(default)]
    pub(super) message_system_attributes: MessageAttributes,
    pub(super) message_group_id: Option<String>,
    pub(super) message_deduplication_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiptEntry {
    /// Only in batches.
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) receipt_handle: String,
    /// Only for a change of the visibility.
    pub(super) visibility_timeout: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveInput {
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Sent {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) id: String,
    pub(super) message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    pub(super) md5_of_body: String,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) md5_of_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) md5_of_system_attributes: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceivedMessage {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    pub(super) md5_of_body: String,
    pub(super) body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: BTreeMap<&'static str, String>,
    #[serde(
        rename = "MD5OfMessageAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) md5_of_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) message_attributes: MessageAttributes,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Failed {
    pub(super) id: String,
    pub(super) sender_fault: bool,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Failed {
    pub(super) fn new(id: String, error: SqsError) -> Self {
        Self {
            id,
            sender_fault: error.kind.sender_fault(),
            code: error.kind.code(),
            message: error.message,
        }
    }
}

/// Parses the body of a request.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body)
        .map_err(|error| SqsError::new(Kind::MalformedInput, error.to_string()))
}

/// Parses the queue's name from the last segment of a request's `QueueUrl`. Host and account are ignored, so that URLs
/// remain valid after a restart with another port.
pub(super) fn queue_name(body: &[u8]) -> Result<String, SqsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(default)]
        queue_url: String,
    }
    let url = parse::<Input>(body)?.queue_url;
    match url.rsplit('/').next() {
        None | Some("") => Err(SqsError::missing("QueueUrl")),
        Some(name) => Ok(name.to_owned()),
    }
}

/// Rejects a number outside of its limits.
pub(super) fn check_range(
    value: i64,
    limits: RangeInclusive<i64>,
    parameter: &str,
) -> Result<i64, SqsError> {
    if limits.contains(&value) {
        Ok(value)
    } else {
        Err(SqsError::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: Must be between {} and {}, \
             if provided.",
            limits.start(),
            limits.end()
        )))
    }
}

pub(super) fn name_to_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

pub(super) fn arn_to_name(arn: &str) -> Option<&str> {
    let mut parts = arn.strip_prefix("arn:aws:sqs:")?.splitn(3, ':');
    let (_region, _account) = (parts.next()?, parts.next()?);
    parts.next().filter(|name| !name.is_empty())
}

/// A receipt of a message. Names of queues contain no dots, so the three parts are unambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) message_id: String,
    /// New for every receipt; the store retains the latest one.
    pub(super) token: String,
}

impl Receipt {
    /// Encodes the handle in Base64 like SQS, because clients rely on handles without hyphens.
    pub(super) fn handle(&self, queue: &str) -> String {
        BASE64.encode(format!("{queue}.{}.{}", self.message_id, self.token))
    }

    pub(super) fn parse(handle: &str, queue: &str) -> Result<Self, SqsError> {
        if handle.is_empty() {
            return Err(SqsError::missing("ReceiptHandle"));
        }
        let handle = BASE64
            .decode(handle)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        let mut parts = handle.splitn(3, '.');
        let of_this_queue = parts.next() == Some(queue);
        let mut uuid = || parts.next().filter(|text| Uuid::try_parse(text).is_ok());
        match (of_this_queue, uuid(), uuid()) {
            (true, Some(message_id), Some(token)) => Ok(Self {
                message_id: message_id.to_owned(),
                token: token.to_owned(),
            }),
            _ => Err(SqsError::new(
                Kind::ReceiptHandleIsInvalid,
                "The input receipt handle is invalid.",
            )),
        }
    }
}
