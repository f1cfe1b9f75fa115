//! Tenants with API keys, on a separate stack (`Authorizer=api-key`): `CLOAKROOM_KEYED_URL`,
//! `CLOAKROOM_KEYED_QUEUE_URL` and `CLOAKROOM_KEYED_USAGE_PLAN`. `localstack/status --env` prints them if there is such
//! a stack.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use cloakroom_tests::{Deployment, Test, fresh_key, json, suite};
use futures::future::join_all;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    suite![
        whoever_has_no_key_is_not_let_in => [Deployment],
        whoever_has_no_key_is_told_so_by_a_problem_document => [Deployment, GatewayProblems],
        tenants_can_not_reach_each_other_by_any_route => [Deployment],
        the_group_of_every_message_is_its_tenant => [Deployment],
    ]
}

pub(crate) fn variable(name: &str) -> String {
    let how = "localstack/up --stack cloakroom-keys --parameter Authorizer=api-key";
    env::var(name).unwrap_or_else(|_| panic!("set {name} to that of a stack with API keys: {how}"))
}

fn aws(words: &[&str]) -> Vec<String> {
    let cli = env::var("CLOAKROOM_AWS_CLI").unwrap_or_else(|_| "aws".to_owned());
    let output = Command::new(cli)
        .args(words)
        .args(["--output", "text"])
        .env("AWS_PAGER", "")
        .output();
    let output = output.expect("the AWS CLI runs");
    assert!(
        output.status.success(),
        "{words:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// A caller with its own key, which is deleted with it.
pub(crate) struct Tenant {
    id: String,
    key: String,
    cloakroom: Deployment,
}

impl Tenant {
    pub(crate) fn new(name: &str) -> Self {
        let made = aws(&[
            "apigateway",
            "create-api-key",
            "--name",
            &fresh_key(name),
            "--enabled",
            "--query",
            "[id,value]",
        ]);
        let [id, key] = made.try_into().expect("an id and a key");
        let plan = variable("CLOAKROOM_KEYED_USAGE_PLAN");
        let words = [
            "create-usage-plan-key",
            "--usage-plan-id",
            &plan,
            "--key-id",
            &id,
            "--key-type",
            "API_KEY",
        ];
        aws(&[&["apigateway"], &words[..]].concat());
        Self {
            id,
            key,
            cloakroom: keyed(),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.cloakroom
            .request(method, path)
            .header("X-Api-Key", &self.key)
    }

    async fn ask(&self, method: Method, path: &str) -> (u16, Value) {
        json(self.request(method, path).send().await.expect("an answer")).await
    }

    /// Submits a diagnostic command. Returns the path of the job below the base URL.
    pub(crate) async fn accepted(&self, key: &str, payload: &Value) -> String {
        let request = self
            .request(Method::POST, "/commands/diagnostic.run")
            .header("Idempotency-Key", key);
        let (status, job) = json(request.json(payload).send().await.expect("an answer")).await;
        assert_eq!(status, 202, "{job}");
        format!("/jobs/{}", job["id"].as_str().expect("an id"))
    }

    pub(crate) async fn result_of(&self, job: &str) -> Value {
        for _ in 0..6 {
            let request = self.request(Method::GET, job).header("Prefer", "wait=20");
            let (status, job) = json(request.send().await.expect("an answer")).await;
            if status == 200 {
                return job["result"].clone();
            }
        }
        panic!("{job} does not end");
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        aws(&["apigateway", "delete-api-key", "--api-key", &self.id]);
    }
}

fn keyed() -> Deployment {
    Deployment::new(&variable("CLOAKROOM_KEYED_URL"))
}

const UNKNOWN: &str = "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";

/// Returns the responses to requests without a key, and with an invalid one.
async fn strangers() -> Vec<(String, Response)> {
    let cloakroom = keyed();
    let mut answers = vec![];
    for key in [None, Some("no-such-key-of-anybody-at-all")] {
        for (method, path) in [
            (Method::POST, "/commands/diagnostic.run"),
            (Method::POST, "/uploads"),
            (Method::GET, "/uploads/0d5f1c0e-8a51-7f0b-9c6e-2f4f2f7c9a11"),
            (Method::GET, "/openapi.json"),
            (Method::GET, "/jobs?client_job_id=k"),
            (Method::GET, UNKNOWN),
            (Method::DELETE, UNKNOWN),
            (Method::GET, "/nowhere"),
        ] {
            let mut request = cloakroom.request(method.clone(), path);
            if let Some(key) = key {
                request = request.header("X-Api-Key", key);
            }
            answers.push((
                format!("{method} {path} {key:?}"),
                request.send().await.expect("an answer"),
            ));
        }
    }
    answers
}

async fn whoever_has_no_key_is_not_let_in() {
    for (asked, answer) in strangers().await {
        assert_eq!(answer.status(), 403, "{asked}");
    }
    for path in [
        "/commands/diagnostic.run",
        "/uploads",
        "/uploads/x",
        "/openapi.json",
        "/jobs",
        UNKNOWN,
    ] {
        let preflight = keyed()
            .request(Method::OPTIONS, path)
            .header("Access-Control-Request-Method", "GET");
        assert_eq!(
            preflight.send().await.expect("an answer").status(),
            204,
            "a preflight of {path}"
        );
    }
}

async fn whoever_has_no_key_is_told_so_by_a_problem_document() {
    for (asked, answer) in strangers().await {
        let (status, problem) = json(answer).await;
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("forbidden")),
            "{asked}: {problem}"
        );
    }
}

async fn tenants_can_not_reach_each_other_by_any_route() {
    let (mine, theirs) = (Tenant::new("mine"), Tenant::new("theirs"));
    let key = fresh_key("order");
    let job = mine.accepted(&key, &json!({"result": "secret"})).await;
    let other = theirs.accepted(&key, &json!({"result": "another"})).await;
    assert_ne!(job, other, "one key of two tenants is two jobs");
    for over in [false, true] {
        if over {
            assert_eq!(mine.result_of(&job).await, "secret", "nobody cancelled it");
            assert_eq!(theirs.result_of(&other).await, "another");
        }
        for (method, below) in [
            (Method::GET, ""),
            (Method::GET, "/result"),
            (Method::DELETE, ""),
        ] {
            let mut answers = vec![];
            for path in [&job, UNKNOWN] {
                let (status, mut problem) =
                    theirs.ask(method.clone(), &format!("{path}{below}")).await;
                problem
                    .as_object_mut()
                    .expect("a problem")
                    .remove("instance");
                answers.push((status, problem));
            }
            assert_eq!(
                answers[0], answers[1],
                "{method} {below}: as one that never was"
            );
            assert_eq!(
                (answers[0].0, &answers[0].1["code"]),
                (404, &json!("unknown-job"))
            );
        }
    }
    let only_mine = fresh_key("only-mine");
    mine.accepted(&only_mine, &json!({})).await;
    let found = theirs
        .ask(Method::GET, &format!("/jobs?client_job_id={only_mine}"))
        .await;
    assert_eq!(found, (200, json!({"jobs": []})));
    uploads_are_apart(&mine, &theirs).await;
}

async fn uploads_are_apart(mine: &Tenant, theirs: &Tenant) {
    let bytes = r#"{"result": 1}"#;
    let terms = json!({"content_type": "application/json", "content_length": bytes.len()});
    let request = mine.request(Method::POST, "/uploads").json(&terms);
    let (_, ready) = json(request.send().await.expect("an answer")).await;
    let mut put = reqwest::Client::new()
        .put(ready["url"].as_str().expect("a url"))
        .body(bytes);
    for (name, value) in ready["headers"].as_object().expect("headers") {
        put = put.header(name, value.as_str().expect("a header"));
    }
    assert_eq!(put.send().await.expect("an answer").status(), 200);
    for (tenant, want) in [(theirs, 422), (mine, 202)] {
        let request = tenant.request(Method::POST, "/commands/diagnostic.run");
        let request = request.header("Upload-Id", ready["upload_id"].as_str().expect("an id"));
        let (status, answer) = json(request.send().await.expect("an answer")).await;
        assert_eq!(status, want, "{answer}");
    }
    let terms =
        json!({"content_type": "application/json", "content_length": bytes.len(), "parts": 1});
    let request = mine.request(Method::POST, "/uploads").json(&terms);
    let (_, ready) = json(request.send().await.expect("an answer")).await;
    let place = format!("/uploads/{}", ready["upload_id"].as_str().expect("an id"));
    for (tenant, want) in [(theirs, 404), (mine, 200)] {
        assert_eq!(tenant.ask(Method::GET, &place).await.0, want);
    }
}

/// Checks with a noisy and a quiet tenant that messages have a group, which makes SQS fair. The queues of emulators
/// ignore it.
async fn the_group_of_every_message_is_its_tenant() {
    let (noisy, quiet) = (Tenant::new("noisy"), Tenant::new("quiet"));
    let key = fresh_key("order");
    // Long enough for messages to wait when the number of workers is low.
    let payload = json!({"duration_ms": 1000});
    let many = (0..20).map(|n| {
        let (noisy, payload, key) = (&noisy, &payload, format!("{key}-{n}"));
        async move { noisy.accepted(&key, payload).await }
    });
    let (_, waiting) = tokio::join!(join_all(many), quiet.accepted(&key, &payload));
    let queue = variable("CLOAKROOM_KEYED_QUEUE_URL");
    let sqs = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let mut seen = BTreeSet::new();
    let mut taken: Vec<Message> = vec![];
    loop {
        let asked = sqs
            .receive_message()
            .queue_url(&queue)
            .max_number_of_messages(10)
            .wait_time_seconds(0);
        let asked = asked
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await;
        let messages = asked.expect("receive").messages.unwrap_or_default();
        for message in &messages {
            let envelope: Value =
                serde_json::from_str(message.body().expect("a body")).expect("JSON");
            let group = message
                .attributes()
                .and_then(|all| all.get(&MessageSystemAttributeName::MessageGroupId));
            assert_eq!(
                group.map(String::as_str),
                envelope["tenant"].as_str(),
                "{envelope}"
            );
            seen.extend(group.cloned());
        }
        let none = messages.is_empty();
        taken.extend(messages);
        // Other tests may have tenants of their own.
        if none || (seen.contains(&noisy.id) && seen.contains(&quiet.id)) {
            break;
        }
    }
    assert!(seen.contains(&noisy.id), "{seen:?} without {}", noisy.id);
    for message in taken {
        let back = sqs
            .change_message_visibility()
            .queue_url(&queue)
            .visibility_timeout(0);
        back.set_receipt_handle(message.receipt_handle)
            .send()
            .await
            .expect("given back");
    }
    // The job ends even if another tenant has twenty.
    quiet.result_of(&waiting).await;
}
