//! A deployment in memory behind its router, and answers that are checked as they come in.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::testing::Room;
use cloakroom_app::{Command, HandlerError, JobContext, Output, Payload};
use cloakroom_core::problem::FieldError;
use cloakroom_http::{Site, router};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// What the one command of most tests is to do.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Act {
    #[serde(default)]
    act: Kind,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// A small JSON result.
    #[default]
    Answer,
    /// A JSON result over 32 KiB.
    Large,
    /// A page that would run a script.
    Page,
    /// Neither a result nor a resource.
    Nothing,
    /// A resource and no result.
    Resource,
    /// Ends badly, as the service words it.
    Fail,
    /// Ends badly, as the handler words it.
    Refuse,
    /// Fails, and is tried again.
    Stumble,
    /// Reports progress, and takes 60 s unless it is cancelled.
    Nap,
}

impl Payload for Act {}

async fn act(act: Act, job: JobContext) -> Result<Output, HandlerError> {
    match act.act {
        Kind::Answer => Output::json(&json!({ "answer": 42 })),
        Kind::Large => Output::json(&"x".repeat(40_000)),
        Kind::Page => Ok(Output::bytes("text/html", "<script>alert(1)</script>")),
        Kind::Nothing => Ok(Output::none()),
        Kind::Resource => Output::none().at("/reports/7"),
        Kind::Fail => Err(HandlerError::terminal(
            "the printer is out of paper; fill it and submit again",
        )),
        Kind::Refuse => Err(HandlerError::terminal("<b>no</b>")
            .code("out-of-paper")
            .status(422)
            .with_cause("tray 2")),
        Kind::Stumble => {
            Err(HandlerError::retryable("the printer is jammed").after(Duration::from_secs(100)))
        }
        Kind::Nap => {
            job.progress(42.5, "resizing <17> of 40");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(50)) => Ok(Output::none()),
                () = job.cancelled() => Err(HandlerError::cancelled()),
            }
        }
    }
}

/// The parameters of the binary command.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Size {
    width: u32,
}

impl Payload for Size {
    fn check(&self) -> Vec<FieldError> {
        if self.width <= 100 {
            vec![]
        } else {
            vec![FieldError::new("/width", "must be at most 100")]
        }
    }
}

async fn keep(_: Size, bytes: Bytes, _: JobContext) -> Result<Output, HandlerError> {
    Ok(Output::bytes("image/png", bytes))
}

/// A deployment and its router.
pub(crate) struct House {
    pub(crate) room: Room,
    pub(crate) router: Router,
}

pub(crate) fn house() -> House {
    house_at(Site::default())
}

pub(crate) fn house_at(site: Site) -> House {
    crate::log::start();
    let room = Room::new(vec![
        Command::json("act", act).result_retention(Duration::from_secs(7200)),
        Command::json("act.strictly", act)
            .key_required()
            .body_limit(20),
        Command::binary("image.keep", &["image/png", "image/jpeg"], keep).upload_limit(1000),
    ]);
    let router = router(
        site,
        Some((room.submit.clone(), room.uploads.clone())),
        Some(room.jobs.clone()),
    );
    House { room, router }
}

impl House {
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router does not fail");
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("bodies are in memory")
            .to_bytes();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        answer.check(&method, &path);
        answer
    }

    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request.body(body.into()).expect("a good request"))
            .await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, Body::empty()).await
    }

    /// Submits JSON to the command that does as it is told.
    pub(crate) async fn act(&self, act: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.ask(
            "POST",
            "/commands/act",
            &headers,
            format!("{{\"act\":\"{act}\"}}"),
        )
        .await
    }

    /// Submits, and works until nothing is left to do; the path of the job.
    pub(crate) async fn done(&self, act: &str) -> String {
        let location = self
            .act(act, &[("idempotency-key", "order-1042")])
            .await
            .header("location")
            .to_owned();
        self.room.work_until_idle().await;
        location
    }

    /// Submits, and works on it in the background until it naps or waits for its second attempt; the path of the job.
    pub(crate) async fn underway(&self, act: &str) -> (String, JoinHandle<()>) {
        let location = self
            .act(act, &[("idempotency-key", "order-1042")])
            .await
            .header("location")
            .to_owned();
        let room = self.room.clone();
        let work = tokio::spawn(async move { room.work_until_idle().await });
        tokio::time::sleep(Duration::from_secs(2)).await;
        (location, work)
    }
}

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Asserts that it is this problem.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status, &problem["code"]),
            (status, &json!(code)),
            "{problem}"
        );
        problem
    }

    /// What holds of every answer.
    fn check(&self, method: &Method, path: &str) {
        assert!(!self.header("x-request-id").is_empty(), "{method} {path}");
        let content_type = self.header("content-type");
        if self.status >= 400 && content_type != "text/html; charset=utf-8" {
            assert_eq!(content_type, "application/problem+json", "{method} {path}");
            if method != Method::HEAD {
                let problem = self.json();
                assert_eq!(problem["status"], self.status);
                for member in ["type", "title", "detail", "instance", "code"] {
                    assert!(
                        problem[member]
                            .as_str()
                            .is_some_and(|text| !text.is_empty()),
                        "{member} of {problem}"
                    );
                }
            }
        }
        if self.status == 304 || self.status == 204 {
            assert!(self.body.is_empty() && self.header("content-length").is_empty());
        }
        let elsewhere = self.status == 404
            && content_type.ends_with("json")
            && self.text().contains("\"not-found\"");
        if let Some(operation) = documented(method, path).filter(|_| !elsewhere) {
            let (status, family) = (self.status.to_string(), format!("{}XX", self.status / 100));
            let known = &operation["responses"];
            assert!(
                known.get(&status).or(known.get(&family)).is_some(),
                "openapi.yaml lacks {method} {path} {status}"
            );
        }
    }
}

/// The document as it is in the repository.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let yaml = include_str!("../../../../openapi.yaml");
    serde_yaml_ng::from_str(yaml).expect("YAML that JSON can say")
});

/// What the document says of a request.
fn documented(method: &Method, path: &str) -> Option<&'static Value> {
    let method = if method == Method::HEAD {
        "get".to_owned()
    } else {
        method.as_str().to_lowercase()
    };
    template(path).and_then(|template| DOCUMENT["paths"][template].get(&method))
}

/// The path of the document that a request's path is one of.
pub(crate) fn template(path: &str) -> Option<&'static str> {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let matches = |template: &str| {
        let (mut template, mut path) = (template.split('/'), path.split('/'));
        loop {
            match (template.next(), path.next()) {
                (None, None) => return true,
                (Some(left), Some(right))
                    if left == right || (left.starts_with('{') && !right.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths
        .keys()
        .find(|template| matches(template))
        .map(String::as_str)
}
