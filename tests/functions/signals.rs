//! Metrics and logs that the functions write for operators, in one whole flow.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_tests::metrics::Metrics;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::body;
use crate::lambda::Function;
use crate::stack::{Stack, header, request};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
/// Secret in every text that a client chooses. It must not occur in a log.
const SECRET: &str = "what-nobody-else-may-read";

/// Functions of one deployment, with the default log level.
struct Flow {
    stack: Stack,
    submit: Function,
    worker: Function,
    status: Function,
}

impl Flow {
    async fn start(level: &str) -> Self {
        let variables = [
            ("RUST_LOG", ""),
            ("AWS_LAMBDA_LOG_LEVEL", level),
            ("CLOAKROOM_SERVICE", "photos"),
        ];
        let stack = Stack::start().await;
        let stack = variables
            .iter()
            .fold(stack, |stack, (name, value)| stack.with(name, value));
        let (submit, worker, status) = tokio::join!(
            stack.function("submit"),
            stack.function("worker"),
            stack.function("status")
        );
        Self {
            stack,
            submit,
            worker,
            status,
        }
    }

    /// Submits a job. Returns its path.
    async fn submit(&self, key: &str, payload: &Value) -> String {
        let headers = json!({
            "content-type": "application/json",
            "idempotency-key": key,
            "traceparent": format!("00-{TRACE_ID}-b7ad6b7169203331-01"),
            "x-request-id": format!("request-{}", key.len()),
        });
        let event = request(
            "POST",
            "/commands/diagnostic.run",
            &json!({}),
            &headers,
            Some(&payload.to_string()),
        );
        let answer = self.submit.invoke(&event).await;
        assert!(
            [200, 202].contains(&answer["statusCode"].as_u64().expect("a status")),
            "{answer}"
        );
        header(&answer, "location")
            .trim_start_matches("/v1")
            .to_owned()
    }

    async fn ask(&self, method: &str, path: &str) -> Value {
        self.status
            .invoke(&request(
                method,
                path,
                &json!({"note": [SECRET]}),
                &json!({}),
                None,
            ))
            .await
    }

    /// Processes messages until these jobs have ended.
    async fn work(&self, paths: &[&String]) {
        let over = async {
            for path in paths {
                while self.ask("GET", path).await["statusCode"] == 202 {
                    let messages = self.stack.receive().await;
                    if messages["Records"] == json!([]) {
                        sleep(Duration::from_millis(50)).await;
                    } else {
                        self.worker.invoke(&messages).await;
                    }
                }
            }
        };
        timeout(Duration::from_secs(60), over)
            .await
            .expect("they end");
    }

    /// Runs a job with each possible outcome. Their responses distinguish them.
    async fn whole(&self) {
        let done = self
            .submit(
                &format!("done-{SECRET}"),
                &json!({"result": SECRET, "message": SECRET}),
            )
            .await;
        assert_eq!(
            self.submit(
                &format!("done-{SECRET}"),
                &json!({"result": SECRET, "message": SECRET})
            )
            .await,
            done
        );
        let retried = self
            .submit(
                "retried",
                &json!({"fail": "retryable", "fail_attempts": 1, "result": SECRET}),
            )
            .await;
        let failed = self
            .submit(
                "failed",
                &json!({"fail": "terminal", "code": "no-such-paper", "result": SECRET}),
            )
            .await;
        let panicked = self
            .submit("panicked", &json!({"fail": "panic", "result": SECRET}))
            .await;
        let cancelled = self.submit("cancelled", &json!({"result": SECRET})).await;
        assert_eq!(self.ask("DELETE", &cancelled).await["statusCode"], 200);
        self.work(&[&done, &retried, &failed, &panicked]).await;
        let result = self.ask("GET", &format!("{done}/result")).await;
        assert_eq!(result["body"], json!(SECRET).to_string());
        let job = body(&self.ask("GET", &failed).await)["job"].clone();
        assert_eq!(job["status"], "failed", "{job}");
    }

    async fn logs(self) -> [Vec<Value>; 3] {
        let Self {
            submit,
            worker,
            status,
            ..
        } = self;
        tokio::join!(submit.log(), worker.log(), status.log()).into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_flow_is_counted_once_for_the_service_once_for_its_command_and_its_failures_by_code()
 {
    // Lambda drops lines below this level. The functions must ensure that metrics are not among them.
    let flow = Flow::start("WARN").await;
    flow.whole().await;
    let mut metrics = Metrics::default();
    for line in flow.logs().await.iter().flatten() {
        let level = line["level"].as_str().expect("a level");
        assert!(
            ["WARN", "ERROR"].contains(&level) && line["timestamp"].is_string(),
            "{line}"
        );
        metrics.take_in(line);
    }
    eprintln!("{metrics}");
    let counts = BTreeMap::from([
        ("Accepted", 5),
        ("Cancelled", 1),
        ("Failed", 2),
        ("Replayed", 1),
        ("Retried", 3),
        ("Started", 4),
        ("Succeeded", 2),
    ]);
    assert_eq!(metrics.counts("photos"), counts);
    assert_eq!(metrics.counts("photos, diagnostic.run"), counts);
    assert_eq!(
        metrics.counts("photos, diagnostic.run, no-such-paper"),
        BTreeMap::from([("Failed", 1)])
    );
    assert_eq!(
        metrics.counts("photos, diagnostic.run, job-failed"),
        BTreeMap::from([("Failed", 1)])
    );
    let samples = |metric| metrics.of(metric, "photos").map(|(samples, _)| samples);
    assert_eq!(
        (samples("QueueDelay"), samples("RunTime")),
        (Some(4), Some(7)),
        "of each first attempt; of each attempt"
    );
    assert_eq!(metrics.len(), 2 * 9 + 2, "what CloudWatch bills");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_says_whose_it_is_and_none_what_was_in_it() {
    let flow = Flow::start("INFO").await;
    flow.whole().await;
    let [submit, worker, status] = flow.logs().await;
    let lines = |log: &[Value]| {
        log.iter()
            .filter(|line| line.get("_aws").is_none())
            .cloned()
            .collect::<Vec<_>>()
    };
    let has = |line: &Value, names: &[&str]| {
        for name in names {
            assert!(!line["span"][name].is_null(), "no {name}: {line}");
        }
    };
    for line in lines(&submit) {
        has(&line, &["request_id", "trace_id", "tenant", "command"]);
        assert_eq!(line["span"]["trace_id"], TRACE_ID);
    }
    for line in lines(&worker) {
        has(
            &line,
            &[
                "request_id",
                "trace_id",
                "tenant",
                "command",
                "job_id",
                "attempt",
            ],
        );
        assert_eq!(line["span"]["trace_id"], TRACE_ID);
    }
    for line in lines(&status) {
        has(&line, &["request_id", "trace_id", "tenant", "job_id"]);
        let poll_that_found = line["method"] == "GET" && line["status"].as_u64() < Some(400);
        assert!(!poll_that_found, "worth no line: {line}");
        assert_eq!(
            line["span"]["trace_id"], "5759e988bd862e3fe1be46a994272793",
            "X-Ray's, where the client names none"
        );
    }
    let answered: Vec<_> = lines(&submit)
        .into_iter()
        .filter(|line| line["message"] == "answered a request")
        .collect();
    assert_eq!(answered.len(), 6);
    for line in &answered {
        has(line, &["job_id"]);
        assert_eq!(
            (&line["method"], &line["route"]),
            (&json!("POST"), &json!("/commands/{type}"))
        );
        assert!(
            line["status"].is_u64() && line["duration_ms"].is_u64(),
            "{line}"
        );
    }
    let ended: Vec<_> = lines(&worker)
        .into_iter()
        .filter(|line| line["message"] == "ended an attempt")
        .collect();
    assert_eq!(ended.len(), 7);
    assert!(
        ended
            .iter()
            .all(|line| line["age_ms"].is_u64() && line["run_time_ms"].is_u64()),
        "{ended:?}"
    );
    for line in submit.iter().chain(&worker).chain(&status) {
        assert!(!line.to_string().contains(SECRET), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_even_the_most_talkative_log_says_what_was_in_it() {
    let flow = Flow::start("TRACE").await;
    flow.whole().await;
    for line in flow.logs().await.iter().flatten() {
        assert!(!line.to_string().contains(SECRET), "{line}");
    }
}
