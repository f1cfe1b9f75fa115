//! `POST /jobs/{id}/links`.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::retry::Repeat;
use crate::{Client, Error, Scope, SharedLink};

impl Client {
    /// Creates a link that gives access to a job without credentials. No `scopes` mean [`Scope::Read`].
    ///
    /// `ttl` is the time until the link expires, in whole seconds from a minute to a day. By default, the service chooses it.
    ///
    /// # Errors
    /// [`Error::Problem`] with the code `unknown-job` if the job is unknown or has expired.
    pub async fn links(
        &self,
        job: &str,
        scopes: &[Scope],
        ttl: Option<Duration>,
    ) -> Result<SharedLink, Error> {
        let url = self.job(job, &["links"])?;
        let mut body = json!({});
        if !scopes.is_empty() {
            body["scope"] = json!(scopes);
        }
        if let Some(ttl) = ttl {
            body["ttl_seconds"] = json!(ttl.as_secs());
        }
        let make = || {
            self.request(Method::POST, url.clone())
                .timeout(self.inner.settings.timeout)
                .json(&body)
        };
        // A second link does no harm.
        let answer = self.ask(Repeat::Safe, make).await?;
        if answer.status != StatusCode::CREATED {
            return Err(answer.into_refusal());
        }
        let link: SharedLink = answer.json()?;
        Ok(SharedLink {
            url: self.resolve(&link.url)?.into(),
            events: self.resolve(&link.events)?.into(),
            ..link
        })
    }
}
