//! Attributes of a message: their digest, their size, and their validation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::error::{Kind, SqsError};

/// Attributes sorted by name, as the digest requires.
pub(super) type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// Attribute as in requests and in the store. Binary values remain in Base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageAttribute {
    pub(super) data_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) string_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) binary_value: Option<String>,
}

/// Returns the bytes of the value, and the byte that identifies their type in the digest.
fn value(attribute: &MessageAttribute) -> Option<(u8, Vec<u8>)> {
    let kind = attribute.data_type.split('.').next();
    match (kind, &attribute.string_value, &attribute.binary_value) {
        (Some("String" | "Number"), Some(text), None) => Some((1, text.clone().into_bytes())),
        (Some("Binary"), None, Some(base64)) => {
            BASE64_STANDARD.decode(base64).ok().map(|bytes| (2, bytes))
        }
        _ => None,
    }
}

/// Returns the MD5 as hexadecimal text.
pub(super) fn md5_of(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// Returns the MD5 of the attributes. `None` without attributes.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation>
pub(super) fn md5_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    for (name, attribute) in attributes {
        let (mark, bytes) = value(attribute)?;
        add_part(&mut digest, name.as_bytes());
        add_part(&mut digest, attribute.data_type.as_bytes());
        digest.update([mark]);
        add_part(&mut digest, &bytes);
    }
    Some(hex(&digest.finalize()))
}

fn add_part(digest: &mut Md5, bytes: &[u8]) {
    // At most 1 MiB, because the size was checked.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the size that counts towards the message's limit: names, types and values.
pub(super) fn size_bytes(attributes: &MessageAttributes) -> usize {
    let one = |(name, attribute): (&String, &MessageAttribute)| {
        let value = value(attribute).map_or(0, |(_, bytes)| bytes.len());
        name.len() + attribute.data_type.len() + value
    };
    attributes.iter().map(one).sum()
}

/// Rejects attributes that SQS rejects.
pub(super) fn check(attributes: &MessageAttributes) -> Result<(), SqsError> {
    if attributes.len() > 10 {
        return Err(SqsError::invalid(
            "Number of message attributes [11 or more] exceeds the allowed maximum [10].",
        ));
    }
    for (name, attribute) in attributes {
        let lower = name.to_ascii_lowercase();
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name_is_legal = (1..=256).contains(&name.len())
            && name.chars().all(legal)
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..")
            && !lower.starts_with("aws.")
            && !lower.starts_with("amazon.");
        if !name_is_legal {
            return Err(SqsError::invalid(format!(
                "The message attribute name '{name}' is invalid."
            )));
        }
        let Some((_, bytes)) = value(attribute) else {
            return Err(SqsError::invalid(format!(
                "The type and the value of the message attribute '{name}' do not agree."
            )));
        };
        if bytes.is_empty() {
            return Err(SqsError::invalid(format!(
                "Message attribute '{name}' must contain a non-empty value."
            )));
        }
        if let Some(text) = &attribute.string_value {
            check_characters(text)?;
        }
    }
    Ok(())
}

/// Rejects characters outside of XML 1.0, section 2.2, like SQS.
pub(super) fn check_characters(text: &str) -> Result<(), SqsError> {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    if text.chars().all(legal) {
        Ok(())
    } else {
        Err(SqsError::new(
            Kind::InvalidMessageContents,
            "Invalid characters found in the message. Allowed are #x9, #xA, #xD, #x20 to #xD7FF, \
             #xE000 to #xFFFD and #x10000 to #x10FFFF.",
        ))
    }
}

/// Selects attributes by name, by `prefix.*`, or all of them by `All` or `.*`.
pub(super) fn select(attributes: &MessageAttributes, names: &[String]) -> MessageAttributes {
    let asked = |name: &str| {
        names.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => prefix.is_empty() || name.starts_with(prefix),
            None => wanted == "All" || wanted == name,
        })
    };
    attributes
        .iter()
        .filter(|(name, _)| asked(name))
        .map(|(name, attribute)| (name.clone(), attribute.clone()))
        .collect()
}
