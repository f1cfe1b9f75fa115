//! Events of a job: one `CloudEvent` per change, the same on every channel.
//!
//! The log of events is the job's record, and its `version` is the cursor of every channel. A listener may miss a
//! version that was overtaken, never the last one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::listeners::PublishedEvent;
use crate::view::JobView;
use crate::{Job, Timestamp};

/// An event: `CloudEvents` 1.0 in the JSON format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Version of the specification: `1.0`.
    pub specversion: String,
    /// Id of the event: the job's id and version. It is the same at every delivery.
    pub id: String,
    /// Path of the job.
    pub source: String,
    /// Type: `cloakroom.job.` and the status, or the type of a handler's own event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Id of the job.
    pub subject: String,
    /// Time of the change.
    pub time: Timestamp,
    /// Media type of `data`.
    pub datacontenttype: String,
    /// Version of the job, as a string.
    pub sequence: String,
    /// Id that connects related jobs.
    pub correlationid: String,
    /// Id of the event or job that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causationid: Option<String>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The job document, or the data of a handler's own event.
    pub data: Value,
}

impl CloudEvent {
    /// Creates the event of a job's current state. `base` is the path of the public base URL.
    pub fn from_job(job: &Job, base: &str) -> Self {
        let data = serde_json::to_value(JobView::from_job(job, base));
        Self {
            specversion: "1.0".to_owned(),
            id: format!("{}/{}", job.id, job.version),
            source: format!("{base}/jobs/{}", job.id),
            kind: format!("cloakroom.job.{}", job.status.as_str()),
            subject: job.id.to_string(),
            time: job.updated_at,
            datacontenttype: "application/json".to_owned(),
            sequence: job.version.to_string(),
            correlationid: job.correlation_id(),
            causationid: job
                .events
                .as_ref()
                .and_then(|events| events.causation_id.as_ref().map(ToString::to_string)),
            traceparent: job
                .events
                .as_ref()
                .and_then(|events| events.traceparent.clone()),
            data: data.expect("a job document is always written"),
        }
    }

    /// Creates the events that the handler of a succeeded job published, in order. The job's end caused them.
    pub fn published(job: &Job, base: &str) -> Vec<Self> {
        let end = Self::from_job(job, base);
        let event = |(n, published): (usize, &PublishedEvent)| Self {
            id: format!("{}/{n}", end.id),
            kind: published.kind.clone(),
            causationid: Some(end.id.clone()),
            data: published.data.clone(),
            ..end.clone()
        };
        let published = job.success.iter().flat_map(|success| &success.published);
        published.enumerate().map(event).collect()
    }
}

#[cfg(test)]
mod tests;
