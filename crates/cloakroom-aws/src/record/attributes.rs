//! Attributes of items: their names and values.

use std::collections::HashMap;
use std::fmt::Display;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_core::Timestamp;

/// Item of the table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Version that is written, and the latest version that can be read.
pub(crate) const VERSION: u32 = 1;

/// Names of the attributes.
pub(crate) mod name {
    /// Key of the table.
    pub const PK: &str = "pk";
    pub(crate) const V: &str = "v";
    pub(crate) const TENANT: &str = "tenant";
    pub(crate) const ID: &str = "id";
    pub(crate) const CLIENT_JOB_ID: &str = "client_job_id";
    pub(crate) const TYPE: &str = "type";
    pub(crate) const FINGERPRINT: &str = "fingerprint";
    /// Seconds.
    pub(crate) const RETENTION: &str = "retention";
    pub(crate) const STATUS: &str = "status";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const ATTEMPT: &str = "attempt";
    pub(crate) const LEASE_TOKEN: &str = "lease_token";
    pub(crate) const LEASE_MESSAGE: &str = "lease_message";
    pub(crate) const LEASE_ENDS_AT: &str = "lease_ends_at";
    /// True if the attempt must run alone in its process. Otherwise absent.
    pub(crate) const LEASE_ALONE: &str = "lease_alone";
    /// Milliseconds, like all times except `expires_at`.
    pub(crate) const READY_AT: &str = "ready_at";
    /// Percent.
    pub(crate) const PROGRESS: &str = "progress";
    pub(crate) const PROGRESS_MESSAGE: &str = "progress_message";
    pub(crate) const ESTIMATED_FINISH_AT: &str = "estimated_finish_at";
    pub(crate) const CREATED_AT: &str = "created_at";
    pub(crate) const STARTED_AT: &str = "started_at";
    pub(crate) const UPDATED_AT: &str = "updated_at";
    pub(crate) const FINISHED_AT: &str = "finished_at";
    /// Seconds, as DynamoDB's time to live requires.
    pub const EXPIRES_AT: &str = "expires_at";
    /// `none`, `inline` or `stored`, after the job has succeeded.
    pub(crate) const RESULT: &str = "result";
    pub(crate) const RESULT_TYPE: &str = "result_type";
    pub(crate) const RESULT_BYTES: &str = "result_bytes";
    pub(crate) const RESULT_KEY: &str = "result_key";
    pub(crate) const RESULT_LENGTH: &str = "result_length";
    pub(crate) const RESULT_SHA256: &str = "result_sha256";
    /// Retention of a stored result in seconds, if it differs from the job's.
    pub(crate) const RESULT_SECONDS: &str = "result_seconds";
    pub(crate) const RESOURCE: &str = "resource";
    pub(crate) const FAILURE_STATUS: &str = "failure_status";
    pub(crate) const FAILURE_CODE: &str = "failure_code";
    pub(crate) const FAILURE_DETAIL: &str = "failure_detail";
    /// List of steps, each a string.
    pub(crate) const HISTORY: &str = "history";
    /// Listeners, and the ids that events carry, as JSON.
    pub(crate) const EVENTS: &str = "events";
    /// `terminal` or `all`, if anybody listens. The stream's filter starts the publisher for no other records.
    pub(crate) const NOTIFY: &str = "notify";
    /// Events that the handler published, as JSON.
    pub(crate) const PUBLISHED: &str = "published";
    /// Deliveries of a job, as JSON.
    pub(crate) const LOG: &str = "delivery_log";
    /// Number of changes of a record of deliveries.
    pub(crate) const REVISION: &str = "revision";
    /// Job that uses an upload.
    pub(crate) const JOB: &str = "job";
    /// S3's id of a multipart upload. The terms of the upload follow.
    pub(crate) const STORE_ID: &str = "store_id";
    pub(crate) const CONTENT_TYPE: &str = "content_type";
    pub(crate) const LENGTH: &str = "length";
    pub(crate) const PART_LENGTH: &str = "part_length";
    pub(crate) const SHA256: &str = "sha256";
    pub(crate) const DIGEST: &str = "digest";
}

/// Names that DynamoDB reserves. An expression needs a placeholder for them:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>.
pub(crate) const RESERVED: [&str; 5] = [
    name::TYPE,
    name::STATUS,
    name::RESULT,
    name::RESOURCE,
    name::LENGTH,
];

/// Attributes of a success that another success replaces. Published events are not among them: a job succeeds once.
pub(crate) const SUCCESS_ATTRIBUTES: [&str; 8] = [
    name::RESULT,
    name::RESULT_TYPE,
    name::RESULT_BYTES,
    name::RESULT_KEY,
    name::RESULT_LENGTH,
    name::RESULT_SHA256,
    name::RESULT_SECONDS,
    name::RESOURCE,
];

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn millis(time: Timestamp) -> AttributeValue {
    number(time.as_millis())
}

pub(super) fn blob(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Returns a percentage that DynamoDB accepts: the minimum of its numbers is 1e-130.
pub(crate) fn percent(value: f64) -> AttributeValue {
    number(rounded(value))
}

pub(super) fn rounded(percent: f64) -> f64 {
    if percent.is_finite() && percent.abs() > 1e-100 {
        percent
    } else {
        0.0
    }
}
