//! A server that replies by a script and records the requests, and a clock that only counts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use cloakroom_client::{Builder, Client, Clock, Sleep};
use serde_json::{Value, json};

pub(crate) const ID: &str = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";

/// Request that the server received.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Request line, such as `GET /jobs/1?a=b`.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a header of text"))
    }
}

/// Next step of the script.
pub(crate) enum Reply {
    Answer(Box<Response<Body>>),
    /// Closes the connection without a response.
    Drop,
    /// Never responds.
    Never,
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Reply::Answer(Box::new(response.body(body.into()).expect("a response")))
}

/// Returns a job document, with the members of `more`.
pub(crate) fn job(status: &str, more: &Value) -> Value {
    let mut job = json!({
        "id": ID, "type": "thumbnail.create", "status": status, "attempt": 1, "result": null, "unheard_of": true,
        "created_at": "2026-11-21T08:00:00.123Z", "updated_at": "2026-11-21T08:00:04.990Z", "expires_at": "2026-11-22T08:00:00.123Z",
        "links": { "self": format!("/jobs/{ID}"), "result": format!("/jobs/{ID}/result"), "cancel": null, "events": "/later" },
    });
    for (name, value) in more.as_object().expect("an object") {
        job[name] = value.clone();
    }
    job
}

pub(crate) fn problem(status: u16, code: &str, job: Option<Value>) -> Reply {
    let mut body = json!({ "type": format!("urn:x:{code}"), "title": "No", "status": status, "detail": "not so", "code": code });
    if let Some(job) = job {
        body["job"] = job;
    }
    reply(
        status,
        &[("content-type", "application/problem+json")],
        body.to_string(),
    )
}

#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

pub(crate) struct Server {
    pub(crate) url: String,
    script: Script,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Script::default();
        script.replies.lock().expect("a lock").extend(replies);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// The number of requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.script.seen.lock().expect("a lock").len()
    }

    /// Returns the requests. Panics if there are replies left.
    pub(crate) fn end(self) -> Vec<Seen> {
        assert!(
            self.script.replies.lock().expect("a lock").is_empty(),
            "the script is not played to its end"
        );
        std::mem::take(&mut *self.script.seen.lock().expect("a lock"))
    }
}

async fn answer(State(script): State<Script>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let seen = Seen {
        line: format!("{} {}", parts.method, parts.uri),
        headers: parts.headers,
        body: to_bytes(body, usize::MAX).await.expect("a body"),
    };
    script.seen.lock().expect("a lock").push(seen);
    let next = script.replies.lock().expect("a lock").pop_front();
    match next {
        Some(Reply::Answer(response)) => *response,
        // Ends the connection's task, and the connection with it, without the panic's message.
        Some(Reply::Drop) => std::panic::resume_unwind(Box::new("dropped")),
        Some(Reply::Never) => std::future::pending().await,
        None => Response::builder()
            .status(418)
            .body(Body::from("the script has ended"))
            .expect("a response"),
    }
}

/// Clock that counts the waits: the time is their sum. The jitter is always the longest.
#[derive(Default)]
pub(crate) struct CountingClock(Mutex<Vec<Duration>>);

impl CountingClock {
    pub(crate) fn waits_ms(&self) -> Vec<u128> {
        self.0
            .lock()
            .expect("a lock")
            .iter()
            .map(Duration::as_millis)
            .collect()
    }
}

impl Clock for CountingClock {
    fn now(&self) -> Duration {
        self.0.lock().expect("a lock").iter().sum()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.0.lock().expect("a lock").push(duration);
        Box::pin(std::future::ready(()))
    }

    fn unit(&self) -> f64 {
        1.0
    }
}

/// Returns a client of the server, and the clock that counts its waits.
pub(crate) fn client(url: &str, more: impl Fn(Builder) -> Builder) -> (Client, Arc<CountingClock>) {
    let clock = Arc::new(CountingClock::default());
    let builder = Client::builder(url).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    (more(builder).build().expect("a client"), clock)
}
