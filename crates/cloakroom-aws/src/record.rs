//! The stored form of a job: a boundary. What was written yesterday is read tomorrow.
//!
//! One table holds the jobs, what must be known of uploads in parts, and notes of which job took which upload. Its only key
//! is the string `pk`; `expires_at` is the attribute that DynamoDB deletes by. What this program writes is version 1 (`v`).
//! A later version is refused; attributes that are not known are passed over.

mod reader;
mod upload;

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_core::{
    Failure, Fingerprint, Isolation, Job, JobKey, Lease, ResultRef, Step, Success, Tenant,
    Timestamp, UploadId,
};

use reader::Reader;
pub(crate) use upload::{parts_pk, read_upload, write_upload};

/// An item of the table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The version that is written, and the latest that is read.
pub(crate) const VERSION: u32 = 1;

/// The names of the attributes.
pub(crate) mod name {
    /// Name of the table's key.
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
    /// There, and true, if the attempt has its process for itself.
    pub(crate) const LEASE_ALONE: &str = "lease_alone";
    /// Milliseconds, as every time but `expires_at`.
    pub(crate) const READY_AT: &str = "ready_at";
    /// Percent.
    pub(crate) const PROGRESS: &str = "progress";
    pub(crate) const PROGRESS_MESSAGE: &str = "progress_message";
    pub(crate) const ESTIMATED_FINISH_AT: &str = "estimated_finish_at";
    pub(crate) const CREATED_AT: &str = "created_at";
    pub(crate) const STARTED_AT: &str = "started_at";
    pub(crate) const UPDATED_AT: &str = "updated_at";
    pub(crate) const FINISHED_AT: &str = "finished_at";
    /// Seconds, as DynamoDB's time to live wants them.
    pub const EXPIRES_AT: &str = "expires_at";
    /// `none`, `inline` or `stored`, once the work is done.
    pub(crate) const RESULT: &str = "result";
    pub(crate) const RESULT_TYPE: &str = "result_type";
    pub(crate) const RESULT_BYTES: &str = "result_bytes";
    pub(crate) const RESULT_KEY: &str = "result_key";
    pub(crate) const RESULT_LENGTH: &str = "result_length";
    pub(crate) const RESULT_SHA256: &str = "result_sha256";
    /// How long a stored result is kept, where that is not as long as the job.
    pub(crate) const RESULT_SECONDS: &str = "result_seconds";
    pub(crate) const RESOURCE: &str = "resource";
    pub(crate) const FAILURE_STATUS: &str = "failure_status";
    pub(crate) const FAILURE_CODE: &str = "failure_code";
    pub(crate) const FAILURE_DETAIL: &str = "failure_detail";
    /// A list of steps, each a string.
    pub(crate) const HISTORY: &str = "history";
    /// Of an upload: the job that took it.
    pub(crate) const JOB: &str = "job";
    /// Of an upload in parts: what the store of objects names it by, and what it must be.
    pub(crate) const STORE_ID: &str = "store_id";
    pub(crate) const CONTENT_TYPE: &str = "content_type";
    pub(crate) const LENGTH: &str = "length";
    pub(crate) const PART_LENGTH: &str = "part_length";
    pub(crate) const SHA256: &str = "sha256";
    pub(crate) const DIGEST: &str = "digest";
}

/// Those of the names that are words of DynamoDB's own, and so can't stand in an expression:
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>.
pub(crate) const RESERVED: [&str; 5] = [
    name::TYPE,
    name::STATUS,
    name::RESULT,
    name::RESOURCE,
    name::LENGTH,
];

/// Attributes of a success.
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

/// An item that is no job as this program knows them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CorruptRecord {
    #[error("the record has no attribute {0}")]
    Missing(&'static str),
    #[error("attribute {0} of the record is not {1}")]
    Invalid(&'static str, String),
    #[error(
        "the record is of version {0}, and this program knows versions up to {VERSION}: deploy the later program"
    )]
    NewerVersion(u32),
}

/// The key of a job. The id holds no `#`, so no two keys run together.
pub(crate) fn job_pk(key: &JobKey) -> AttributeValue {
    text(format!("job#{}#{}", key.tenant, key.id))
}

/// The key of the note of who took an upload.
pub(crate) fn upload_pk(tenant: &Tenant, upload: UploadId) -> AttributeValue {
    text(format!("upload#{tenant}#{upload}"))
}

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn millis(time: Timestamp) -> AttributeValue {
    number(time.as_millis())
}

fn blob(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// A percentage, as DynamoDB takes it: its numbers go down to 1e-130 only.
pub(crate) fn percent(value: f64) -> AttributeValue {
    number(rounded(value))
}

fn rounded(percent: f64) -> f64 {
    if percent.is_finite() && percent.abs() > 1e-100 {
        percent
    } else {
        0.0
    }
}

/// A job as it is stored.
pub(crate) fn write(job: &Job) -> Item {
    let mut item = vec![
        (name::PK, job_pk(&job.key())),
        (name::V, number(VERSION)),
        (name::TENANT, text(job.tenant.as_str())),
        (name::ID, text(job.id.to_string())),
        (name::TYPE, text(job.command.as_str())),
        (
            name::FINGERPRINT,
            blob(job.fingerprint.as_digest().as_bytes()),
        ),
        (name::RETENTION, number(job.retention.as_secs())),
        (name::STATUS, text(job.status.as_str())),
        (name::VERSION, number(job.version)),
        (name::ATTEMPT, number(job.attempt)),
        (name::READY_AT, millis(job.ready_at)),
        (name::CREATED_AT, millis(job.created_at)),
        (name::UPDATED_AT, millis(job.updated_at)),
        (name::EXPIRES_AT, number(job.expires_at.as_seconds_ceil())),
    ];
    item.extend(
        job.client_job_id
            .as_ref()
            .map(|id| (name::CLIENT_JOB_ID, text(id.as_str()))),
    );
    item.extend(job.lease.iter().flat_map(lease_attributes));
    if let Some(progress) = &job.progress {
        item.push((name::PROGRESS, percent(progress.percent)));
        item.extend(
            progress
                .message
                .as_ref()
                .map(|message| (name::PROGRESS_MESSAGE, text(message))),
        );
    }
    let times = [
        (name::ESTIMATED_FINISH_AT, job.estimated_finish_at),
        (name::STARTED_AT, job.started_at),
        (name::FINISHED_AT, job.finished_at),
    ];
    item.extend(
        times
            .into_iter()
            .filter_map(|(name, time)| Some((name, millis(time?)))),
    );
    item.extend(job.success.iter().flat_map(success_attributes));
    item.extend(job.failure.iter().flat_map(failure_attributes));
    item.extend((!job.history.is_empty()).then(|| (name::HISTORY, steps(&job.history))));
    item.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

pub(crate) fn lease_attributes(lease: &Lease) -> Vec<(&'static str, AttributeValue)> {
    let mut item = vec![
        (name::LEASE_TOKEN, text(lease.token.to_string())),
        (name::LEASE_MESSAGE, text(&lease.message_id)),
    ];
    item.extend(lease.ends_at.map(|at| (name::LEASE_ENDS_AT, millis(at))));
    let alone = lease.isolation == Isolation::Alone;
    item.extend(alone.then_some((name::LEASE_ALONE, AttributeValue::Bool(true))));
    item
}

/// Steps of a history, as a list.
pub(crate) fn steps<'a>(steps: impl IntoIterator<Item = &'a Step>) -> AttributeValue {
    AttributeValue::L(
        steps
            .into_iter()
            .map(|step| text(step.to_string()))
            .collect(),
    )
}

pub(crate) fn success_attributes(success: &Success) -> Vec<(&'static str, AttributeValue)> {
    let mut item = match &success.result {
        None => vec![(name::RESULT, text("none"))],
        Some(ResultRef::Inline {
            content_type,
            bytes,
        }) => {
            vec![
                (name::RESULT, text("inline")),
                (name::RESULT_TYPE, text(content_type)),
                (name::RESULT_BYTES, blob(bytes)),
            ]
        }
        Some(ResultRef::Stored {
            content_type,
            key,
            length,
            sha256,
            retention,
        }) => {
            let mut item = vec![
                (name::RESULT, text("stored")),
                (name::RESULT_TYPE, text(content_type)),
                (name::RESULT_KEY, text(key)),
                (name::RESULT_LENGTH, number(length)),
                (name::RESULT_SHA256, blob(sha256.as_bytes())),
            ];
            item.extend(retention.map(|time| (name::RESULT_SECONDS, number(time.as_secs()))));
            item
        }
    };
    item.extend(
        success
            .resource
            .as_ref()
            .map(|resource| (name::RESOURCE, text(resource.as_str()))),
    );
    item
}

pub(crate) fn failure_attributes(failure: &Failure) -> [(&'static str, AttributeValue); 3] {
    [
        (name::FAILURE_STATUS, number(failure.status)),
        (name::FAILURE_CODE, text(&failure.code)),
        (name::FAILURE_DETAIL, text(&failure.detail)),
    ]
}

/// Which job an item is; `None` of what is none.
pub(crate) fn key(item: &Item) -> Option<JobKey> {
    let item = Reader(item);
    Some(JobKey {
        tenant: item.parsed(name::TENANT).ok()?,
        id: item.parsed(name::ID).ok()?,
    })
}

/// Reads a job.
pub(crate) fn read(item: &Item) -> Result<Job, CorruptRecord> {
    let item = Reader(item);
    let version: u32 = item.number(name::V)?;
    if version > VERSION {
        return Err(CorruptRecord::NewerVersion(version));
    }
    Ok(Job {
        tenant: item.parsed(name::TENANT)?,
        id: item.parsed(name::ID)?,
        client_job_id: item.optional(name::CLIENT_JOB_ID, Reader::parsed)?,
        command: item.parsed(name::TYPE)?,
        fingerprint: Fingerprint::from_digest(item.digest(name::FINGERPRINT)?),
        retention: Duration::from_secs(item.number(name::RETENTION)?),
        status: item.status()?,
        version: item.number(name::VERSION)?,
        attempt: item.number(name::ATTEMPT)?,
        lease: item.lease()?,
        ready_at: item.time(name::READY_AT)?,
        progress: item.progress()?,
        estimated_finish_at: item.optional(name::ESTIMATED_FINISH_AT, Reader::time)?,
        created_at: item.time(name::CREATED_AT)?,
        started_at: item.optional(name::STARTED_AT, Reader::time)?,
        updated_at: item.time(name::UPDATED_AT)?,
        finished_at: item.optional(name::FINISHED_AT, Reader::time)?,
        expires_at: Timestamp::from_seconds(item.number(name::EXPIRES_AT)?),
        success: item.optional(name::RESULT, Reader::success)?,
        failure: item.optional(name::FAILURE_CODE, Reader::failure)?,
        history: item
            .optional(name::HISTORY, Reader::steps)?
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
