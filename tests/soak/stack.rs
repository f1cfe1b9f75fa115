//! Deployed stack, whose functions use the proxy and a ledger.

use std::env;
use std::path::Path;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::types::QueueAttributeName;
use reqwest::{Client, Method};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

const FUNCTIONS: [&str; 5] = ["submit", "worker", "status", "dead-letters", "sweeper"];

/// Variables from which SDKs read an endpoint. Some emulators set the first one themselves; the others take precedence.
const ENDPOINTS: [&str; 4] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_S3",
];

/// Not a valid signature, but sufficient for an emulator to recognize the service of a request.
const FOR_LAMBDA: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";

/// Documented time until the sweeper ends a job after the last receipt of its message.
const SWEEPER: Duration = Duration::from_secs(42 * 60);

/// Stack of the environment that `localstack/status --env` prints.
pub(crate) struct Stack {
    pub(crate) url: String,
    pub(crate) endpoint: String,
    name: String,
    queue: String,
    receives: u32,
    table: String,
    /// Duration of a worker's lease.
    pub(crate) lease: Duration,
    http: Client,
}

/// Previous configuration.
pub(crate) struct Undo {
    variables: Vec<Value>,
    visibility: String,
}

impl Stack {
    pub(crate) async fn find() -> Self {
        let variable = |name: &str| {
            env::var(name).unwrap_or_else(|_| panic!("set {name}: see localstack/status --env"))
        };
        let mut stack = Self {
            url: variable("CLOAKROOM_URL"),
            endpoint: variable("AWS_ENDPOINT_URL"),
            name: variable("CLOAKROOM_STACK"),
            queue: variable("CLOAKROOM_QUEUE_URL"),
            receives: 0,
            table: String::new(),
            lease: Duration::ZERO,
            http: Client::builder().no_proxy().build().expect("a client"),
        };
        let redrive: Value =
            serde_json::from_str(&stack.attribute(QueueAttributeName::RedrivePolicy).await)
                .expect("a redrive policy");
        let receives = &redrive["maxReceiveCount"];
        stack.receives = receives
            .as_u64()
            .or_else(|| receives.as_str()?.parse().ok())
            .map(u32::try_from)
            .expect("a count")
            .expect("of receipts");
        let worker = stack.variables("worker").await;
        stack
            .table
            .push_str(worker["CLOAKROOM_TABLE"].as_str().expect("it is deployed"));
        let seconds = worker["CLOAKROOM_LEASE_SECONDS"]
            .as_str()
            .and_then(|it| it.parse().ok());
        stack.lease = Duration::from_secs(seconds.expect("the template says how long"));
        stack
    }

    /// Returns the maximum time until an accepted job ends, after the last fault.
    pub(crate) fn bound(&self, visibility: u32) -> Duration {
        Duration::from_secs(u64::from(self.receives * visibility)) + SWEEPER
    }

    /// Makes the functions use the proxy.
    pub(crate) async fn hand_over(&self, proxy: &str, ledger: &Path, visibility: u32) -> Undo {
        let undo = Undo {
            variables: self.all_variables().await,
            visibility: self.attribute(QueueAttributeName::VisibilityTimeout).await,
        };
        for (function, before) in FUNCTIONS.iter().zip(&undo.variables) {
            let mut variables: Map<String, Value> = before.as_object().expect("variables").clone();
            variables.extend(ENDPOINTS.map(|name| (name.to_owned(), json!(proxy))));
            variables.insert("CLOAKROOM_DIAGNOSTIC_LEDGER".to_owned(), json!(ledger));
            self.set_variables(function, &Value::Object(variables))
                .await;
        }
        self.set_visibility(&visibility.to_string()).await;
        undo
    }

    /// Restores the previous configuration.
    pub(crate) async fn take_back(&self, undo: Undo) {
        for (function, before) in FUNCTIONS.iter().zip(&undo.variables) {
            self.set_variables(function, before).await;
        }
        self.set_visibility(&undo.visibility).await;
    }

    async fn all_variables(&self) -> Vec<Value> {
        let mut all = vec![];
        for function in FUNCTIONS {
            all.push(self.variables(function).await);
        }
        all
    }

    async fn variables(&self, function: &str) -> Value {
        let mut configuration = self.configuration(Method::GET, function, None).await;
        configuration["Environment"]["Variables"].take()
    }

    async fn set_variables(&self, function: &str, variables: &Value) {
        let new = json!({ "Environment": { "Variables": variables } });
        let mut configuration = self.configuration(Method::PUT, function, Some(&new)).await;
        while configuration["LastUpdateStatus"] == "InProgress" {
            sleep(Duration::from_millis(100)).await;
            configuration = self.configuration(Method::GET, function, None).await;
        }
    }

    async fn configuration(&self, method: Method, function: &str, new: Option<&Value>) -> Value {
        let url = format!(
            "{}/2015-03-31/functions/{}-{function}/configuration",
            self.endpoint, self.name
        );
        let request = self
            .http
            .request(method, url)
            .header("Authorization", FOR_LAMBDA);
        let request = if let Some(new) = new {
            request.json(new)
        } else {
            request
        };
        let answer = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .expect("a configuration");
        answer.json().await.expect("JSON")
    }

    async fn sqs() -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await)
    }

    async fn attribute(&self, name: QueueAttributeName) -> String {
        let sqs = Self::sqs().await;
        let asked = sqs
            .get_queue_attributes()
            .queue_url(&self.queue)
            .attribute_names(name.clone())
            .send()
            .await;
        asked
            .expect("its attributes")
            .attributes
            .expect("one of them")[&name]
            .clone()
    }

    async fn set_visibility(&self, seconds: &str) {
        let (sqs, name) = (Self::sqs().await, QueueAttributeName::VisibilityTimeout);
        sqs.set_queue_attributes()
            .queue_url(&self.queue)
            .attributes(name, seconds)
            .send()
            .await
            .expect("set");
    }

    /// Returns the number of records in the table.
    pub(crate) async fn records(&self) -> u64 {
        let table = aws_sdk_dynamodb::Client::new(
            &aws_config::load_defaults(BehaviorVersion::latest()).await,
        );
        let (mut records, mut from) = (0, None);
        loop {
            let scan = table
                .scan()
                .table_name(&self.table)
                .select(aws_sdk_dynamodb::types::Select::Count);
            let page = scan
                .set_exclusive_start_key(from)
                .send()
                .await
                .expect("a count");
            records += u64::try_from(page.count).expect("a count");
            from = page.last_evaluated_key.filter(|key| !key.is_empty());
            if from.is_none() {
                return records;
            }
        }
    }
}
