//! A service in memory behind its router, and responses that are checked on receipt.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::ports::Objects as _;
use cloakroom_app::testing::Room;
use cloakroom_app::{Command, HandlerError, JobContext, Output};
use cloakroom_core::problem::FieldError;
use cloakroom_http::{Site, router};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// Payload of the command in most tests: its handler's behaviour.
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
    /// A resource and a result.
    Both,
    /// A resource and a JSON result over 32 KiB.
    BothLarge,
    /// Fails with the service's own code and status.
    Fail,
    /// Fails with the handler's code and status.
    Refuse,
    /// Fails, and is retried.
    Stumble,
    /// Reports progress, and takes 60 s unless it is cancelled.
    Nap,
}

async fn act(act: Act, job: JobContext) -> Result<Output, HandlerError> {
    match act.act {
        Kind::Answer => Output::json(&json!({ "answer": 42 })),
        Kind::Large => Output::json(&"x".repeat(40_000)),
        Kind::Page => Ok(Output::bytes("text/html", "<script>alert(1)</script>")),
        Kind::Nothing => Ok(Output::none()),
        Kind::Resource => Output::none().at("/reports/7"),
        Kind::Both => Output::json(&42)?.at("/reports/7"),
        Kind::BothLarge => Output::json(&"x".repeat(40_000))?.at("/reports/7"),
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
    #[expect(dead_code, reason = "its schema is looked at")]
    depth: Option<u32>,
}

impl Size {
    fn check(&self) -> Vec<FieldError> {
        if self.width <= 100 {
            vec![]
        } else {
            vec![FieldError::new("/width", "must be at most 100")]
        }
    }
}

/// Result of `double`.
#[derive(Serialize, JsonSchema)]
struct Doubled {
    twice: Twice,
    /// An alternative in its schema.
    thrice: Option<Twice>,
}

#[derive(Serialize, JsonSchema)]
struct Twice {
    number: Number,
}

/// Refers to a type from a type that is referred to.
#[derive(Serialize, JsonSchema)]
struct Number {
    whole: u32,
}

async fn double(size: Size) -> Result<Doubled, HandlerError> {
    Ok(Doubled {
        twice: Twice {
            number: Number {
                whole: 2 * size.width,
            },
        },
        thrice: None,
    })
}

async fn keep(_: Size, bytes: Bytes, _: JobContext) -> Result<Output, HandlerError> {
    Ok(Output::bytes("image/png", bytes))
}

/// Service in memory, and its router.
pub(crate) struct Service {
    pub(crate) room: Room,
    pub(crate) router: Router,
}

pub(crate) fn service() -> Service {
    service_with(Site::default())
}

pub(crate) fn service_with(site: Site) -> Service {
    crate::log_lines::start();
    let room = Room::new(vec![
        Command::json("act", act).result_retention(Duration::from_secs(7200)),
        Command::json("act.strictly", act)
            .key_required()
            .body_limit(20),
        Command::json("double", double),
        Command::binary("image.keep", &["image/png", "image/jpeg"], keep)
            .validate(Size::check)
            .upload_limit(1000),
    ]);
    let router = router(
        site,
        Some((room.submit.clone(), room.uploads.clone())),
        Some(room.jobs.clone()),
    );
    Service { room, router }
}

impl Service {
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
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
        let response = Response {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        };
        response.check(&method, &path);
        response
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        self.send(request.body(body.into()).expect("a good request"))
            .await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.request("GET", path, headers, Body::empty()).await
    }

    /// Submits JSON to the command that behaves as its payload requests.
    pub(crate) async fn act(&self, act: &str, headers: &[(&str, &str)]) -> Response {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.request(
            "POST",
            "/commands/act",
            &headers,
            format!("{{\"act\":\"{act}\"}}"),
        )
        .await
    }

    /// Starts an upload, and puts its bytes into the store. Returns the id of the upload.
    pub(crate) async fn uploaded(&self, content_type: &str, bytes: &'static [u8]) -> String {
        let asked = json!({ "content_type": content_type, "content_length": bytes.len() });
        let json = [("content-type", "application/json")];
        let upload = self
            .request("POST", "/uploads", &json, asked.to_string())
            .await
            .json();
        let url = upload["url"]
            .as_str()
            .expect("a url")
            .trim_start_matches("https://objects.example/")
            .to_owned();
        self.room
            .memory
            .put(&url, content_type, Bytes::from_static(bytes))
            .await
            .expect("put");
        upload["upload_id"].as_str().expect("an id").to_owned()
    }

    /// Submits a job. Returns the path of the job.
    pub(crate) async fn accepted_job(&self, act: &str, headers: &[(&str, &str)]) -> String {
        let accepted = self.act(act, headers).await;
        accepted.header("location").to_owned()
    }

    /// Submits a job, and works until the queue is empty. Returns the path of the job.
    pub(crate) async fn finished_job(&self, act: &str) -> String {
        let location = self
            .accepted_job(act, &[("idempotency-key", "order-1042")])
            .await;
        // So that no two of the job's times are alike, nor are they the time of the next request.
        tokio::time::sleep(Duration::from_secs(7)).await;
        self.room.work_until_idle().await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        location
    }

    /// Works after the requests of the same moment are processed.
    pub(crate) async fn work_soon(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.room.work_until_idle().await;
    }

    /// Submits a job, and works in the background until it naps or waits for its second attempt. Returns the path of the job.
    pub(crate) async fn running_job(&self, act: &str) -> (String, JoinHandle<()>) {
        let location = self
            .accepted_job(act, &[("idempotency-key", "order-1042")])
            .await;
        let room = self.room.clone();
        let work = tokio::spawn(async move { room.work_until_idle().await });
        tokio::time::sleep(Duration::from_secs(2)).await;
        (location, work)
    }
}

/// Response as a client receives it.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    /// Returns the header's value, or an empty string without the header.
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

    /// Asserts that the response is this problem, and returns it.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status, &problem["code"]),
            (status, &json!(code)),
            "{problem}"
        );
        problem
    }

    /// Asserts that the policy of a page lets nothing run but its own script and style.
    pub(crate) fn check_policy(&self) {
        use base64::Engine as _;
        let policy = self.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"),
            "{policy}"
        );
        for element in ["script", "style"] {
            let (_, rest) = self
                .text()
                .split_once(&format!("<{element}>"))
                .expect("it opens");
            let (text, rest) = rest
                .split_once(&format!("</{element}>"))
                .expect("it closes");
            assert!(!rest.contains(&format!("<{element}")), "there is one");
            let digest = base64::engine::general_purpose::STANDARD
                .encode(cloakroom_core::Digest::from_content(text.as_bytes()).as_bytes());
            assert!(
                policy.contains(&format!("{element}-src 'sha256-{digest}'")),
                "{policy}"
            );
        }
    }

    /// Checks the rules of every response.
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
            let known = known.get(&status).or(known.get(&family));
            let known =
                known.unwrap_or_else(|| panic!("openapi.yaml lacks {method} {path} {status}"));
            // A minimal response has no body, and of a finished job there is nothing to wait for.
            let minimal = self.header("preference-applied") == "return=minimal";
            for name in documented_headers(known).filter(|_| !minimal && self.status != 304) {
                let found = self.headers.contains_key(name);
                assert!(found, "{method} {path} {status} lacks {name}");
            }
        }
    }
}

/// Returns the headers that every such response has.
fn documented_headers(response: &'static Value) -> impl Iterator<Item = &'static str> {
    let headers = resolved(&DOCUMENT, response)["headers"].as_object();
    // A reference is to a header that has one meaning everywhere. What a route describes itself may be absent.
    let always = |(name, header): (&'static String, &Value)| {
        let sometimes = ["Idempotent-Replayed", "Preference-Applied"];
        let always = header["$ref"].is_string() && !sometimes.contains(&name.as_str());
        always.then_some(name.as_str())
    };
    headers.into_iter().flatten().filter_map(always)
}

/// Returns what a part of a document refers to, or the part itself.
pub(crate) fn resolved<'d>(document: &'d Value, part: &'d Value) -> &'d Value {
    match part["$ref"].as_str() {
        Some(place) => document.pointer(&place[1..]).expect("it exists"),
        None => part,
    }
}

/// Trace of a request.
pub(crate) const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Document in the repository.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let yaml = include_str!("../../../../openapi.yaml");
    serde_yaml_ng::from_str(yaml).expect("YAML that JSON can say")
});

/// Returns the document's operation for a request.
fn documented(method: &Method, path: &str) -> Option<&'static Value> {
    let method = if method == Method::HEAD {
        "get".to_owned()
    } else {
        method.as_str().to_lowercase()
    };
    template(path).and_then(|template| DOCUMENT["paths"][template].get(&method))
}

/// Returns the path in the document that matches a request's path.
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
