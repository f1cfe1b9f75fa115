//! What the whole-flow tests stand on: a deployment by its URL.
//!
//! With `CLOAKROOM_URL` set, that deployment is tested as it is. Otherwise each test starts a dev runner of its own,
//! and ends it, by its process id.

mod runner;

use std::time::Duration;

use cloakroom::view::JobView;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

pub use runner::{Keep, Runner, program};

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
            Ok(url) => Self::at(&url, None),
            Err(_) => Self::run(Keep::Nothing).await,
        }
    }

    /// A dev runner of this test's own.
    pub async fn run(keep: Keep<'_>) -> Self {
        let runner = Runner::start(keep).await;
        Self::at(&runner.url.clone(), Some(runner))
    }

    fn at(url: &str, runner: Option<Runner>) -> Self {
        let http =
            Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(60)).build().expect("a client");
        Self { url: url.trim_end_matches('/').to_owned(), http, runner }
    }

    /// The base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A request to a path, or to a whole URL as answers give them.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        self.http.request(method, url)
    }

    /// `GET`s a path or URL.
    pub async fn get_at(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    /// Submits a diagnostic, under this key if there is one.
    pub async fn diagnose(&self, key: Option<&str>, payload: &Value) -> Response {
        let mut request = self.request(Method::POST, "/commands/diagnostic.run").json(payload);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request.send().await.expect("an answer")
    }

    /// Polls a job until it is over: the last answer's status, and the job.
    pub async fn end_of(&self, location: &str) -> (u16, JobView) {
        for _ in 0..12 {
            let request = self.request(Method::GET, location).header("Prefer", "wait=20");
            let (status, body) = json(request.send().await.expect("an answer")).await;
            let job = if status >= 400 { body["job"].clone() } else { body.clone() };
            let job: JobView =
                serde_json::from_value(job).unwrap_or_else(|error| panic!("{error} in {status}: {body}"));
            if job.status.is_terminal() {
                return (status, job);
            }
        }
        panic!("{location} does not end");
    }
}

/// A key that no other test uses, nor an earlier run of this one.
pub fn fresh_key(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    format!("{name}-{}-{:x}", std::process::id(), now.as_nanos())
}

/// A header of an answer.
pub fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The status and JSON body of an answer.
pub async fn json(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in the {status} body {text:?}"));
    (status, body)
}
