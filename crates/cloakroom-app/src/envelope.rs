//! Content of a message: the command, with its payload or a claim check.
//!
//! This is a boundary: new code reads messages that older code wrote. Unknown members are ignored. A message has
//! version 1. It has version 2 if its digest is not that of the payload's bytes, because older code would assume that
//! it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use cloakroom_core::{CommandType, Digest, Job, JobId, JobKey, LeaseToken, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use crate::body::Expected;
use crate::ports::{json_body, keys};

const VERSION: u32 = 1;

/// Version of a message with a `length`.
const VERSION_OF_LENGTH: u32 = 2;

/// A message that contains one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    v: u32,
    tenant: Tenant,
    job: JobId,
    /// Incarnation of the job's id: the time of acceptance, in milliseconds.
    accepted_at: i64,
    /// Earliest start in milliseconds, if the job must not start at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready_at: Option<i64>,
    /// Type of the command.
    #[serde(rename = "type")]
    pub command: CommandType,
    /// Media type of the payload.
    pub content_type: String,
    /// Query string, as sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub query: String,
    /// Payload, or a reference to it.
    pub payload: PayloadRef,
    /// Digest of the payload. For a stored payload with an unknown digest, it is a digest that identifies this state of
    /// the object.
    #[serde(with = "hex")]
    sha256: Digest,
    /// Length of a stored payload whose digest is unknown, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
    /// Length in bytes of a stored payload that is UTF-8 text, and may be shown to others as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text_bytes: Option<u64>,
    /// Length in bytes of any other stored payload. Messages of earlier versions don't have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Lease of an attempt whose start or end could not be recorded, because the table was unavailable. No worker runs
    /// that attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unrecorded: Option<LeaseToken>,
    /// W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// W3C `tracestate` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// Id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Trace header that is sent as an attribute of the message, not in its body.
    #[serde(skip)]
    pub xray: Option<String>,
}

/// Payload in a message, or a reference to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadRef {
    /// Text in the message.
    Text(String),
    /// Base64 in the message, for bytes that are not valid in a message.
    Base64(String),
    /// Key of an object in object storage: the claim check.
    Stored(String),
}

/// Error of reading an invalid message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the message: {0}")]
pub struct UnreadableMessage(String);

/// Trace and id of the request that submits a command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestTrace {
    /// W3C trace context of the request: its well-formed `traceparent`.
    pub traceparent: Option<String>,
    /// `tracestate` of the request.
    pub tracestate: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// X-Ray header of the request, if it is well-formed.
    pub xray: Option<String>,
}

impl Envelope {
    /// Creates the message of a job that has just been accepted.
    pub fn new(
        job: &Job,
        content_type: &str,
        query: &str,
        payload: PayloadRef,
        sha256: &Digest,
        trace: RequestTrace,
    ) -> Self {
        Self {
            v: VERSION,
            tenant: job.tenant.clone(),
            job: job.id,
            accepted_at: job.created_at.as_millis(),
            ready_at: ready_at(job),
            command: job.command.clone(),
            content_type: content_type.to_owned(),
            query: query.to_owned(),
            payload,
            sha256: *sha256,
            length: None,
            text_bytes: None,
            bytes: None,
            unrecorded: None,
            traceparent: trace.traceparent,
            tracestate: trace.tracestate,
            request_id: trace.request_id,
            xray: trace.xray,
        }
    }

    /// Adds the length in bytes of a stored payload that is UTF-8 text.
    #[must_use]
    pub fn with_text_length(mut self, bytes: u64) -> Self {
        self.text_bytes = Some(bytes);
        self
    }

    /// Adds the length in bytes of a stored payload whose digest is not known.
    #[must_use]
    pub fn with_unverified_length(mut self, bytes: u64) -> Self {
        self.v = VERSION_OF_LENGTH;
        self.length = Some(bytes);
        self
    }

    /// Adds the length of a stored payload, in bytes.
    #[must_use]
    pub fn with_length(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Returns the claim check in the body of a message, if the payload is text: its key, and its length in bytes of
    /// UTF-8.
    pub fn claim_check(body: &str) -> Option<(String, u64)> {
        let envelope = Self::read(body).ok()?;
        match (envelope.payload, envelope.text_bytes) {
            (PayloadRef::Stored(key), Some(bytes)) => Some((key, bytes)),
            (PayloadRef::Stored(_) | PayloadRef::Text(_) | PayloadRef::Base64(_), _) => None,
        }
    }

    /// Parses the body of a message.
    pub fn read(body: &str) -> Result<Self, UnreadableMessage> {
        let envelope: Self =
            serde_json::from_str(body).map_err(|error| UnreadableMessage(error.to_string()))?;
        let version = if envelope.length.is_some() {
            VERSION_OF_LENGTH
        } else {
            VERSION
        };
        if envelope.v != version {
            return Err(UnreadableMessage(format!(
                "it has version {} instead of {version}",
                envelope.v
            )));
        }
        if envelope.length.is_some() && !matches!(envelope.payload, PayloadRef::Stored(_)) {
            return Err(UnreadableMessage(
                "it has a length, but no claim check".to_owned(),
            ));
        }
        // A sender of messages must not be able to reference the payload of another job, or other objects in the
        // bucket.
        if let PayloadRef::Stored(key) = &envelope.payload
            && *key != keys::payload(&envelope.key(), &envelope.sha256)
            && !keys::is_parts(&envelope.tenant, key)
        {
            return Err(UnreadableMessage(
                "its claim check is not for a payload of its job".to_owned(),
            ));
        }
        Ok(envelope)
    }

    /// Returns the job that a message is for, even if the rest of the message is invalid, for example because a later
    /// version wrote it. Returns `None` for a message that Cloakroom did not write.
    pub fn address(body: &str) -> Option<(JobKey, Timestamp)> {
        #[derive(Deserialize)]
        struct Address {
            tenant: Tenant,
            job: JobId,
            accepted_at: i64,
        }
        let Address {
            tenant,
            job,
            accepted_at,
        } = serde_json::from_str(body).ok()?;
        Some((
            JobKey { tenant, id: job },
            Timestamp::from_millis(accepted_at),
        ))
    }

    /// Returns the body of the message.
    pub fn write(&self) -> String {
        json_body(self)
    }

    /// Returns the key of the job.
    pub fn key(&self) -> JobKey {
        JobKey {
            tenant: self.tenant.clone(),
            id: self.job,
        }
    }

    /// Returns the incarnation of the job's id.
    pub fn accepted_at(&self) -> Timestamp {
        Timestamp::from_millis(self.accepted_at)
    }

    /// Returns the earliest start that was set at the acceptance. Later retry delays don't change it.
    pub fn ready_at(&self) -> Timestamp {
        Timestamp::from_millis(self.ready_at.unwrap_or(self.accepted_at))
    }

    /// Returns the same message for another incarnation: that of a job that already exists.
    #[must_use]
    pub fn for_job(mut self, job: &Job) -> Self {
        self.accepted_at = job.created_at.as_millis();
        self.ready_at = ready_at(job);
        self
    }

    /// Adds the lease of an attempt whose start or end could not be recorded.
    #[must_use]
    pub fn with_unrecorded(mut self, token: LeaseToken) -> Self {
        self.unrecorded = Some(token);
        self
    }

    /// Returns the lease of an attempt whose start or end could not be recorded.
    pub fn unrecorded(&self) -> Option<LeaseToken> {
        self.unrecorded
    }

    /// Returns the key under which the payload is, or would be, stored.
    pub fn payload_key(&self) -> String {
        keys::payload(&self.key(), &self.sha256)
    }

    /// Returns the key of a stored payload. No other job refers to it, because a multipart upload also serves only one
    /// job.
    pub fn stored_payload_key(&self) -> Option<&str> {
        match &self.payload {
            PayloadRef::Stored(key) => Some(key),
            PayloadRef::Text(_) | PayloadRef::Base64(_) => None,
        }
    }

    /// Returns the length of the payload in bytes, as far as the message contains it. Stored payloads of earlier
    /// versions count as 0.
    pub fn payload_bytes(&self) -> u64 {
        match &self.payload {
            PayloadRef::Text(text) => text.len() as u64,
            // Four characters encode three bytes.
            PayloadRef::Base64(text) => text.len() as u64 / 4 * 3,
            PayloadRef::Stored(_) => self.length.or(self.text_bytes).or(self.bytes).unwrap_or(0),
        }
    }

    /// Returns the properties that the payload must have.
    pub fn expected(&self) -> Expected {
        self.length
            .map_or(Expected::Sha256(self.sha256), Expected::Length)
    }
}

/// Serializes a digest as hexadecimal text.
mod hex {
    use cloakroom_core::Digest;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// Returns the earliest start of a job that has not been attempted, if it is not the time of acceptance.
fn ready_at(job: &Job) -> Option<i64> {
    (job.ready_at != job.created_at).then(|| job.ready_at.as_millis())
}

impl PayloadRef {
    /// Creates a reference that contains the payload itself.
    pub fn from_bytes(payload: &[u8]) -> Self {
        match std::str::from_utf8(payload) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(BASE64.encode(payload)),
        }
    }

    /// Returns the payload, if it is in the message.
    pub fn bytes(&self) -> Option<Result<Bytes, UnreadableMessage>> {
        match self {
            Self::Text(text) => Some(Ok(Bytes::copy_from_slice(text.as_bytes()))),
            Self::Base64(text) => Some(
                BASE64
                    .decode(text)
                    .map(Bytes::from)
                    .map_err(|error| UnreadableMessage(error.to_string())),
            ),
            Self::Stored(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
