//! `DELETE /jobs/{id}`.

use cloakroom_core::view::JobView;
use reqwest::{Method, StatusCode};

use crate::retry::Repeat;
use crate::{Client, Error};

impl Client {
    /// Wishes a job to stop. It is `cancelled` if it had not begun, and else `cancelling`: a handler that is done first
    /// wins. Fails as [`Error::Problem`] with the code `job-finished` if it succeeded or failed before.
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
