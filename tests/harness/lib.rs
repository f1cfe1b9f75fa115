//! Harness of the whole-flow tests: a deployment, identified by its URL.
//!
//! If `CLOAKROOM_URL` is set, the tests use that deployment, and `CLOAKROOM_ON` names its kind (see [`Target`]).
//! Otherwise each test starts its own dev runner, and stops it by its process id.

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

/// Maximum time for a response: a long poll, or an upload over a slow connection.
const PATIENCE: Duration = Duration::from_secs(120);

/// Value of `RUST_LOG` with which a function logs its calls of AWS: a line for every try, when its endpoint is known, and
/// others. The SDK's other spans stay off, so that the span of a line is that of the operation.
pub const SDK_LOG: &str = "error,aws_sdk_dynamodb=debug,aws_sdk_s3=debug,aws_sdk_scheduler=debug,\
    aws_sdk_sqs=debug,aws_sdk_eventbridge=debug,aws_sdk_secretsmanager=debug,\
    aws_smithy_runtime::client::orchestrator::endpoints=debug";

/// A deployment under test.
#[derive(Debug)]
pub struct Deployment {
    url: String,
    http: Client,
    /// Dev runner, if the test started one.
    pub runner: Option<Runner>,
}

impl Deployment {
    /// Returns the deployment at `CLOAKROOM_URL`, or starts a dev runner in memory.
    pub async fn get() -> Self {
        match std::env::var("CLOAKROOM_URL") {
            Ok(url) => Self::at_url(&url, None),
            Err(_) => Self::run(Keep::Nothing).await,
        }
    }

    /// Starts a dev runner for this test.
    pub async fn run(keep: Keep<'_>) -> Self {
        let runner = Runner::start(keep).await;
        Self::at_url(&runner.url.clone(), Some(runner))
    }

    /// Returns the deployment at this base URL.
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

    /// Returns the base URL, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL of a path in the contract, for example `/jobs`. The base URL may have a path of its own.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Resolves a link in a response like a browser: an absolute path replaces the path of the base URL.
    pub fn resolve(&self, link: &str) -> String {
        resolved(&Url::parse(&self.url).expect("it was one"), link)
    }

    /// Creates a request to a path of the contract, or to a URL.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            self.at(path)
        };
        self.http.request(method, url)
    }

    /// Sends a `GET` request to a path or URL.
    pub async fn get_at(&self, path: &str) -> Response {
        self.request(Method::GET, path)
            .send()
            .await
            .expect("an answer")
    }

    /// Submits a diagnostic command, with this key if there is one.
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
            // The contract asks clients to retry these. A gateway that starts a hundred functions at once may return
            // them.
            if self.runner.is_some() || tries == 10 || !(status.is_server_error() || status == 429)
            {
                return answer;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Polls a job until its end. Returns the status of the last response, and the job. Retries after a 503, because
    /// calls to a service may time out on a busy machine.
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

/// Returns the root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Parses infra/template.yaml. Tags such as `!Ref` are preserved as values.
pub fn template() -> serde_yaml_ng::Value {
    let text = std::fs::read_to_string(root().join("infra/template.yaml")).expect("a template");
    serde_yaml_ng::from_str(&text).expect("YAML")
}

/// Returns a unique key.
pub fn fresh_key(name: &str) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    format!("{name}-{}-{:x}", std::process::id(), now.as_nanos())
}

/// Returns a header of a response.
pub fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
}

/// Returns the location in a response, as a URL.
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

/// Returns the status and JSON body of a response.
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
