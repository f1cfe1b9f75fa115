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

/// Options of a poll. By default, the service responds at once with the whole job.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The [`Snapshot::etag`] of the caller. If the job has not changed since, the result is [`Poll::Unchanged`].
    pub etag: Option<&'a str>,
    /// Seconds, up to 25, for which the service holds the response until the job has ended or has changed since `etag`.
    pub wait_seconds: u64,
}

/// Result of a poll.
#[derive(Debug, Clone, PartialEq)]
pub enum Poll {
    /// The job has not changed since `etag`.
    Unchanged {
        /// Delay before the next poll, if the service sent one. `None` for a job that has ended.
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
    /// Entity tag of this state of the job.
    pub etag: Option<String>,
    /// Delay before the next poll. `None` for a job that has ended.
    pub retry_after: Option<Duration>,
    /// Problem document of a job that failed or was cancelled.
    pub problem: Option<Box<Problem>>,
}

impl Client {
    /// Loads a job once. A job that failed or was cancelled is a success of the poll, and has its problem.
    ///
    /// # Errors
    /// [`Error::Problem`] with the code `unknown-job` if the job is unknown or has expired.
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

    /// Converts a job that failed or was cancelled to its error.
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
