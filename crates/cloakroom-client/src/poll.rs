//! `GET /jobs/{id}`.

use std::time::Duration;

use cloakroom_core::Problem;
use cloakroom_core::view::JobView;
use reqwest::header::{HeaderName, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

use crate::answer::Answer;
use crate::retry::Repeat;
use crate::{Client, Error};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How to poll. By default: at once, and for the whole job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The [`Snapshot::etag`] that the caller has: the answer is [`Poll::Unchanged`] if it still holds.
    pub etag: Option<&'a str>,
    /// For how many seconds, up to 25, the service is to hold the answer until the job is over or no longer as `etag` says.
    pub wait_seconds: u64,
}

/// What a poll brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Poll {
    /// The job is as the `etag` says.
    Unchanged {
        /// When to come back, where the service said so; not for a job that is over.
        retry_after: Option<Duration>,
    },
    /// The job.
    Job(Box<Snapshot>),
}

/// A job at one moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The job.
    pub job: JobView,
    /// What stands for this state of the job.
    pub etag: Option<String>,
    /// When to come back; not for a job that is over.
    pub retry_after: Option<Duration>,
    /// What became of a job that failed or was cancelled, as the service put it.
    pub problem: Option<Box<Problem>>,
}

impl Client {
    /// Looks at a job once. A job that is over is an answer like any other: failed or cancelled, it comes with its
    /// problem. Fails as [`Error::Problem`] with the code `unknown-job` if there is none, or no longer.
    pub async fn poll(&self, job: &str, ask: Ask<'_>) -> Result<Poll, Error> {
        let url = self.job(job, &[])?;
        let timeout = self.inner.settings.timeout + Duration::from_secs(ask.wait_seconds);
        let make = || {
            let mut request = self.request(Method::GET, url.clone()).timeout(timeout);
            if let Some(etag) = ask.etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if ask.wait_seconds > 0 {
                request = request.header(PREFER, format!("wait={}", ask.wait_seconds));
            }
            request
        };
        let answer = self.ask(Repeat::Safe, make).await?;
        if answer.status == StatusCode::NOT_MODIFIED && ask.etag.is_some() {
            return Ok(Poll::Unchanged {
                retry_after: answer.retry_after(),
            });
        }
        Snapshot::from_answer(answer).map(|snapshot| Poll::Job(Box::new(snapshot)))
    }
}

impl Snapshot {
    pub(crate) fn from_answer(answer: Answer) -> Result<Self, Error> {
        let (etag, retry_after) = (answer.etag(), answer.retry_after());
        let (job, problem) = match answer.status {
            StatusCode::OK | StatusCode::ACCEPTED => (answer.json()?, None),
            _ => match answer.into_end() {
                Error::JobFailed(problem) | Error::JobCancelled(problem) => (
                    *problem
                        .job
                        .clone()
                        .expect("a job's own problem has the job"),
                    Some(problem),
                ),
                error => return Err(error),
            },
        };
        Ok(Self {
            job,
            etag,
            retry_after,
            problem,
        })
    }

    /// The job, if it succeeded or goes on; the error of one that did not.
    pub(crate) fn into_outcome(self) -> Result<JobView, Error> {
        match self.problem {
            None => Ok(self.job),
            Some(problem) if self.job.status == cloakroom_core::Status::Cancelled => {
                Err(Error::JobCancelled(problem))
            }
            Some(problem) => Err(Error::JobFailed(problem)),
        }
    }
}
