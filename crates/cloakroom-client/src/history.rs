//! `GET /jobs/{id}/history`.

use cloakroom_core::view::HistoryView;
use reqwest::{Method, StatusCode};

use crate::retry::Repeat;
use crate::{Client, Error};

impl Client {
    /// Loads the history of a job, in any state.
    pub async fn history(&self, job: &str) -> Result<HistoryView, Error> {
        let url = self.job(job, &["history"])?;
        let make = || {
            self.request(Method::GET, url.clone())
                .timeout(self.inner.settings.timeout)
        };
        let answer = self.ask(Repeat::Safe, make).await?;
        match answer.status {
            StatusCode::OK => answer.json(),
            _ => Err(answer.into_refusal()),
        }
    }
}
