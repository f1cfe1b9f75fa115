//! The client, and the parts that all calls share: URLs, headers and retries.

use std::sync::Arc;

use cloakroom_core::{JobId, redact};
use reqwest::header::{ACCEPT, HeaderMap};
use reqwest::{Method, RequestBuilder, Url};

use crate::Error;
use crate::answer::Answer;
use crate::retries::Retries;
use crate::retry::{Again, Repeat};
use crate::settings::Settings;

/// A client of one service. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    /// Base URL. Its path has no slash at the end, unless it is `/`.
    pub(crate) base: Url,
    /// The caller's headers, for the service's origin only.
    pub(crate) headers: HeaderMap,
    pub(crate) settings: Settings,
}

impl Client {
    /// Returns the base URL of the service, without credentials.
    pub fn base_url(&self) -> &str {
        self.inner.base.as_str().trim_end_matches('/')
    }

    /// Returns the URL of a job. `job` is its id, or any URL of it: `https://host/stage/jobs/{id}`, `/jobs/{id}/result`.
    ///
    /// # Errors
    /// [`Error::Input`] if `job` contains no id, or is the URL of another service.
    pub fn job_url(&self, job: &str) -> Result<String, Error> {
        self.job(job, &[]).map(String::from)
    }

    pub(crate) fn job(&self, job: &str, further: &[&str]) -> Result<Url, Error> {
        let bad = |reason: &str| Error::input(format!("{:?} as a job", redact::url(job)), &reason);
        let (before, id) = match job.split_once("/jobs/") {
            Some((before, after)) => (
                before,
                after.split(['/', '?', '#']).next().unwrap_or_default(),
            ),
            None => ("", job),
        };
        let id: JobId = id
            .parse()
            .map_err(|_| bad("expected its id (a lowercase, hyphenated UUID) or its URL"))?;
        if before.contains("://")
            && Url::parse(before).map_or(true, |url| url.origin() != self.inner.base.origin())
        {
            return Err(bad(&format!("it is not at {}", self.base_url())));
        }
        let id = id.to_string();
        Ok(self.url(&[&["jobs", &id], further].concat()))
    }

    /// Returns a URL below the base URL.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.inner.base.clone();
        url.path_segments_mut()
            .expect("an http URL has a path")
            .pop_if_empty()
            .extend(segments);
        url
    }

    /// Resolves a reference in a response: a full URL, or an absolute path that includes the path of the base URL.
    pub(crate) fn resolve(&self, reference: &str) -> Result<Url, Error> {
        let bad = |error| Error::Protocol(format!("the URL {:?}: {error}", redact::url(reference)));
        self.inner.base.join(reference).map_err(bad)
    }

    /// Creates a request to the service, with the caller's headers.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.inner
            .http
            .request(method, url)
            .headers(self.inner.headers.clone())
    }

    /// Requests JSON until the status of the response is below 500.
    pub(crate) async fn ask(
        &self,
        repeat: Repeat,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let mut retries = Retries::new(&self.inner.settings);
        loop {
            let again = match make().header(ACCEPT, "application/json").send().await {
                Ok(response) => match Answer::read(response).await {
                    Ok(answer) => match answer.again() {
                        None => return Ok(answer),
                        Some(again) => again,
                    },
                    Err(error) => Again::broken(error),
                },
                Err(error) if error.is_builder() => {
                    return Err(Error::input("the request", &crate::error::chain(error)));
                }
                Err(error) => Again::broken(error),
            };
            retries.pause(again, repeat).await?;
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The headers are secrets.
        f.debug_struct("Client")
            .field("base_url", &self.base_url())
            .finish_non_exhaustive()
    }
}
