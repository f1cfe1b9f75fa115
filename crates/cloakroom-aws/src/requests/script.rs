//! Scripted AWS: records each request, and returns the test's next response.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use cloakroom_app::ports::PortError;
use serde_json::Value;

use crate::clients::{Clients, Local};

/// Headers that differ between runs, or that are irrelevant to the call.
const LEFT_OUT: [&str; 11] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "authorization",
    "content-length",
    "host",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-user-agent",
    "x-amzn-query-mode",
    "accept-encoding",
];

/// Query parameters of a presigned URL that differ between runs.
const OF_SIGNATURES: [&str; 3] = ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"];

/// A response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    delay: Duration,
}

/// Returns a 200 response with this body.
pub(crate) fn ok(body: &str) -> Answer {
    Answer {
        status: 200,
        body: body.into(),
        ..Answer::default()
    }
}

/// Returns an error response with a body in the service's format.
pub(crate) fn failed(status: u16, body: &str) -> Answer {
    Answer { status, ..ok(body) }
}

impl Answer {
    /// Delays the response.
    pub(crate) fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// Asserts that a call of a port fails if the service denies it, and if the service itself fails at each try.
pub(crate) async fn fails_with_its_service<T: fmt::Debug>(
    name: &str,
    (denied, fault): (Answer, Answer),
    call: impl AsyncFn(&Clients) -> Result<T, PortError>,
) {
    let called = call(&Script::new([denied]).clients()).await;
    assert!(
        matches!(called, Err(PortError::Misconfigured { .. })),
        "{name}: {called:?}"
    );
    let faults = [fault.clone(), fault.clone(), fault];
    let called = call(&Script::new(faults).clients()).await;
    assert!(
        matches!(called, Err(PortError::Unavailable { .. })),
        "{name}: {called:?}"
    );
}

/// Remaining responses, and the requests so far. Clones share both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    requests: Vec<String>,
    connect_timeouts: Vec<Option<Duration>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self(Arc::new(Mutex::new(State {
            answers: answers.into_iter().collect(),
            ..State::default()
        })))
    }

    /// Returns clients whose requests are all sent to this script.
    pub(crate) fn clients(&self) -> Clients {
        let local = Local {
            dynamodb_url: "http://dynamodb.example",
            sqs_url: "http://sqs.example",
            s3_url: "http://s3.example",
            region: "eu-west-1",
            access_key: "key",
            secret_key: "secret",
        };
        Clients::local(&local).with_http_client(SharedHttpClient::new(self.clone()))
    }

    /// Returns the requests so far.
    pub(crate) fn requests_so_far(&self) -> String {
        self.0
            .lock()
            .expect("no test panics while it holds the script")
            .requests
            .join("\n")
    }

    /// Returns the requests since the last call. All responses must have been used.
    pub(crate) fn requests(&self) -> String {
        let mut state = self
            .0
            .lock()
            .expect("no test panics while it holds the script");
        assert!(
            state.answers.is_empty(),
            "answers that were not asked for: {:?}",
            state.answers
        );
        std::mem::take(&mut state.requests).join("\n")
    }

    /// Returns the number of requests so far.
    pub(crate) fn count(&self) -> usize {
        self.0
            .lock()
            .expect("no test panics while it holds the script")
            .requests
            .len()
    }

    /// Returns the connect timeout of each connection.
    pub(crate) fn connect_timeouts(&self) -> Vec<Option<Duration>> {
        self.0
            .lock()
            .expect("no test panics while it holds the script")
            .connect_timeouts
            .clone()
    }
}

impl HttpClient for Script {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let mut state = self
            .0
            .lock()
            .expect("no test panics while it holds the script");
        state.connect_timeouts.push(settings.connect_timeout());
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Script {
    /// Never responds after the script has ended.
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut state = self
            .0
            .lock()
            .expect("no test panics while it holds the script");
        state.requests.push(described(&request));
        let Some(answer) = state.answers.pop_front() else {
            return HttpConnectorFuture::new(std::future::pending());
        };
        let mut response = HttpResponse::new(
            answer.status.try_into().expect("a status"),
            SdkBody::from(answer.body),
        );
        for (name, value) in answer.headers {
            response.headers_mut().insert(name, value);
        }
        // Without a delay, a response comes before the next request is made.
        if answer.delay.is_zero() {
            return HttpConnectorFuture::ready(Ok(response));
        }
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(answer.delay).await;
            Ok(response)
        })
    }
}

fn described(request: &HttpRequest) -> String {
    let mut text = format!("{} {}\n", request.method(), link(request.uri()));
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(name))
        .collect();
    headers.sort_unstable();
    for (name, value) in headers {
        _ = writeln!(text, "{name}: {value}");
    }
    let body = request.body().bytes().expect("bodies are in memory");
    match serde_json::from_slice::<Value>(body) {
        Ok(mut body) => {
            if let Some(token) = body.get_mut("ClientToken") {
                *token = "(random)".into();
            }
            _ = writeln!(text, "{body:#}");
        }
        Err(_) if body.is_empty() => {}
        Err(_) if body.len() > 1000 => _ = writeln!(text, "({} bytes)", body.len()),
        Err(_) => _ = writeln!(text, "{}", String::from_utf8_lossy(body)),
    }
    text
}

/// Returns a URL without the parameters that differ between signatures.
pub(crate) fn link(url: &str) -> String {
    let Some((place, query)) = url.split_once('?') else {
        return url.to_owned();
    };
    let differs = |parameter: &&str| {
        OF_SIGNATURES
            .iter()
            .any(|name| parameter.split('=').next() == Some(*name))
    };
    let mut parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !differs(parameter))
        .collect();
    parameters.sort_unstable();
    format!("{place}?{}", parameters.join("&"))
}
