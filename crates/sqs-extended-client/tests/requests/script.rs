//! Scripted AWS. SQS returns the responses of a test in order. S3 has the text "payload" at each key.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use cloakroom_sqs_extended_client::{ExtendedClient, Settings};
use serde_json::Value;

/// A request: its method and target, content type and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Remaining responses, and the requests so far. Clones share both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    answers: Arc<Mutex<VecDeque<String>>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Script {
    pub(crate) fn new<'a>(answers: impl IntoIterator<Item = &'a str>) -> Self {
        let answers = answers.into_iter().map(ToOwned::to_owned).collect();
        Self {
            answers: Arc::new(Mutex::new(answers)),
            requests: Arc::default(),
        }
    }

    /// Returns a client whose requests are all sent to this script.
    pub(crate) fn client(&self, settings: Settings) -> ExtendedClient {
        let (http, region) = (
            SharedHttpClient::new(self.clone()),
            Region::from_static("eu-west-1"),
        );
        let credentials = Credentials::new("key", "secret", None, None, "given");
        let sqs = aws_sdk_sqs::Config::builder().behavior_version(BehaviorVersion::latest());
        let sqs = sqs
            .http_client(http.clone())
            .region(region.clone())
            .credentials_provider(credentials.clone());
        let s3 = aws_sdk_s3::Config::builder().behavior_version(BehaviorVersion::latest());
        let s3 = s3
            .http_client(http)
            .region(region)
            .credentials_provider(credentials)
            .force_path_style(true);
        let sqs = aws_sdk_sqs::Client::from_conf(sqs.build());
        ExtendedClient::new(sqs, aws_sdk_s3::Client::from_conf(s3.build()), settings)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests
            .lock()
            .expect("no test panics while it holds the script")
            .clone()
    }
}

impl HttpClient for Script {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
        let target = header("x-amz-target");
        let uri = request.uri().split('?').next().unwrap_or_default();
        let place = if target.is_empty() {
            uri
        } else {
            target.as_str()
        };
        self.requests
            .lock()
            .expect("no test panics while it holds the script")
            .push(Request {
                line: format!("{} {place}", request.method()),
                content_type: header("content-type"),
                body: request
                    .body()
                    .bytes()
                    .expect("bodies are in memory")
                    .to_vec(),
            });
        let next = || {
            self.answers
                .lock()
                .expect("no test panics while it holds the script")
                .pop_front()
        };
        let body = if target.is_empty() {
            "payload".to_owned()
        } else {
            next().expect("an answer of SQS")
        };
        let status = 200.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}
