//! Resources of a deployment, and the events that its gateway and its queue generate.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use cloakroom_app::delivery::Delivery;
use cloakroom_app::ports::{DeadLetterStore as _, Objects as _};
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_aws::testing::image;
use cloakroom_aws::{DynamoStore, S3Objects, SqsQueue};
use cloakroom_core::JobKey;
use cloakroom_embedded::{Services, Storage};
use serde_json::{Value, json};

use crate::embedded;
use crate::event_bridge::{self, serve};
use crate::lambda::Function;

const BUCKET: &str = "a-bucket";

const PRODUCERS_BUCKET: &str = "theirs";

/// Services of one deployment.
pub(crate) struct Stack {
    services: Services,
    /// Table of jobs.
    pub(crate) store: DynamoStore,
    queue: SqsQueue,
    deliveries: SqsQueue,
    variables: HashMap<String, String>,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        let services = Services::start(Storage::Memory)
            .await
            .expect("start the services");
        let clients = embedded::clients(&services);
        let store = DynamoStore::new(&clients, "jobs-table");
        store.create_table().await.expect("make the table");
        for bucket in [BUCKET, PRODUCERS_BUCKET] {
            S3Objects::new(&clients, bucket)
                .create_bucket()
                .await
                .expect("make the bucket");
        }
        let queues = SqsQueue::create(&clients, "a-queue", Duration::from_secs(60), 5)
            .await
            .expect("make the queue");
        let lists = SqsQueue::create(&clients, "lists", Duration::from_secs(60), 5)
            .await
            .expect("make it")
            .queue;
        let queue = queues.queue;
        let deliveries = SqsQueue::create(&clients, "deliveries", Duration::from_secs(60), 5)
            .await
            .expect("make it")
            .queue;
        let replies = SqsQueue::create_alone(&clients, "replies")
            .await
            .expect("make it");
        let mut variables = variables();
        variables.insert("AWS_ENDPOINT_URL_SCHEDULER".to_owned(), scheduler().await);
        let bus = event_bridge::start(|entry| {
            assert_eq!(entry["EventBusName"], "a-bus", "{entry}");
            assert_eq!(entry["Source"], "cloakroom", "{entry}");
        });
        let (bus, keys) = (bus.await, secrets().await);
        for (name, value) in [
            ("AWS_ENDPOINT_URL_DYNAMODB", services.dynamodb_url()),
            ("AWS_ENDPOINT_URL_SQS", services.sqs_url()),
            ("AWS_ENDPOINT_URL_S3", services.s3_url()),
            ("CLOAKROOM_QUEUE_URL", queue.url()),
            ("CLOAKROOM_DEAD_LETTERS_URL", queues.dead_letters.url()),
            ("CLOAKROOM_LISTS_URL", lists.url()),
            ("CLOAKROOM_DELIVERIES_URL", deliveries.url()),
            ("CLOAKROOM_REPLY_QUEUES", replies.url()),
            ("AWS_ENDPOINT_URL_EVENTBRIDGE", &bus),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &keys),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self {
            services,
            store,
            queue,
            deliveries,
            variables,
        }
    }

    /// Adds a variable for the functions.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts a deployment whose gateway requires API keys.
    pub(crate) async fn start_with_keys() -> Self {
        let mut stack = Self::start().await;
        stack
            .variables
            .insert("CLOAKROOM_AUTHORIZER".to_owned(), "api-key".to_owned());
        stack
    }

    pub(crate) async fn function(&self, name: &str) -> Function {
        Function::start(name, &self.variables).await
    }

    /// Starts the function behind the table's stream. It differs from deliver by its variables.
    pub(crate) async fn publisher(&self) -> Function {
        let mut variables = self.variables.clone();
        variables.remove("CLOAKROOM_KEYS_SECRET");
        Function::start("notify", &variables).await
    }

    /// Starts the function behind the queue of deliveries.
    pub(crate) async fn deliver(&self) -> Function {
        self.function("notify").await
    }

    /// Returns the visible deliveries as an event. They are not deleted.
    pub(crate) async fn receive_deliveries(&self) -> Value {
        event(
            self.deliveries
                .receive(10, Duration::ZERO)
                .await
                .expect("receive"),
        )
    }

    /// Returns the record of a job as an event of the table's stream.
    pub(crate) async fn change(&self, job: &JobKey) -> Value {
        let sdk = embedded::sdk_at(self.services.dynamodb_url()).await;
        let key = AttributeValue::S(format!("job#{}#{}", job.tenant, job.id));
        let got = aws_sdk_dynamodb::Client::new(&sdk)
            .get_item()
            .table_name("jobs-table")
            .key("pk", key)
            .send()
            .await;
        let item = got.expect("read").item.expect("a job");
        let image = item
            .iter()
            .map(|(name, value)| (name.clone(), image(value)));
        let image: serde_json::Map<_, _> = image.collect();
        json!({"Records": [{
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {"NewImage": image, "SequenceNumber": "1"},
        }]})
    }

    /// Returns the visible messages as an event for the worker. They are not deleted.
    pub(crate) async fn receive(&self) -> Value {
        event(
            self.queue
                .receive(10, Duration::ZERO)
                .await
                .expect("receive"),
        )
    }

    /// Puts a payload into the producers' bucket.
    pub(crate) async fn keep_for_a_producer(&self, key: &str, payload: String) {
        let objects = S3Objects::new(&embedded::clients(&self.services), PRODUCERS_BUCKET);
        objects
            .put(key, "text/plain", payload.into())
            .await
            .expect("put");
    }

    /// Changes one byte of every stored payload.
    pub(crate) async fn damage_payloads(&self) {
        let objects = S3Objects::new(&embedded::clients(&self.services), BUCKET);
        for key in objects.list("payloads/", None).await.expect("list") {
            let mut bytes = objects
                .get(&key)
                .await
                .expect("get")
                .expect("an object")
                .to_vec();
            bytes[0] ^= 1;
            objects
                .put(&key, "application/json", bytes.into())
                .await
                .expect("put");
        }
    }

    /// Returns a list of the sweeper, as an event.
    pub(crate) fn list(jobs: &[JobKey]) -> Value {
        let jobs: Vec<_> = jobs.iter().map(|job| json!([job.tenant, job.id])).collect();
        let body = json!({"v": 1, "jobs": jobs, "sent_at": SystemHost.now().as_seconds_ceil()})
            .to_string();
        event(vec![Delivery {
            message_id: "l".into(),
            receipt: "r".into(),
            body,
            receive_count: 1,
            producer_message: None,
        }])
    }

    pub(crate) async fn shutdown(self) {
        self.services.shutdown().await;
    }
}

/// Starts a stand-in for Secrets Manager, which has the deployment's keys. Returns its URL.
async fn secrets() -> String {
    let get = async |headers: HeaderMap, asked: String| {
        assert_eq!(
            headers["x-amz-target"], "secretsmanager.GetSecretValue",
            "{asked}"
        );
        let keys = json!({"key": "k".repeat(64)}).to_string();
        Json(json!({"Name": "keys", "SecretString": keys}))
    };
    serve(Router::new().route("/", post(get))).await
}

/// Starts a stand-in for `EventBridge` Scheduler, which accepts the first schedule of each name. Returns its URL.
async fn scheduler() -> String {
    let known = Arc::new(Mutex::new(HashSet::new()));
    let create = async move |Path(name): Path<String>, Json(schedule): Json<Value>| {
        assert_eq!(schedule["ActionAfterCompletion"], "DELETE", "{schedule}");
        let input = schedule["Target"]["Input"].as_str().expect("a message");
        assert!(
            cloakroom_app::envelope::Envelope::read(input).is_ok(),
            "{schedule}"
        );
        if known.lock().expect("no test panics here").insert(name) {
            return (
                StatusCode::OK,
                [("x-amzn-errortype", "")],
                Json(json!({"ScheduleArn": "arn:aws:scheduler:::schedule/a"})),
            );
        }
        (
            StatusCode::CONFLICT,
            [("x-amzn-errortype", "ConflictException")],
            Json(json!({"Message": "it is there"})),
        )
    };
    serve(Router::new().route("/schedules/{name}", post(create))).await
}

/// Returns messages of a queue as an event.
fn event(messages: Vec<Delivery>) -> Value {
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

/// Returns accepted jobs as an event of the table's stream.
pub(crate) fn stream(jobs: &[JobKey]) -> Value {
    let records = jobs.iter().map(|job| {
        let image = json!({"tenant": {"S": job.tenant}, "id": {"S": job.id}, "status": {"S": "accepted"}});
        json!({"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": image}})
    });
    json!({"Records": records.collect::<Vec<_>>()})
}

/// Returns the variables of a function, except the endpoints of the services.
fn variables() -> HashMap<String, String> {
    let all = [
        ("AWS_REGION", Services::REGION),
        ("AWS_ACCESS_KEY_ID", Services::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", Services::SECRET_KEY),
        ("CLOAKROOM_TABLE", "jobs-table"),
        ("CLOAKROOM_BUCKET", BUCKET),
        (
            "CLOAKROOM_NAMESPACE",
            "c10a6300-0000-4000-8000-000000000001",
        ),
        ("CLOAKROOM_PUBLIC_BASE_URL", "https://example.org/v1"),
        ("CLOAKROOM_SCHEDULE_GROUP", "schedules"),
        (
            "CLOAKROOM_SCHEDULE_ROLE_ARN",
            "arn:aws:iam::000000000000:role/schedules",
        ),
        (
            "CLOAKROOM_SCHEDULE_QUEUE_ARN",
            "arn:aws:sqs:us-east-1:000000000000:a-queue",
        ),
        ("CLOAKROOM_DIAGNOSTICS", "on"),
        ("CLOAKROOM_PRODUCERS", "default"),
        ("CLOAKROOM_PRODUCER_BUCKETS", PRODUCERS_BUCKET),
        ("CLOAKROOM_WEBHOOKS", "on"),
        ("CLOAKROOM_EVENT_BUS", "a-bus"),
        ("CLOAKROOM_KEYS_SECRET", "keys"),
    ];
    all.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Returns the event of a request through a REST API with the stage `v1`.
pub(crate) fn request(
    method: &str,
    path: &str,
    query: &Value,
    headers: &Value,
    body: Option<&str>,
) -> Value {
    let listed = headers
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, value)| (name.clone(), json!([value])));
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

/// Returns the same event with this API key id.
pub(crate) fn with_key(mut event: Value, id: &str) -> Value {
    event["requestContext"]["identity"]["apiKeyId"] = json!(id);
    event
}

/// Returns a header of a response. Empty if it is missing.
pub(crate) fn header(answer: &Value, name: &str) -> String {
    let (one, several) = (
        &answer["headers"][name],
        &answer["multiValueHeaders"][name][0],
    );
    one.as_str()
        .or(several.as_str())
        .unwrap_or_default()
        .to_owned()
}
