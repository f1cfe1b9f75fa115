//! What the whole-flow tests stand on: a deployment by its URL.
//!
//! With `CLOAKROOM_URL` set, that deployment is tested as it is, and `CLOAKROOM_ON` says what it runs on (see [`Target`]).
//! Otherwise each test starts a dev runner of its own, and ends it, by its process id.

pub mod audit;
pub mod metrics;
mod runner;
pub mod session;
pub mod suite;
mod target;

use std::path::Path;
use std::time::Duration;

use cloakroom_core::view::JobView;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::Value;

pub use runner::{Keep, Runner, program};
pub use suite::Test;
pub use target::{Needs, Target};

/// How long an answer may take: a long poll, or an upload over a slow line.
const PATIENCE: Duration = Duration::from_secs(120);

/// A deployment under test.
#[derive(Debug)]
pub struct Deployment {
    url: String,
    http: Client,
    /// The dev runner, where the test has one of its own.
    pub runner: Option<Runner>,
}

impl Deployment {
    /// The deployment of `CLOAKROOM_URL`, or a dev runner that keeps nothing.
    pub async fn get() -> Self {
        match std::env::var("CLOAKROOM_URL") {
            Ok(url) => Self::at_url(&url, None),
            Err(_) => Self::run(Keep::Nothing).await,
        }
    }

    /// A dev runner of this test's own.
    pub async fn run(keep: Keep<'_>) -> Self {
        let runner = Runner::start(keep).await;
        Self::at_url(&runner.url.clone(), Some(runner))
    }

    /// The deployment of this base URL.
    pub fn new(url: &str) -> Self {
        Self::at_url(url, None)
    }

    fn at_url(url: &str, runner: Option<Runner>) -> Self {
        let http = Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        let url = Url::parse(url).expect("the base URL is one");
        Self {
            url: url.as_str().trim_end_matches('/').to_owned(),
            http,
            runner,
        }
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The whole URL of a path of the contract, as in `/jobs`: below the base URL, which may have a path of its own.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The whole URL of a link in an answer's body, as a browser makes it: an absolute path replaces that of the base URL.
    pub fn resolve(&self, link: &str) -> String {
        resolved(&Url::parse(&self.url).expect("it was one"), link)
    }

    /// A request to a path of the contract, or to a whole URL.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            self.at(path)
        };
        self.http.request(method, url)
    }

    /// `GET`s a path or URL.
    pub async fn get_at(&self, path: &str) -> Response {
        self.request(Method::GET, path)
            .send()
            .await
            .expect("an answer")
    }

    /// Submits a diagnostic, under this key if there is one.
    pub async fn diagnose(&self, key: Option<&str>, payload: &Value) -> Response {
        let mut request = self
            .request(Method::POST, "/commands/diagnostic.run")
            .json(payload);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let mut tries = 0;
        loop {
            let answer = request
                .try_clone()
                .expect("a body in memory")
                .send()
                .await
                .expect("an answer");
            let status = answer.status();
            tries += 1;
            // "Ask again", says the contract of these: a gateway that starts a hundred functions at once may have to.
            if self.runner.is_some() || tries == 10 || !(status.is_server_error() || status == 429)
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Polls a job to its end: the last answer's status, and the job. Asks again after a 503, as on a busy machine a call
    /// to a service may take too long.
    pub async fn end_of(&self, location: &str) -> (u16, JobView) {
        for _ in 0..24 {
            let request = self
                .request(Method::GET, location)
                .header("Prefer", "wait=20");
            let (status, body) = json(request.send().await.expect("an answer")).await;
            if status == 503 {
                continue;
            }
            let job = if status >= 400 {
                body["job"].clone()
            } else {
                body.clone()
            };
            let job: JobView = serde_json::from_value(job)
                .unwrap_or_else(|error| panic!("{error} in {status}: {body}"));
            if job.status.is_terminal() {
                return (status, job);
            }
        }
        panic!("{location} does not end");
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// infra/template.yaml; a tag such as `!Ref` is one of its values.
pub fn template() -> serde_yaml_ng::Value {
    let text = std::fs::read_to_string(root().join("infra/template.yaml")).expect("a template");
    serde_yaml_ng::from_str(&text).expect("YAML")
}

/// A key that no other test uses, nor an earlier run of this one.
pub fn fresh_key(name: &str) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    format!("{name}-{}-{:x}", std::process::id(), now.as_nanos())
}

/// A header of an answer.
pub fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

/// Where an answer points to, as a whole URL.
pub fn location_of(answer: &Response) -> String {
    resolved(
        answer.url(),
        header(answer, "location").expect("a Location"),
    )
}

fn resolved(base: &Url, link: &str) -> String {
    base.join(link)
        .unwrap_or_else(|error| panic!("{link}: {error}"))
        .into()
}

/// The status and JSON body of an answer.
pub async fn json(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    let body = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error} in the {status} body {text:?}"));
    (status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_below_the_base_url_and_links_below_its_origin() {
        for base in [
            "http://localhost:4566/_aws/execute-api/abc/v1",
            "http://localhost:4566/_aws/execute-api/abc/v1/",
        ] {
            let cloakroom = Deployment::at_url(base, None);
            assert_eq!(
                cloakroom.at("/jobs"),
                "http://localhost:4566/_aws/execute-api/abc/v1/jobs"
            );
            assert_eq!(
                cloakroom.resolve("/v1/jobs/x"),
                "http://localhost:4566/v1/jobs/x"
            );
            assert_eq!(
                cloakroom.resolve("https://example.org/x"),
                "https://example.org/x"
            );
        }
    }
}
