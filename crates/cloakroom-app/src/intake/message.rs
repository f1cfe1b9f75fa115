//! A message that a producer sent.

use std::collections::BTreeMap;

use cloakroom_core::Timestamp;

/// The attributes of a producer's message, all of type `String`.
pub mod attributes {
    /// Type of the command, as in `thumbnail.create`. A message with it is a producer's.
    pub const COMMAND: &str = "Cloakroom-Command-Type";
    /// The producer's own id of the job, as a request's `Idempotency-Key`. Without it the job's client job id is `sqs:` and the
    /// message's id.
    pub const CLIENT_JOB_ID: &str = "Cloakroom-Client-Job-Id";
    /// Tenant of the job, if producers may name it.
    pub const TENANT: &str = "Cloakroom-Tenant";
    /// The media type of the payload, where the command takes several.
    pub const CONTENT_TYPE: &str = "Cloakroom-Content-Type";
    /// The query string of a command that takes its parameters there.
    pub const QUERY: &str = "Cloakroom-Query";
}

/// Attributes and payload of a message that a producer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerMessage {
    /// Its attributes that are text.
    pub attributes: BTreeMap<String, String>,
    /// Location of its payload.
    pub payload: PayloadLocation,
    /// Time of its sending, by the queue's clock, where the queue reports it.
    pub sent_at: Option<Timestamp>,
}

/// Location of a producer's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadLocation {
    /// The body of the message.
    Body,
    /// An object in S3.
    Object {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
    /// Not known: the body should point to it but does not, for this reason.
    Unknown(String),
}
