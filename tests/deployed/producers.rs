//! Programs that send commands to the queue themselves: with the plain SDK, and with Amazon's SQS Extended Client for
//! Python.
//!
//! The tests need a stack that accepts producers (`CLOAKROOM_PRODUCER_BUCKET` names their bucket). The second also
//! needs a Python with the library (`CLOAKROOM_EXTENDED_PYTHON`). `localstack/test` provides both.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_sqs::types::MessageAttributeValue;
use cloakroom_core::view::JobView;
use cloakroom_tests::{Deployment, Test, fresh_key, json, suite};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// Maximum time until a message is received and its job exists.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn tests() -> Vec<Test> {
    let mut tests = vec![];
    if env::var_os("CLOAKROOM_PRODUCER_BUCKET").is_some() {
        tests.extend(suite![
            a_command_that_a_plain_sdk_sends_is_done => [Deployment],
            a_command_that_is_refused_fails_its_job_which_its_producer_can_find => [Deployment],
        ]);
        if env::var_os("CLOAKROOM_EXTENDED_PYTHON").is_some() {
            tests.extend(suite![commands_that_the_extended_client_sends_are_done => [Deployment]]);
        }
    }
    tests
}

async fn a_command_that_a_plain_sdk_sends_is_done() {
    let key = fresh_key("plain");
    send(
        &json!({"result": "done"}).to_string(),
        &[("Cloakroom-Client-Job-Id", &key)],
    )
    .await;
    let id = send(&json!({"result": "done too"}).to_string(), &[]).await;
    for (key, result) in [(key, "done"), (format!("sqs:{id}"), "done too")] {
        let (status, job) = end_of(&key).await;
        assert_eq!((status, job.result), (200, Some(json!(result))), "{key}");
    }
}

async fn a_command_that_is_refused_fails_its_job_which_its_producer_can_find() {
    let key = fresh_key("refused");
    send(
        &json!({"no such": "member"}).to_string(),
        &[("Cloakroom-Client-Job-Id", &key)],
    )
    .await;
    let (status, job) = end_of(&key).await;
    assert_eq!(
        (status, job.error.map(|error| error.code)),
        (422, Some("invalid-payload".to_owned()))
    );
}

/// Sends a small and a large command, as each version of the library marks them.
async fn commands_that_the_extended_client_sends_are_done() {
    let bucket = env::var("CLOAKROOM_PRODUCER_BUCKET").expect("looked for before");
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let config =
        aws_sdk_s3::config::Builder::from(&sdk).force_path_style(sdk.endpoint_url().is_some());
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    // On AWS, the bucket exists. On an emulator, it may exist from an earlier run.
    let _ = s3.create_bucket().bucket(&bucket).send().await;
    let large = json!({"message": "x".repeat(600_000), "digest": true});
    let commands = [
        (false, json!({"result": "small"})),
        (false, large.clone()),
        (true, large),
    ];
    let commands = commands.map(|(legacy, payload)| (fresh_key("extended"), legacy, payload));
    // Sent twice, like a producer that lost the response.
    let message = |(key, legacy, payload): &(String, bool, Value)| {
        let attributes =
            json!({"Cloakroom-Command-Type": "diagnostic.run", "Cloakroom-Client-Job-Id": key});
        json!({"legacy": legacy, "body": payload.to_string(), "attributes": attributes})
    };
    let messages: Vec<_> = commands.iter().chain(&commands).map(message).collect();
    python(&json!({"queue": queue(), "bucket": bucket, "messages": messages}));
    for (key, ..) in commands {
        let (status, job) = end_of(&key).await;
        assert_eq!((status, job.attempt), (200, 1), "{key}: {job:?}");
    }
}

fn python(asked: &Value) {
    let script = cloakroom_tests::root().join("tests/conformance/extended_client.py");
    let mut command =
        Command::new(env::var("CLOAKROOM_EXTENDED_PYTHON").expect("looked for before"));
    let mut child = command
        .arg(script)
        .arg("send")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    serde_json::to_writer(child.stdin.take().expect("piped"), asked).expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

fn queue() -> String {
    env::var("CLOAKROOM_QUEUE_URL")
        .expect("set CLOAKROOM_QUEUE_URL to the URL of the stack's queue")
}

/// Sends a diagnostic command. Returns the id of the message.
async fn send(body: &str, attributes: &[(&str, &str)]) -> String {
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let mut message = aws_sdk_sqs::Client::new(&sdk)
        .send_message()
        .queue_url(queue())
        .message_body(body);
    for (name, value) in attributes
        .iter()
        .chain(&[("Cloakroom-Command-Type", "diagnostic.run")])
    {
        let text = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(*value)
            .build();
        message = message.message_attributes(*name, text.expect("its type is set"));
    }
    message
        .send()
        .await
        .expect("sent")
        .message_id
        .expect("an id")
}

/// Waits for the end of the job with this key.
async fn end_of(key: &str) -> (u16, JobView) {
    let (cloakroom, begun) = (Deployment::get().await, Instant::now());
    loop {
        let asked = cloakroom.request(Method::GET, &format!("/jobs?client_job_id={key}"));
        let (_, found) = json(asked.send().await.expect("an answer")).await;
        if let Some(location) = found["jobs"][0]["links"]["self"].as_str() {
            return cloakroom.end_of(location).await;
        }
        assert!(begun.elapsed() < PATIENCE, "there is no job of {key}");
        sleep(Duration::from_millis(200)).await;
    }
}
