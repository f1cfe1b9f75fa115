//! Stored form of a job. This is a boundary: later versions read what this version writes.
//!
//! One table contains jobs, records of multipart uploads, and the job of each used upload. Its only key is the string
//! `pk`. DynamoDB deletes items by `expires_at`. This version writes version 1 (`v`). Later versions are rejected, and
//! unknown attributes are ignored.

mod attributes;
mod deliveries;
mod error;
mod reader;
mod upload;

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_core::{
    Failure, Fingerprint, Isolation, Job, JobKey, Lease, ResultRef, Step, Success, Tenant,
    Timestamp, UploadId,
};
use serde::Serialize;

use attributes::blob;
pub(crate) use attributes::{
    Item, RESERVED, SUCCESS_ATTRIBUTES, VERSION, millis, name, number, percent, text,
};
pub(crate) use deliveries::{deliveries_pk, read_deliveries, write_deliveries};
use error::CorruptRecord;
use reader::Reader;
pub(crate) use upload::{parts_pk, read_upload, write_upload};

/// Returns the key of a job. The id does not contain `#`, so keys are unambiguous.
pub(crate) fn job_pk(key: &JobKey) -> AttributeValue {
    text(format!("job#{}#{}", key.tenant, key.id))
}

/// Returns the key of the item that records which job uses an upload.
pub(crate) fn upload_pk(tenant: &Tenant, upload: UploadId) -> AttributeValue {
    text(format!("upload#{tenant}#{upload}"))
}

/// Converts a job to an item.
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
    if let Some(context) = &job.events {
        item.push((name::EVENTS, json(context)));
        item.extend(
            context
                .scope()
                .map(|scope| (name::NOTIFY, text(scope.as_str()))),
        );
    }
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

/// Converts the steps of a history to a list.
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
    item.extend(
        (!success.published.is_empty()).then(|| (name::PUBLISHED, json(&success.published))),
    );
    item
}

fn json(value: &impl Serialize) -> AttributeValue {
    text(serde_json::to_string(value).expect("strings and numbers are always written"))
}

pub(crate) fn failure_attributes(failure: &Failure) -> [(&'static str, AttributeValue); 3] {
    [
        (name::FAILURE_STATUS, number(failure.status)),
        (name::FAILURE_CODE, text(&failure.code)),
        (name::FAILURE_DETAIL, text(&failure.detail)),
    ]
}

/// Returns the key of an item's job. `None` if the item is not a job.
pub(crate) fn key(item: &Item) -> Option<JobKey> {
    let item = Reader(item);
    Some(JobKey {
        tenant: item.parsed(name::TENANT).ok()?,
        id: item.parsed(name::ID).ok()?,
    })
}

/// Parses a job.
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
        events: item.optional(name::EVENTS, Reader::json)?,
    })
}

#[cfg(test)]
mod tests;
