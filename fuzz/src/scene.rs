//! A deployment in memory for untrusted requests, whose time passes as needed.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::ports::{Objects as _, keys};
use cloakroom_app::testing::{Nothing, Room};
use cloakroom_app::{Command, HandlerError, Output};
use cloakroom_core::{JobKey, Tenant};
use cloakroom_http::{Cors, Site};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::contract::{Answer, BASE};
use crate::request::{Before, Sent};

/// Header with the tenant of a request.
const WHO: &str = "x-tenant";

/// Maximum length of a requested result in bytes. Longer ones take more time without further benefit.
const MOST_RESULT_BYTES: u64 = 100_000;

/// Maximum number of bytes that are sent to a multipart upload.
const MOST_SENT_BYTES: usize = 1000;

/// A deployment and its router.
pub(crate) struct Scene {
    pub(crate) room: Room,
    router: Router,
    /// True after a request that would end the process or overload it: then no more jobs run.
    harmful: bool,
    /// Values of `{job}` and `{upload}` in an input.
    pub(crate) place: String,
    pub(crate) upload: String,
}

/// Runs a scene with paused time, which advances when all tasks wait for it.
pub(crate) fn play(scene: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(scene());
}

/// Returns the commands of the deployment, and one that requires a key.
pub(crate) fn commands() -> Vec<Command> {
    let mut commands: Vec<_> = demo::service().iter().cloned().collect();
    let nothing = |_: Nothing| async { Ok::<_, HandlerError>(Output::none()) };
    commands.push(
        Command::json("strict", nothing)
            .key_required()
            .body_limit(40),
    );
    commands
}

impl Scene {
    pub(crate) fn new() -> Self {
        let room = Room::new(commands());
        let site = Site::from_base_url(BASE)
            .cors(Cors::Only(vec!["https://shop.example".into()]))
            .tenant(|parts| {
                let Some(name) = parts.headers.get(WHO) else {
                    return Some(Tenant::default());
                };
                name.to_str().ok()?.parse().ok()
            });
        let router = cloakroom_http::router(
            site,
            Some((room.submit.clone(), room.uploads.clone())),
            Some(room.jobs.clone()),
        );
        let place = format!("{BASE}/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11");
        Self {
            room,
            router,
            harmful: false,
            place,
            upload: String::new(),
        }
    }

    /// Returns the tenant of a request, which may be missing.
    pub(crate) fn tenant(sent: &Sent) -> Option<Tenant> {
        let Some(value) = sent.headers.iter().find(|(name, _)| name == WHO) else {
            return Some(Tenant::default());
        };
        value.1.to_str().ok()?.parse().ok()
    }

    /// Returns the response to a request, and checks it against the contract.
    pub(crate) async fn ask(&mut self, sent: &Sent) -> Answer {
        if sent.before == Before::Work {
            self.work().await;
        }
        self.harmful |= is_harmful(&sent.body);
        let mut request = Request::new(Body::from(sent.body.clone()));
        (*request.method_mut(), *request.uri_mut()) = (sent.method.clone(), sent.uri.clone());
        for (name, value) in &sent.headers {
            request.headers_mut().append(name, value.clone());
        }
        let answer = self.send(request).await;
        if sent.uri.path().ends_with("/uploads") && answer.status == 201 {
            self.uploaded(sent, &answer.json()).await;
        }
        answer
    }

    async fn send(&self, request: Request<Body>) -> Answer {
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
            status: parts.status,
            headers: parts.headers,
            body,
        };
        answer.check(&method, &path);
        answer
    }

    /// Requests a path as this tenant.
    pub(crate) async fn get(&self, tenant: &Tenant, path: &str, accept: &'static str) -> Answer {
        self.request(Method::GET, tenant, path, accept).await
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        tenant: &Tenant,
        path: &str,
        accept: &'static str,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(WHO, tenant.as_str())
            .header("accept", accept);
        self.send(request.body(Body::empty()).expect("a good request"))
            .await
    }

    /// Uploads to a link: a few bytes of its type, or the promised length of a multipart upload if it is small.
    async fn uploaded(&mut self, sent: &Sent, answer: &Value) {
        answer["upload_id"]
            .as_str()
            .expect("an id")
            .clone_into(&mut self.upload);
        let (tenant, id) = (
            Self::tenant(sent).expect("nobody makes no uploads"),
            self.upload.parse().expect("an id"),
        );
        if let Some(parts) = answer["parts"].as_array() {
            parts.iter().for_each(can_be_sent);
            let length = answer["content_length"]
                .as_u64()
                .and_then(|length| usize::try_from(length).ok());
            if let Some(length) = length.filter(|length| *length <= MOST_SENT_BYTES) {
                let bytes: Vec<_> = b"{}"
                    .iter()
                    .copied()
                    .chain(std::iter::repeat(b' '))
                    .take(length)
                    .collect();
                assert!(
                    self.room
                        .memory
                        .put_part(&keys::parts(&tenant, id), 1, bytes.into())
                );
            }
            return;
        }
        let terms: Value = serde_json::from_slice(&sent.body).expect("it was read");
        let content_type = terms["content_type"].as_str().expect("it was read");
        can_be_sent(answer);
        let key = keys::upload(&tenant, id);
        self.room
            .memory
            .put(&key, content_type, Bytes::from_static(b"{}"))
            .await
            .expect("the memory does not fail");
    }

    /// Processes all messages.
    pub(crate) async fn work(&self) -> bool {
        if !self.harmful {
            self.room.work_until_idle().await;
        }
        !self.harmful
    }
}

/// Checks that the headers of a link are valid.
fn can_be_sent(link: &Value) {
    for (name, value) in link["headers"].as_object().expect("headers") {
        let value = value.as_str().expect("a text");
        assert!(
            http::HeaderValue::from_str(value).is_ok(),
            "the header {name} of an upload: {value:?}"
        );
    }
}

/// Returns true for a diagnostic command with a harmful effect.
fn is_harmful(body: &[u8]) -> bool {
    let Ok(todo) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    matches!(todo["fail"].as_str(), Some("exit" | "panic"))
        || todo["result_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > MOST_RESULT_BYTES)
}

/// Returns the key of the job at a location.
pub(crate) fn job_at(tenant: &Tenant, place: &str) -> JobKey {
    let id = place
        .strip_prefix(BASE)
        .and_then(|path| path.strip_prefix("/jobs/"))
        .expect("the path of a job");
    JobKey {
        tenant: tenant.clone(),
        id: id.parse().expect("an id"),
    }
}

/// Returns a tenant that no request has.
pub(crate) fn stranger() -> Tenant {
    "a-stranger".parse().expect("a good name")
}
