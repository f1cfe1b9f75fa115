//! The job as a client sees it: the contract's JSON, written by the server and read by the client library.

use serde::{Deserialize, Serialize};

use crate::outcome::ResultRef;
use crate::transition::{Event, latest_attempt};
use crate::{Job, Status, Timestamp};

/// The job document. Members that do not apply are left out; new members may come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// The server's id: a UUID.
    pub id: String,
    /// The client's id, where it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_job_id: Option<String>,
    /// The command's type.
    #[serde(rename = "type")]
    pub command: String,
    /// Where the job stands.
    pub status: Status,
    /// The attempt that runs or ran last, from 1; 0 before the first.
    pub attempt: u32,
    /// How far the attempt is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When it will be over, by its progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_finish_at: Option<Timestamp>,
    /// When the job may begin, while that is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When the next attempt is due, while `retrying`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// From when on the job is unknown.
    pub expires_at: Timestamp,
    /// The result, if it is JSON and at most 32 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// Where to get any other result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_url: Option<String>,
    /// From when on the result is not there any more, where that is before `expires_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_expires_at: Option<Timestamp>,
    /// The place that the handler named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What went wrong: for good, or in the attempt before the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    /// Where to go from here.
    pub links: Links,
}

/// How far a handler says it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressView {
    /// 0 to 100.
    pub percent: f64,
    /// Fit to show a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// The handler's word for it, or `job-failed`.
    pub code: String,
    /// Fit to show a person.
    pub detail: String,
    /// The status that polls answer when it ended the job: a 4xx.
    pub status: u16,
}

/// Where to go from here: absolute paths below the public base URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Poll here.
    #[serde(rename = "self")]
    pub this: String,
    /// The result, once there is one.
    pub result: String,
    /// What happened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<String>,
    /// `DELETE` here to cancel; left out once the job is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
}

impl JobView {
    /// Shows a job. `base` is the path of the public base URL, empty or as in `/v1`.
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
            attempt: latest_attempt(job),
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
                cancel: (!job.status.is_terminal()).then(|| this.clone()),
                this,
            },
        }
    }
}

/// The story of a job: what happened to it, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    /// The job as it is now.
    pub job: JobView,
    /// Its acceptance, and every step since. Of a job that was sent back to work, the oldest may be missing; of a long
    /// outage, all but the first and the latest attempts.
    pub history: Vec<StepView>,
}

/// One thing that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// When.
    pub at: Timestamp,
    /// What: `accept`, or the word of an [`Event`]. New words may come.
    pub event: String,
    /// Which attempt it belongs to, or follows; 0 before the first.
    pub attempt: u32,
    /// Why, where something went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl HistoryView {
    /// Tells of a job. `base` is the path of the public base URL.
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
                // After a deferred attempt, which is not counted, the next one has its number.
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

/// The strong entity tag of a job's JSON document: it changes with every change, and with every incarnation of the id.
pub fn etag(job: &Job) -> String {
    format!("\"{:x}-{}\"", job.created_at.as_millis(), job.version)
}

#[cfg(test)]
mod tests;
