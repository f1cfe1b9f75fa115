//! `GET /jobs/{id}/result`.

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{Response, StatusCode, Url};

use crate::answer::Answer;
use crate::renewals::Renewals;
use crate::retries::Retries;
use crate::retry::{Again, Repeat};
use crate::{Client, Download, Error, Snapshot};

/// Most redirects to a result.
const REDIRECTS: usize = 5;

/// Result of a job, if there is one.
#[derive(Debug)]
pub enum JobResult {
    /// The result, or the content of the resource that the job named.
    Content(Download),
    /// The job succeeded without a result.
    Nothing,
    /// The job has not ended.
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
    /// Opens the result of a job. Follows the service's redirect to a large result, without sending the caller's headers there.
    ///
    /// # Errors
    /// [`Error::JobFailed`] or [`Error::JobCancelled`] if the job ended so; others as [`Error`] describes.
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
                // From the start: a presigned link expires soon.
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
        // The limit ends with the head of the response: a result may be long, and each piece has its own limit.
        let response = match tokio::time::timeout(self.inner.settings.timeout, request.send()).await
        {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Ok(Step::Again(Again::broken(error))),
            Err(_) => {
                return Ok(Step::Again(Again {
                    reason: "the response timed out".to_owned(),
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
                "the result redirects to an invalid URL".to_owned(),
            )),
        }
    }

    /// Interprets a response that is not the result.
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
            return Err(answer.unexpected("the link to the result does not work"));
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
