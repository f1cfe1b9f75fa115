//! `DELETE /jobs/{id}`.

use cloakroom_core::view::JobView;
use reqwest::{Method, StatusCode};

use crate::retry::Repeat;
use crate::{Client, Error};

impl Client {
    /// Requests the cancellation of a job. It becomes `cancelled` if it had not started, and `cancelling` otherwise. A handler
    /// that finishes first wins.
    ///
    /// # Errors
    /// [`Error::Problem`] with the code `job-finished` if the job has succeeded or failed before.
    pub async fn cancel(&self, job: &str) -> Result<JobView, Error> {
        let url = self.job(job, &[])?;
        let make = || {
            self.request(Method::DELETE, url.clone())
                .timeout(self.inner.settings.timeout)
        };
        let answer = self.ask(Repeat::Safe, make).await?;
        match answer.status {
            StatusCode::OK | StatusCode::ACCEPTED => answer.json(),
            _ => Err(answer.into_refusal()),
        }
    }
}
