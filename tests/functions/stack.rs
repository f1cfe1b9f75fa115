//! What a deployment consists of, and the events that its gateway and its queue make.

use std::collections::HashMap;
use std::time::Duration;

use cloakroom_aws::{DynamoStore, S3Objects, SqsQueue};
use cloakroom_embedded::{Keep, Services};
use serde_json::{Value, json};

use crate::embedded;
use crate::lambda::Function;

/// The services of one deployment.
pub(crate) struct Stack {
    services: Services,
    queue: SqsQueue,
    variables: HashMap<String, String>,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let services = Services::start(Keep::InMemory).await.expect("start the services");
        let clients = embedded::clients(&services);
        DynamoStore::new(&clients, "jobs-table").create_table().await.expect("make the table");
        S3Objects::new(&clients, "a-bucket").create_bucket().await.expect("make the bucket");
        let queue =
            SqsQueue::create(&clients, "a-queue", Duration::from_secs(60), 5).await.expect("make the queue").queue;
        let mut variables = variables();
        for (name, value) in [
            ("AWS_ENDPOINT_URL_DYNAMODB", services.dynamodb_url()),
            ("AWS_ENDPOINT_URL_SQS", services.sqs_url()),
            ("AWS_ENDPOINT_URL_S3", services.s3_url()),
            ("CLOAKROOM_QUEUE_URL", queue.url()),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self { services, queue, variables }
    }

    /// A deployment whose gateway asks for API keys.
    pub(crate) async fn start_with_keys() -> Self {
        let mut stack = Self::start().await;
        stack.variables.insert("CLOAKROOM_AUTHORIZER".to_owned(), "api-key".to_owned());
        stack
    }

    pub(crate) async fn function(&self, name: &str) -> Function {
        Function::start(name, &self.variables).await
    }

    /// The messages that are there, as the event that brings them to the worker; they are not deleted.
    pub(crate) async fn receive(&self) -> Value {
        let messages = self.queue.receive(10, Duration::ZERO).await.expect("receive");
        let records = messages.into_iter().map(|message| {
            json!({
                "messageId": message.message_id,
                "receiptHandle": message.receipt,
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": message.receive_count.to_string()},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": "us-east-1",
            })
        });
        json!({"Records": records.collect::<Vec<_>>()})
    }

    pub(crate) async fn shutdown(self) {
        self.services.shutdown().await;
    }
}

/// The variables of a function, but for where the services are.
fn variables() -> HashMap<String, String> {
    let all = [
        ("AWS_REGION", Services::REGION),
        ("AWS_ACCESS_KEY_ID", Services::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", Services::SECRET_KEY),
        ("CLOAKROOM_TABLE", "jobs-table"),
        ("CLOAKROOM_BUCKET", "a-bucket"),
        ("CLOAKROOM_NAMESPACE", "c10a6300-0000-4000-8000-000000000001"),
        ("CLOAKROOM_PUBLIC_BASE_URL", "https://example.org/v1"),
        ("CLOAKROOM_DIAGNOSTICS", "on"),
    ];
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The event of a request through a REST API of stage `v1`.
pub(crate) fn request(method: &str, path: &str, query: &Value, headers: &Value, body: Option<&str>) -> Value {
    let listed = headers.as_object().expect("headers").iter().map(|(name, value)| (name.clone(), json!([value])));
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": listed.collect::<serde_json::Map<_, _>>(),
        "queryStringParameters": null,
        "multiValueQueryStringParameters": query,
        "pathParameters": {"proxy": path.trim_start_matches('/')},
        "stageVariables": null,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": format!("/v1{path}"),
            "stage": "v1",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "apiId": "1234567890",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// The same event, with the API key of this id.
pub(crate) fn with_key(mut event: Value, id: &str) -> Value {
    event["requestContext"]["identity"]["apiKeyId"] = json!(id);
    event
}

/// A header of an answer; empty when there is none.
pub(crate) fn header(answer: &Value, name: &str) -> String {
    let (one, several) = (&answer["headers"][name], &answer["multiValueHeaders"][name][0]);
    one.as_str().or(several.as_str()).unwrap_or_default().to_owned()
}
