//! Messages that producers send.

use std::collections::BTreeMap;

use cloakroom_core::Timestamp;

/// Attributes of a producer's message, all of type `String`.
pub mod attributes {
    /// Type of the command, for example `thumbnail.create`. Its presence marks a message as a producer's.
    pub const COMMAND: &str = "Cloakroom-Command-Type";
    /// Producer's own id of the job, like a request's `Idempotency-Key`. Without it, the client job id is `sqs:` and
    /// the message's id.
    pub const CLIENT_JOB_ID: &str = "Cloakroom-Client-Job-Id";
    /// Tenant of the job, if producers may name it.
    pub const TENANT: &str = "Cloakroom-Tenant";
    /// Media type of the payload, if the command accepts several.
    pub const CONTENT_TYPE: &str = "Cloakroom-Content-Type";
    /// Name of the queue that receives the end of the job.
    pub const REPLY_TO: &str = "Cloakroom-Reply-To";
    /// Id that connects related jobs.
    pub const CORRELATION_ID: &str = "Cloakroom-Correlation-Id";
    /// Query string, for a command that has its parameters there.
    pub const QUERY: &str = "Cloakroom-Query";
}

/// Attributes and payload of a message that a producer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerMessage {
    /// Attributes of type `String`.
    pub attributes: BTreeMap<String, String>,
    /// Location of the payload.
    pub payload: PayloadLocation,
    /// Time at which the message was sent, by the queue's clock, if the queue reports it.
    pub sent_at: Option<Timestamp>,
}

/// Location of a producer's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadLocation {
    /// The body of the message.
    Body,
    /// An object in S3.
    Object {
        /// Name of the bucket.
        bucket: String,
        /// Key of the object.
        key: String,
    },
    /// Unknown: the body should refer to the payload, but does not, for this reason.
    Unknown(String),
}
