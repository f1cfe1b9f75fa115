//! A deployment in memory that strangers write to, and time that passes as it is needed.

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

/// The header that says whose a request is, here.
const WHO: &str = "x-tenant";

/// The most bytes of a result that is asked for: more of them show nothing more, and take their time.
const MOST_RESULT_BYTES: u64 = 100_000;

/// The most bytes of an upload in parts that are sent.
const MOST_SENT_BYTES: usize = 1000;

/// A deployment and its router.
pub(crate) struct Scene {
    pub(crate) room: Room,
    router: Router,
    /// Something was asked for that ends the process, or takes too much of it: no more work is done.
    harmful: bool,
    /// What an input means by `{job}` and by `{upload}`.
    pub(crate) place: String,
    pub(crate) upload: String,
}

/// Runs this where time is paused: it passes at once when all wait for it.
pub(crate) fn play(scene: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(scene());
}

/// The commands of the deployment, and one that asks for a key.
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

    /// Whose a request is; nobody's it may be too.
    pub(crate) fn tenant(sent: &Sent) -> Option<Tenant> {
        let Some(value) = sent.headers.iter().find(|(name, _)| name == WHO) else {
            return Some(Tenant::default());
        };
        value.1.to_str().ok()?.parse().ok()
    }

    /// The answer to a request, held to the contract.
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

    /// Asks for a path as this tenant.
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

    /// Does what an upload's link takes: a few bytes, of its type; or, of an upload in parts, as many as were promised, if they are few.
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

    /// Does all the work there is.
    pub(crate) async fn work(&self) -> bool {
        if !self.harmful {
            self.room.work_until_idle().await;
        }
        !self.harmful
    }
}

/// Whether the headers of a link are some.
fn can_be_sent(link: &Value) {
    for (name, value) in link["headers"].as_object().expect("headers") {
        let value = value.as_str().expect("a text");
        assert!(
            http::HeaderValue::from_str(value).is_ok(),
            "the header {name} of an upload: {value:?}"
        );
    }
}

/// Whether this is a diagnostic that does more than be refused or run.
fn is_harmful(body: &[u8]) -> bool {
    let Ok(todo) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    matches!(todo["fail"].as_str(), Some("exit" | "panic"))
        || todo["result_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > MOST_RESULT_BYTES)
}

/// The key of the job at a place.
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

/// A name that no request is of.
pub(crate) fn stranger() -> Tenant {
    "a-stranger".parse().expect("a good name")
}
