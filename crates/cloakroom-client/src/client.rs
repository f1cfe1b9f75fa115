//! The client, and what all of its calls share: URLs, headers, and asking until there is an answer.

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
    /// Its path has no slash at the end, unless it is the slash alone.
    pub(crate) base: Url,
    /// What the caller adds: for the service's origin alone.
    pub(crate) headers: HeaderMap,
    pub(crate) settings: Settings,
}

impl Client {
    /// The URL of the service, without credentials.
    pub fn base_url(&self) -> &str {
        self.inner.base.as_str().trim_end_matches('/')
    }

    /// The URL of a job, given its id, or any URL of it: `https://host/stage/jobs/{id}`, `/jobs/{id}/result`.
    ///
    /// Fails as [`Error::Input`] if there is no id in it, or if it is another service's.
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
            .map_err(|_| bad("want its id (a UUID, lower case and hyphenated) or its URL"))?;
        if before.contains("://")
            && Url::parse(before).map_or(true, |url| url.origin() != self.inner.base.origin())
        {
            return Err(bad(&format!("it is not at {}", self.base_url())));
        }
        let id = id.to_string();
        Ok(self.url(&[&["jobs", &id], further].concat()))
    }

    /// A URL below the base URL.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.inner.base.clone();
        url.path_segments_mut()
            .expect("an http URL has a path")
            .pop_if_empty()
            .extend(segments);
        url
    }

    /// What an answer refers to: an absolute path, which already has the base's path in it, or a full URL.
    pub(crate) fn resolve(&self, reference: &str) -> Result<Url, Error> {
        let bad = |error| Error::Protocol(format!("the URL {:?}: {error}", redact::url(reference)));
        self.inner.base.join(reference).map_err(bad)
    }

    /// A request to the service, with the caller's headers.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.inner
            .http
            .request(method, url)
            .headers(self.inner.headers.clone())
    }

    /// Asks for JSON until there is an answer below 500.
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
