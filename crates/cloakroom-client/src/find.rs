//! `GET /jobs?client_job_id=`.

use cloakroom_core::view::JobView;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::retry::Repeat;
use crate::{Client, Error};

#[derive(Deserialize)]
struct Found {
    jobs: Vec<JobView>,
}

impl Client {
    /// Returns the caller's job with this idempotency key, if there is one.
    pub async fn find(&self, key: &str) -> Result<Option<JobView>, Error> {
        let mut url = self.url(&["jobs"]);
        url.query_pairs_mut().append_pair("client_job_id", key);
        let make = || {
            self.request(Method::GET, url.clone())
                .timeout(self.inner.settings.timeout)
        };
        let answer = self.ask(Repeat::Safe, make).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.json::<Found>()?.jobs.into_iter().next()),
            _ => Err(answer.into_refusal()),
        }
    }
}
