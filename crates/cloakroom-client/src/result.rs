//! `GET /jobs/{id}/result`.

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Response, StatusCode, Url};

use crate::answer::Answer;
use crate::renewals::Renewals;
use crate::retries::Retries;
use crate::retry::{Again, Repeat};
use crate::{Client, Download, Error, Snapshot};

/// How many redirects lead to a result, at most.
const REDIRECTS: usize = 5;

/// What there is of a result.
#[derive(Debug)]
pub enum JobResult {
    /// The result; or, of a job that named a resource, what is there.
    Content(Download),
    /// The job succeeded, and has nothing to show for it.
    Nothing,
    /// The job goes on.
    NotYet(Box<Snapshot>),
}

enum Step {
    Done(JobResult),
    Redirect(Url),
    Again(Again),
    /// The link has expired.
    Renew,
}

impl Client {
    /// Opens a job's result. Follows the service's redirect to where a large one is kept; the caller's headers stay
    /// with the service. Fails as [`Error::JobFailed`] or [`Error::JobCancelled`] if that is how the job ended.
    pub async fn result(&self, job: &str) -> Result<JobResult, Error> {
        let start = self.job(job, &["result"])?;
        let (mut retries, mut renewals) = (Retries::new(&self.inner.settings), Renewals::default());
        let (mut url, mut hops) = (start.clone(), 0);
        loop {
            match self.step(&url, hops, &mut renewals).await? {
                Step::Done(result) => return Ok(result),
                Step::Redirect(next) => {
                    hops += 1;
                    url = next;
                }
                // From the start: a presigned link does not live long.
                Step::Renew => (url, hops) = (start.clone(), 0),
                Step::Again(again) => {
                    retries.pause(again, Repeat::Safe).await?;
                    (url, hops) = (start.clone(), 0);
                }
            }
        }
    }

    async fn step(&self, url: &Url, hops: usize, renewals: &mut Renewals) -> Result<Step, Error> {
        let request = self.inner.http.get(url.clone()).header(ACCEPT, "*/*");
        let ours = url.origin() == self.inner.base.origin();
        let request = if ours {
            request.headers(self.inner.headers.clone())
        } else {
            request
        };
        // No limit on the whole: a result may be long. Each piece of it has its own.
        let response = match tokio::time::timeout(self.inner.settings.timeout, request.send()).await
        {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ok(Step::Again(Again::broken(error))),
            Err(_) => {
                return Ok(Step::Again(Again {
                    reason: "no answer in time".to_owned(),
                    retry_after: None,
                    reached: true,
                }));
            }
        };
        match response.status() {
            StatusCode::NO_CONTENT => Ok(Step::Done(JobResult::Nothing)),
            StatusCode::ACCEPTED if hops == 0 => self.judge(response, hops, renewals).await,
            status if status.is_success() => {
                Ok(Step::Done(JobResult::Content(Download::new(response))))
            }
            status if status.is_redirection() && response.headers().contains_key(LOCATION) => {
                Self::redirect(url, hops, &response)
            }
            _ => self.judge(response, hops, renewals).await,
        }
    }

    fn redirect(from: &Url, hops: usize, response: &Response) -> Result<Step, Error> {
        let place = response
            .headers()
            .get(LOCATION)
            .and_then(|place| place.to_str().ok());
        let to = place
            .and_then(|place| from.join(place).ok())
            .filter(|to| matches!(to.scheme(), "http" | "https"));
        match to {
            Some(to) if hops < REDIRECTS => Ok(Step::Redirect(to)),
            Some(_) => Err(Error::Protocol(format!(
                "the result is more than {REDIRECTS} redirects away"
            ))),
            None => Err(Error::Protocol(
                "the result is redirected to what is no URL".to_owned(),
            )),
        }
    }

    /// Reads an answer that is not the result.
    async fn judge(
        &self,
        response: Response,
        hops: usize,
        renewals: &mut Renewals,
    ) -> Result<Step, Error> {
        let answer = match Answer::read(response).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Step::Again(Again::broken(error))),
        };
        if let Some(again) = answer.again() {
            return Ok(Step::Again(again));
        }
        if hops > 0 && renewals.renew(&answer) {
            return Ok(Step::Renew);
        }
        if hops > 0 {
            return Err(answer.unexpected("the service redirected to where the result is not"));
        }
        let snapshot = Snapshot::from_answer(answer)?;
        match snapshot.problem {
            None => Ok(Step::Done(JobResult::NotYet(Box::new(snapshot)))),
            Some(_) => Err(snapshot
                .into_outcome()
                .expect_err("a job with a problem did not succeed")),
        }
    }
}
