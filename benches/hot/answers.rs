//! Fixed responses of AWS, so that only our code and the SDK are counted.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

const ACCEPTED: &str = r#"{"pk":{"S":"job#default#c304c489-1e2e-8a1e-9e8e-b02b76c5e2cd"},"v":{"N":"1"},
    "tenant":{"S":"default"},"id":{"S":"c304c489-1e2e-8a1e-9e8e-b02b76c5e2cd"},"client_job_id":{"S":"order-1"},
    "type":{"S":"diagnostic.run"},"fingerprint":{"B":"5rBjEfvIEPCz9dy6Vl7z9ezNBefsrwt4d4L8yFsUwdQ="},
    "retention":{"N":"86400"},"status":{"S":"STATUS"},"version":{"N":"1"},"attempt":{"N":"1"},
    "ready_at":{"N":"1795306380953"},"created_at":{"N":"1795306380953"},"updated_at":{"N":"1795306380953"},
    "expires_at":{"N":"9795392781"},"history":{"L":[{"S":"1795306380970 claim"}]}"#;
const LEASE: &str = r#","lease_token":{"S":"f9e56d72-ba9b-4115-991c-f5b0f04fe8dd"},
    "lease_message":{"S":"059f36b4-87a3-44ab-83d2-661975100000"},"lease_ends_at":{"N":"9795306440970"},
    "started_at":{"N":"1795306380970"}"#;

/// HTTP client with a fixed response to every call.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    found: String,
    claimed: String,
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Default for Answers {
    fn default() -> Self {
        let item = |name: &str, status: &str, more: &str| {
            format!(
                "{{\"{name}\":{}{}}}}}",
                ACCEPTED.replace("STATUS", status),
                more
            )
        };
        Self {
            found: item("Item", "accepted", ""),
            claimed: item("Attributes", "running", LEASE),
            messages: Arc::default(),
        }
    }
}

impl Answers {
    pub(crate) fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Returns the bodies of the messages that were sent since the last call.
    pub(crate) fn messages(&self) -> Vec<String> {
        let sent = std::mem::take(
            &mut *self
                .messages
                .lock()
                .expect("nothing panics while it answers"),
        );
        let body = |call: &Vec<u8>| {
            let call: Value = serde_json::from_slice(call).expect("JSON");
            call["MessageBody"].as_str().expect("a body").to_owned()
        };
        sent.iter().map(body).collect()
    }
}

impl HttpClient for Answers {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Answers {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let answer = match target.rsplit('.').next().unwrap_or_default() {
            "GetItem" => self.found.as_str(),
            // Only the claim reads the new record.
            "UpdateItem" if body.windows(7).any(|word| word == b"ALL_NEW") => self.claimed.as_str(),
            "PutItem" | "UpdateItem" => "{}",
            "SendMessage" => {
                self.messages
                    .lock()
                    .expect("nothing panics while it answers")
                    .push(body.to_owned());
                r#"{"MessageId":"c10a6300-0000-4000-8000-000000000002"}"#
            }
            other => panic!("nothing answers {other}"),
        };
        let answer = HttpResponse::new(200.try_into().expect("a status"), SdkBody::from(answer));
        HttpConnectorFuture::ready(Ok(answer))
    }
}
