//! The job as clients see it: JSON documents that the server writes and the client library reads.

mod delivery;

use serde::{Deserialize, Serialize};

pub use delivery::DeliveryView;

use crate::outcome::ResultRef;
use crate::transition::{Event, latest_attempt};
use crate::{Job, Status, Timestamp};

/// The job document. Members that do not apply are omitted. New members may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Server-side id: a UUID.
    pub id: String,
    /// Client-supplied id, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_job_id: Option<String>,
    /// Type of the command.
    #[serde(rename = "type")]
    pub command: String,
    /// Current status.
    pub status: Status,
    /// Number of changes: the cursor of every channel of events.
    #[serde(default)]
    pub version: u64,
    /// Number of the attempt that runs or ran last, from 1; 0 before the first.
    pub attempt: u32,
    /// Id that the client set to connect related jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Progress of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// Time of acceptance.
    pub created_at: Timestamp,
    /// Start of the first attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Time of the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Estimated end, extrapolated from the progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_finish_at: Option<Timestamp>,
    /// Earliest start, while it is in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Time of the next attempt, while `retrying`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Time from which the job is unknown.
    pub expires_at: Timestamp,
    /// The result, if it is JSON and at most 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// Location of any other result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_url: Option<String>,
    /// Expiry of the result, if it is before `expires_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_expires_at: Option<Timestamp>,
    /// Location that the handler named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Failure of the job, or of the attempt before a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    /// Links to related resources.
    pub links: Links,
}

/// Progress that a handler reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressView {
    /// Percentage, 0 to 100.
    pub percent: f64,
    /// Message for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Failure of a job or an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// The handler's code, or `job-failed`.
    pub code: String,
    /// Description for users.
    pub detail: String,
    /// HTTP status that polls return if this failure ended the job: a 4xx.
    pub status: u16,
}

/// Links to related resources: absolute paths below the public base URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Location to poll.
    #[serde(rename = "self")]
    pub this: String,
    /// Location of the result. The resource exists once the job has succeeded.
    pub result: String,
    /// Location of the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// Location of the events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<String>,
    /// Location to `DELETE` in order to cancel. Omitted once the job has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
}

impl JobView {
    /// Creates the document of a job. `base` is the path of the public base URL: empty, or for example `/v1`.
    pub fn from_job(job: &Job, base: &str) -> Self {
        let this = format!("{base}/jobs/{}", job.id);
        let success = job.success.as_ref();
        let kept = success.and_then(|success| success.result.as_ref());
        let inline = kept.and_then(inline_json);
        Self {
            id: job.id.to_string(),
            client_job_id: job.client_job_id.as_ref().map(ToString::to_string),
            command: job.command.to_string(),
            status: job.status,
            version: job.version,
            attempt: latest_attempt(job),
            correlation_id: job
                .events
                .as_ref()
                .and_then(|events| events.correlation_id.as_ref().map(ToString::to_string)),
            progress: job.progress.as_ref().map(|progress| ProgressView {
                percent: progress.percent,
                message: progress.message.clone(),
            }),
            created_at: job.created_at,
            started_at: job.started_at,
            updated_at: job.updated_at,
            finished_at: job.finished_at,
            estimated_finish_at: job
                .estimated_finish_at
                .filter(|_| job.status == Status::Running),
            not_before: Some(job.ready_at)
                .filter(|at| job.status == Status::Accepted && *at > job.updated_at),
            retry_at: (job.status == Status::Retrying).then_some(job.ready_at),
            expires_at: job.deadline(),
            result_url: kept
                .filter(|_| inline.is_none())
                .map(|_| format!("{this}/result")),
            result: inline,
            result_expires_at: job.result_expires_at(),
            resource: success
                .and_then(|success| success.resource.as_ref())
                .map(|place| place.as_str().to_owned()),
            error: job
                .failure
                .as_ref()
                .filter(|_| matches!(job.status, Status::Retrying | Status::Failed))
                .map(|failure| ErrorView {
                    code: failure.code.clone(),
                    detail: failure.detail.clone(),
                    status: failure.status,
                }),
            links: Links {
                result: format!("{this}/result"),
                history: Some(format!("{this}/history")),
                events: Some(format!("{this}/events")),
                cancel: (!job.status.is_terminal()).then(|| this.clone()),
                this,
            },
        }
    }
}

impl JobView {
    /// Replaces the links by those below `path`, for the holder of a shared link. `cancel` is true if the holder may
    /// cancel the job.
    #[must_use]
    pub fn shared_at(mut self, path: &str, cancel: bool) -> Self {
        self.result_url = self.result_url.map(|_| format!("{path}/result"));
        self.links = Links {
            result: format!("{path}/result"),
            history: None,
            events: Some(format!("{path}/events")),
            cancel: self
                .links
                .cancel
                .filter(|_| cancel)
                .map(|_| path.to_owned()),
            this: path.to_owned(),
        };
        self
    }
}

/// The history of a job: its steps in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    /// The current job document.
    pub job: JobView,
    /// The acceptance and all steps since. After a redrive, the oldest steps may be missing. After a long outage, all
    /// but the first and the latest attempts are missing.
    pub history: Vec<StepView>,
}

/// One step in the history of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// Time of the step.
    pub at: Timestamp,
    /// `accept`, or the name of an [`Event`]. New names may be added.
    pub event: String,
    /// Number of the attempt that the step belongs to, or follows; 0 before the first.
    pub attempt: u32,
    /// Code and text of the failure, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl HistoryView {
    /// Creates the history of a job. `base` is the path of the public base URL.
    pub fn from_job(job: &Job, base: &str) -> Self {
        let accepted = StepView {
            at: job.created_at,
            event: "accept".to_owned(),
            attempt: 0,
            reason: None,
        };
        let (mut attempt, mut deferred) = (0, false);
        let steps = job.history.iter().map(|step| {
            match step.event {
                // A deferred attempt is not counted: the next one has its number.
                Event::Claim => attempt += u32::from(!std::mem::take(&mut deferred)),
                Event::Defer => deferred = true,
                Event::Redrive => (attempt, deferred) = (0, false),
                _ => {}
            }
            StepView {
                at: step.at,
                event: step.event.as_str().to_owned(),
                attempt,
                reason: step.reason.clone(),
            }
        });
        Self {
            history: std::iter::once(accepted).chain(steps).collect(),
            job: JobView::from_job(job, base),
        }
    }
}

fn inline_json(result: &ResultRef) -> Option<serde_json::Value> {
    match result {
        ResultRef::Inline {
            content_type,
            bytes,
        } if content_type == "application/json" => serde_json::from_slice(bytes).ok(),
        ResultRef::Inline { .. } | ResultRef::Stored { .. } => None,
    }
}

/// Returns the strong entity tag of the job document. It changes with every change and with every incarnation of the
/// id.
pub fn etag(job: &Job) -> String {
    format!("\"{:x}-{}\"", job.created_at.as_millis(), job.version)
}

#[cfg(test)]
mod tests;
