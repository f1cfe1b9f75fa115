//! Reads an item attribute by attribute. An error names an attribute of the wrong type.
//!
//! Written by hand. For a record, `serde_dynamo` 4.3 needs 43 % (new job) to 53 % (all attributes) more instructions,
//! and as much code. Its errors name no attribute without `serde_path_to_error`, and it panics for unknown attribute
//! types.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_core::{
    Digest, Failure, Isolation, Lease, Progress, Resource, ResultRef, Status, Step, Success,
    Timestamp,
};
use serde::de::DeserializeOwned;

use super::attributes::{Item, name, rounded};
use super::error::CorruptRecord;

/// Attributes of an item, checked for the expected type.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a Item);

type Read<T> = Result<T, CorruptRecord>;

impl<'a> Reader<'a> {
    fn has(self, name: &'static str) -> bool {
        self.0.contains_key(name)
    }

    /// Reads an attribute that may be absent.
    pub(super) fn optional<T>(
        self,
        name: &'static str,
        read: impl FnOnce(Self, &'static str) -> Read<T>,
    ) -> Read<Option<T>> {
        self.has(name).then(|| read(self, name)).transpose()
    }

    fn value(self, name: &'static str) -> Read<&'a AttributeValue> {
        self.0.get(name).ok_or(CorruptRecord::Missing(name))
    }

    fn text(self, name: &'static str) -> Read<&'a str> {
        self.value(name)?
            .as_s()
            .map(String::as_str)
            .map_err(|_| CorruptRecord::Invalid(name, "a string".into()))
    }

    pub(super) fn string(self, name: &'static str) -> Read<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(self, name: &'static str) -> Read<T> {
        self.text(name)?
            .parse()
            .map_err(|rule: T::Err| CorruptRecord::Invalid(name, format!("as it must be: {rule}")))
    }

    pub(super) fn number<T: FromStr>(self, name: &'static str) -> Read<T> {
        let number = self
            .value(name)?
            .as_n()
            .ok()
            .and_then(|text| text.parse().ok());
        number.ok_or_else(|| {
            CorruptRecord::Invalid(name, format!("a number ({})", std::any::type_name::<T>()))
        })
    }

    fn boolean(self, name: &'static str) -> Read<bool> {
        self.value(name)?
            .as_bool()
            .copied()
            .map_err(|_| CorruptRecord::Invalid(name, "true or false".into()))
    }

    pub(super) fn time(self, name: &'static str) -> Read<Timestamp> {
        self.number(name).map(Timestamp::from_millis)
    }

    fn bytes(self, name: &'static str) -> Read<&'a [u8]> {
        self.value(name)?
            .as_b()
            .map(AsRef::as_ref)
            .map_err(|_| CorruptRecord::Invalid(name, "binary".into()))
    }

    pub(super) fn digest(self, name: &'static str) -> Read<Digest> {
        let bytes = self
            .bytes(name)?
            .try_into()
            .map_err(|_| CorruptRecord::Invalid(name, "32 bytes".into()))?;
        Ok(Digest::from_bytes(bytes))
    }

    pub(super) fn status(self) -> Read<Status> {
        let word = self.text(name::STATUS)?;
        let known = Status::ALL
            .into_iter()
            .find(|status| status.as_str() == word);
        known.ok_or_else(|| CorruptRecord::Invalid(name::STATUS, "a known status".into()))
    }

    pub(super) fn lease(self) -> Read<Option<Lease>> {
        if !self.has(name::LEASE_TOKEN) && !self.has(name::LEASE_MESSAGE) {
            return Ok(None);
        }
        Ok(Some(Lease {
            token: self.parsed(name::LEASE_TOKEN)?,
            message_id: self.string(name::LEASE_MESSAGE)?,
            ends_at: self.optional(name::LEASE_ENDS_AT, Self::time)?,
            isolation: match self.optional(name::LEASE_ALONE, Self::boolean)? {
                Some(true) => Isolation::Alone,
                // Records of earlier versions don't have it.
                Some(false) | None => Isolation::Shared,
            },
        }))
    }

    pub(super) fn progress(self) -> Read<Option<Progress>> {
        let Some(percent) = self.optional(name::PROGRESS, Self::number)? else {
            return Ok(None);
        };
        Ok(Some(Progress::new(
            rounded(percent),
            self.optional(name::PROGRESS_MESSAGE, Self::string)?,
        )))
    }

    pub(super) fn success(self, kind: &'static str) -> Read<Success> {
        let result = match self.text(kind)? {
            "none" => None,
            "inline" => Some(ResultRef::Inline {
                content_type: self.string(name::RESULT_TYPE)?,
                bytes: self.bytes(name::RESULT_BYTES)?.to_vec(),
            }),
            "stored" => Some(ResultRef::Stored {
                content_type: self.string(name::RESULT_TYPE)?,
                key: self.string(name::RESULT_KEY)?,
                length: self.number(name::RESULT_LENGTH)?,
                sha256: self.digest(name::RESULT_SHA256)?,
                retention: self
                    .optional(name::RESULT_SECONDS, Self::number)?
                    .map(Duration::from_secs),
            }),
            _ => {
                return Err(CorruptRecord::Invalid(
                    kind,
                    "one of none, inline, stored".into(),
                ));
            }
        };
        Ok(Success {
            result,
            resource: self.optional(name::RESOURCE, Reader::resource)?,
            published: self
                .optional(name::PUBLISHED, Reader::json)?
                .unwrap_or_default(),
        })
    }

    pub(super) fn json<T: DeserializeOwned>(self, name: &'static str) -> Read<T> {
        serde_json::from_str(self.text(name)?)
            .map_err(|error| CorruptRecord::Invalid(name, format!("valid JSON: {error}")))
    }

    fn resource(self, name: &'static str) -> Read<Resource> {
        Resource::parse(self.text(name)?)
            .map_err(|rule| CorruptRecord::Invalid(name, format!("as it must be: {rule}")))
    }

    pub(super) fn failure(self, code: &'static str) -> Read<Failure> {
        let (status, word): (u16, _) = (self.number(name::FAILURE_STATUS)?, self.text(code)?);
        let failure = Failure::new(self.text(name::FAILURE_DETAIL)?)
            .with_code(word)
            .with_status(status);
        // Polls return this status. Earlier versions accepted every 4xx; a status that is no longer allowed is read as
        // 400.
        if !(400..=499).contains(&status) {
            return Err(CorruptRecord::Invalid(
                name::FAILURE_STATUS,
                "400 to 499".into(),
            ));
        }
        if failure.code != word {
            return Err(CorruptRecord::Invalid(
                code,
                "a kebab-case word of at most 64 characters".into(),
            ));
        }
        Ok(failure)
    }

    /// Reads steps. Ignores unknown steps of later versions.
    pub(super) fn steps(self, name: &'static str) -> Read<Vec<Step>> {
        let steps = self
            .value(name)?
            .as_l()
            .map_err(|_| CorruptRecord::Invalid(name, "a list".into()))?;
        let step = |step: &AttributeValue| step.as_s().ok().and_then(|text| text.parse().ok());
        Ok(steps.iter().filter_map(step).collect())
    }
}
