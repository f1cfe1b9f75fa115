//! A flow in which every function makes all of its calls to AWS.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_app::host::{Host as _, SystemHost};
use cloakroom_app::ports::JobStore as _;
use cloakroom_core::{JobId, JobKey, Status, Tenant, Timestamp};
use reqwest::Client;
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::time::{sleep, timeout};

use crate::lambda::Function;
use crate::stack::{Stack, header, request, stream};

/// Too large for one message.
const LARGE: usize = 500_000;

/// Too large for one write.
const LARGER: usize = 6_000_000;

/// Functions, and their calls to AWS.
struct Flow {
    stack: Stack,
    submit: Function,
    worker: Function,
    status: Function,
    events: Function,
    dead_letters: Function,
    sweeper: Function,
    publisher: Function,
    deliver: Function,
}

/// Runs the flow. Returns the operations of AWS that each function called or presigned.
pub(crate) async fn flow() -> [(&'static str, BTreeSet<String>); 8] {
    let stack = Stack::start().await;
    let (submit, worker, status) = tokio::join!(
        stack.function("submit"),
        stack.function("worker"),
        stack.function("status")
    );
    let (dead_letters, sweeper) =
        tokio::join!(stack.function("dead-letters"), stack.function("sweeper"));
    let (events, publisher, deliver) =
        tokio::join!(stack.function("status"), stack.publisher(), stack.deliver());
    let flow = Flow {
        stack,
        submit,
        worker,
        status,
        events,
        dead_letters,
        sweeper,
        publisher,
        deliver,
    };
    flow.accept_and_replay().await;
    flow.upload(
        "application/json",
        b"{\"result\": 1}",
        "diagnostic.run",
        true,
    )
    .await;
    flow.upload("image/png", b"no picture", "thumbnail.create", true)
        .await;
    flow.upload("image/png", b"none either", "thumbnail.create", false)
        .await;
    flow.upload_in_parts().await;
    flow.cancel_before_it_runs().await;
    flow.work().await;
    flow.cancel_while_it_runs().await;
    flow.keep_large_things().await;
    flow.notify_listeners().await;
    flow.take_in_what_producers_send().await;
    flow.end_what_nothing_else_ends().await;
    let Flow {
        submit,
        worker,
        status,
        events,
        dead_letters,
        sweeper,
        publisher,
        deliver,
        ..
    } = flow;
    let (submit, worker, status) = tokio::join!(submit.end(), worker.end(), status.end());
    let (dead_letters, sweeper) = tokio::join!(dead_letters.end(), sweeper.end());
    let (events, publisher, deliver) = tokio::join!(events.end(), publisher.end(), deliver.end());
    [
        ("submit", submit),
        ("worker", worker),
        ("status", status),
        ("events", events),
        ("dead-letters", dead_letters),
        ("sweeper", sweeper),
        ("publisher", publisher),
        ("deliver", deliver),
    ]
}

impl Flow {
    /// Submits a diagnostic command. Returns the path of the job.
    async fn accepted(&self, headers: &[(&str, &str)], payload: &Value) -> String {
        let mut all = json!({"content-type": "application/json"});
        for (name, value) in headers {
            all[*name] = json!(value);
        }
        let event = request(
            "POST",
            "/commands/diagnostic.run",
            &json!({}),
            &all,
            Some(&payload.to_string()),
        );
        let answer = self.submit.invoke(&event).await;
        assert_eq!(answer["statusCode"], 202, "{answer}");
        header(&answer, "location")
            .trim_start_matches("/v1")
            .to_owned()
    }

    async fn ask(&self, method: &str, path: &str, query: &Value) -> Value {
        self.status
            .invoke(&request(method, path, query, &json!({}), None))
            .await
    }

    /// Processes the visible messages.
    async fn work(&self) {
        let messages = self.stack.receive().await;
        assert_ne!(messages["Records"], json!([]));
        self.worker.invoke(&messages).await;
    }

    async fn accept_and_replay(&self) {
        let payload = json!({"fail": "retryable", "fail_attempts": 1});
        let path = self.accepted(&[("idempotency-key", "k")], &payload).await;
        assert_eq!(
            self.accepted(&[("idempotency-key", "k"), ("prefer", "wait=1")], &payload)
                .await,
            path
        );
        assert_eq!(self.ask("GET", &path, &json!({})).await["statusCode"], 202);
        assert_eq!(
            self.ask("GET", "/jobs", &json!({"client_job_id": ["k"]}))
                .await["statusCode"],
            200
        );
    }

    /// Uploads, and submits twice. Also submits too early.
    async fn upload(&self, media_type: &str, bytes: &'static [u8], command: &str, digested: bool) {
        let mut terms = json!({"content_type": media_type, "content_length": bytes.len()});
        if digested {
            terms["sha256"] = json!(BASE64.encode(sha2::Sha256::digest(bytes)));
        }
        let headers = json!({"content-type": "application/json"});
        let asked = request(
            "POST",
            "/uploads",
            &json!({}),
            &headers,
            Some(&terms.to_string()),
        );
        let ready = self.submit.invoke(&asked).await;
        assert_eq!(ready["statusCode"], 201, "{ready}");
        let ready: Value =
            serde_json::from_str(ready["body"].as_str().expect("a body")).expect("JSON");

        let headers =
            json!({"upload-id": ready["upload_id"], "idempotency-key": ready["upload_id"]});
        let query = if command == "thumbnail.create" {
            json!({"width": ["64"]})
        } else {
            json!({})
        };
        let submit = request(
            "POST",
            &format!("/commands/{command}"),
            &query,
            &headers,
            None,
        );
        assert_eq!(
            self.submit.invoke(&submit).await["statusCode"],
            422,
            "there is no upload yet"
        );
        let mut put = Client::new()
            .put(ready["url"].as_str().expect("a url"))
            .body(bytes);
        for (name, value) in ready["headers"].as_object().expect("headers") {
            put = put.header(name, value.as_str().expect("a header"));
        }
        assert_eq!(put.send().await.expect("an answer").status(), 200);
        for _ in 0..2 {
            let answer = self.submit.invoke(&submit).await;
            assert_eq!(answer["statusCode"], 202, "{answer}");
        }
    }

    /// Uploads JSON in parts (at least one), and submits twice. Also submits too early.
    async fn upload_in_parts(&self) {
        let bytes = r#"{"result": 1}"#;
        let terms =
            json!({"content_type": "application/json", "content_length": bytes.len(), "parts": 1});
        let headers = json!({"content-type": "application/json"});
        let ready = self
            .submit
            .invoke(&request(
                "POST",
                "/uploads",
                &json!({}),
                &headers,
                Some(&terms.to_string()),
            ))
            .await;
        assert_eq!(ready["statusCode"], 201, "{ready}");
        let place = header(&ready, "location")
            .trim_start_matches("/v1")
            .to_owned();
        let id = place.trim_start_matches("/uploads/");
        let headers = json!({"upload-id": id, "idempotency-key": id});
        let submit = request(
            "POST",
            "/commands/diagnostic.run",
            &json!({}),
            &headers,
            None,
        );
        assert_eq!(
            self.submit.invoke(&submit).await["statusCode"],
            422,
            "a part is missing"
        );
        let looked = self
            .submit
            .invoke(&request("GET", &place, &json!({}), &json!({}), None))
            .await;
        let upload: Value =
            serde_json::from_str(looked["body"].as_str().expect("a body")).expect("JSON");
        let put = Client::new()
            .put(upload["parts"][0]["url"].as_str().expect("a url"))
            .body(bytes);
        assert_eq!(put.send().await.expect("an answer").status(), 200);
        for _ in 0..2 {
            let answer = self.submit.invoke(&submit).await;
            assert_eq!(answer["statusCode"], 202, "{answer}");
        }
    }

    async fn cancel_before_it_runs(&self) {
        let path = self.accepted(&[], &json!({})).await;
        assert_eq!(
            self.ask("DELETE", &path, &json!({})).await["statusCode"],
            200
        );
    }

    /// The job reports progress, so it is notified of the cancellation soon.
    async fn cancel_while_it_runs(&self) {
        let path = self
            .accepted(&[], &json!({"duration_ms": 25_000, "progress_steps": 25}))
            .await;
        let cancel = async {
            while !self.ask("GET", &path, &json!({})).await["body"]
                .as_str()
                .expect("a body")
                .contains("running")
            {
                sleep(Duration::from_millis(50)).await;
            }
            assert_eq!(
                self.ask("DELETE", &path, &json!({})).await["statusCode"],
                202
            );
        };
        // The job would end without the cancellation, but it must start.
        timeout(Duration::from_secs(60), async {
            tokio::join!(self.work(), cancel)
        })
        .await
        .expect("it begins and ends");
        assert_eq!(self.ask("GET", &path, &json!({})).await["statusCode"], 410);
    }

    async fn keep_large_things(&self) {
        for length in [LARGE, LARGER] {
            let payload = json!({"message": "x".repeat(LARGE), "result_bytes": length});
            let path = self.accepted(&[], &payload).await;
            self.work().await;
            let result = self.ask("GET", &format!("{path}/result"), &json!({})).await;
            assert_eq!(result["statusCode"], 303, "{result}");
        }
    }

    /// Notifies a webhook that is not there, a reply queue and a bus, of a job with a large result. Sends a delivery again,
    /// and shares a link.
    async fn notify_listeners(&self) {
        let headers = [
            ("callback-url", "https://no-such-host.example/hook"),
            ("reply-to", "replies"),
            ("correlation-id", "order-1"),
        ];
        let payload = json!({"result": "x".repeat(LARGE)});
        let path = self.accepted(&headers, &payload).await;
        self.work().await;
        let job = JobKey {
            tenant: Tenant::default(),
            id: path[6..].parse().expect("a path of a job"),
        };
        let done = json!({"batchItemFailures": []});
        let change = self.stack.change(&job).await;
        assert_eq!(self.publisher.invoke(&change).await, done);
        let deliveries = self.stack.receive_deliveries().await;
        let left = self.deliver.invoke(&deliveries).await;
        assert_eq!(
            left["batchItemFailures"].as_array().map(Vec::len),
            Some(1),
            "the webhook waits for its next attempt: {left}"
        );
        let listed = self
            .ask("GET", &format!("{path}/deliveries"), &json!({}))
            .await;
        let listed: Value =
            serde_json::from_str(listed["body"].as_str().expect("a body")).expect("JSON");
        let listed = listed["deliveries"].as_array().expect("a list");
        let delivered = |kind: &str, state: &str| {
            let it = listed
                .iter()
                .find(|it| it["kind"] == kind)
                .expect("it is listed");
            assert_eq!(it["state"], state, "{it}");
            it["id"].as_str().expect("an id")
        };
        delivered("webhook", "pending");
        let again = format!(
            "{path}/deliveries/{}/redeliver",
            delivered("reply", "delivered")
        );
        assert_eq!(
            self.ask("POST", &again, &json!({})).await["statusCode"],
            202
        );
        let json = json!({"content-type": "application/json"});
        let links = format!("{path}/links");
        let link = request("POST", &links, &json!({}), &json, Some("{}"));
        let link = self.status.invoke(&link).await;
        assert_eq!(link["statusCode"], 201, "{link}");
        let link: Value =
            serde_json::from_str(link["body"].as_str().expect("a body")).expect("JSON");
        let shared = link["events"].as_str().expect("a path");
        for path in [shared.trim_start_matches("/v1"), &format!("{path}/events")] {
            let events = request("GET", path, &json!({}), &json!({}), None);
            let events = self.events.invoke(&events).await;
            assert_eq!(header(&events, "content-type"), "text/event-stream");
        }
    }

    /// Processes messages of producers: a large command whose payload is in another bucket, and a message that is not a
    /// command.
    async fn take_in_what_producers_send(&self) {
        self.stack
            .keep_for_a_producer("large", json!({"message": "x".repeat(LARGE)}).to_string())
            .await;
        let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "theirs", "s3Key": "large"}]"#;
        for (command, refused) in [("diagnostic.run", false), ("No Command", true)] {
            let text = |text: &str| json!({"stringValue": text, "dataType": "String"});
            let record = json!({
                "messageId": format!("p-{refused}"), "receiptHandle": "r", "eventSource": "aws:sqs", "body": pointer,
                "messageAttributes": {"Cloakroom-Command-Type": text(command), "SQSLargePayloadSize": text("500014")},
            });
            let answer = self.worker.invoke(&json!({"Records": [record]})).await;
            assert_eq!(answer, json!({"batchItemFailures": []}), "{command}");
        }
        self.work().await;
        let key = json!({"client_job_id": ["sqs:p-false"]});
        let found = self.ask("GET", "/jobs", &key).await;
        let found: Value =
            serde_json::from_str(found["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!(found["jobs"][0]["status"], "succeeded", "{found}");
    }

    /// Processes dead letters: one must wait. Sweeps jobs: one was stranded an hour ago, and another must wait.
    async fn end_what_nothing_else_ends(&self) {
        self.accepted(&[], &json!({})).await;
        let later = Timestamp::from_millis(SystemHost.now().as_millis() + 3_600_000).to_string();
        let late = [("not-before", later.as_str()), ("idempotency-key", "later")];
        let put_off = self.accepted(&late, &json!({})).await;
        assert_eq!(
            self.accepted(&late, &json!({})).await,
            put_off,
            "again, and no second schedule"
        );
        let letters = self.stack.receive().await;
        assert_eq!(
            self.dead_letters.invoke(&letters).await,
            json!({"batchItemFailures": []})
        );
        let put_off = JobKey {
            tenant: Tenant::default(),
            id: put_off[6..].parse().expect("a path of a job"),
        };
        let job = self
            .stack
            .store
            .load(&put_off)
            .await
            .expect("read")
            .expect("a job");
        let body = json!({"tenant": put_off.tenant, "job": put_off.id, "accepted_at": job.created_at.as_millis()});
        let early = json!({"messageId": "m", "receiptHandle": "r", "eventSource": "aws:sqs", "body": body.to_string()});
        let answer = self.dead_letters.invoke(&json!({"Records": [early]})).await;
        assert_eq!(
            answer["batchItemFailures"][0]["itemIdentifier"], "m",
            "not before its time"
        );

        let mut stranded = job;
        stranded.id = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"
            .parse::<JobId>()
            .expect("an id");
        stranded.ready_at = Timestamp::from_millis(0);
        self.stack.store.accept(&stranded).await.expect("accepted");
        let jobs = [put_off, stranded.key()];
        assert_eq!(
            self.sweeper.invoke(&stream(&jobs)).await,
            json!({"batchItemFailures": []})
        );
        let swept = self
            .stack
            .store
            .load(&jobs[1])
            .await
            .expect("read")
            .expect("a job");
        assert_eq!(swept.status, Status::Failed);
        let answer = self.sweeper.invoke(&Stack::list(&jobs)).await;
        assert_eq!(
            answer["batchItemFailures"][0]["itemIdentifier"], "l",
            "one of them is not over"
        );
    }
}
