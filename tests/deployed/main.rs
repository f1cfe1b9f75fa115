//! Behaviour that only a deployed stack can show: foreign messages, handlers that end their process, and handlers that
//! exceed the worker function's timeout. Involves Lambda, its event source mapping and the queue's redrive policy.

mod listeners;
mod logs;
mod lost;
mod producers;
mod queues;
mod tenants;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cloakroom_core::Status;
use cloakroom_core::view::JobView;
use cloakroom_tests::session::Session;
use cloakroom_tests::{Deployment, Target, fresh_key, header, location_of, suite};
use logs::Logs;
use queues::Queues;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// Runs one job at a time, because a process that ends also ends the rest of its batch.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Job of the README's session.
const README_JOB: &str = "ea78e066-c4f1-8063-b104-f4efb5c01a07";

/// Visibility timeout in seconds during the tests. On AWS, minutes are appropriate.
const SOON: &str = "5";

/// The job id in the README is derived from the dev runner's namespace and another key, and the API has another path.
async fn the_readmes_session_goes_through_the_gateway() {
    let cloakroom = Deployment::get().await;
    let session = Session::from_readme();
    let key = fresh_key("photo");
    let jobs = Url::parse(&cloakroom.at("/jobs/"))
        .expect("a URL")
        .path()
        .to_owned();
    let adapted = |line: &str, said: &str| {
        let id = said
            .split_once(&jobs)
            .map_or(README_JOB, |(_, rest)| &rest[..README_JOB.len()])
            .to_owned();
        let line = line.replace("location: /jobs/", &format!("location: {jobs}"));
        line.replace("http://127.0.0.1:9000", cloakroom.url())
            .replace("photo-1", &key)
            .replace(README_JOB, &id)
    };
    let _alone = ALONE.lock().await;
    session.play(adapted).await;
    let thumbnail = image::ImageReader::open(session.file("thumbnail.jpg"))
        .expect("a file")
        .into_dimensions();
    assert_eq!(thumbnail.expect("an image"), (200, 150));
}

/// A browser that follows a redirect to another origin sends `Origin: null`.
async fn a_page_of_another_origin_reads_a_large_result_by_its_link() {
    let cloakroom = Deployment::get().await;
    let location = {
        let _alone = ALONE.lock().await;
        let location = location_of(
            &cloakroom
                .diagnose(None, &json!({"result": "x".repeat(40_000)}))
                .await,
        );
        assert_eq!(cloakroom.end_of(&location).await.0, 200);
        location
    };
    let request = cloakroom.request(Method::GET, &format!("{location}/result"));
    let answer = request
        .header("prefer", "return=representation")
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (
            answer.status().as_u16(),
            header(&answer, "preference-applied")
        ),
        (200, Some("return=representation"))
    );
    let link: Value = answer.json().await.expect("a document");
    let url = link["url"].as_str().expect("a URL");
    let read = reqwest::Client::new()
        .get(url)
        .header("origin", "null")
        .send()
        .await
        .expect("an answer");
    assert_eq!(read.status(), 200);
    let allowed = header(&read, "access-control-allow-origin");
    assert!(matches!(allowed, Some("*" | "null")), "{allowed:?}");
}

async fn a_handler_that_ends_its_process_is_tried_again() {
    let _alone = ALONE.lock().await;
    let (status, job) =
        ended(&json!({"fail": "exit", "fail_attempts": 1, "result": "survived"})).await;
    assert_eq!(
        (status, job.attempt, job.result),
        (200, 2, Some(json!("survived")))
    );
}

async fn a_handler_that_ends_its_process_every_time_fails_its_job() {
    let _alone = ALONE.lock().await;
    let (status, job) = ended(&json!({"fail": "exit"})).await;
    assert_eq!((status, job.status, job.attempt), (400, Status::Failed, 3));
    assert_eq!(job.error.expect("an error").code, "worker-crashed");
    let told = lost::told(&job.id);
    assert!(
        told.contains(
            "  failed, because no attempts were left: worker-crashed: gave up after 3 attempts"
        ),
        "{told}"
    );
}

async fn a_handler_that_takes_longer_than_its_function_may_run_fails_its_job() {
    let _alone = ALONE.lock().await;
    let (status, job) = ended(&json!({"duration_ms": 600_000})).await;
    assert_eq!((status, job.status, job.attempt), (400, Status::Failed, 3));
    assert_eq!(job.error.expect("an error").code, "attempt-timed-out");
    let told = lost::told(&job.id);
    assert!(
        told.contains("  failed in attempt 3, after ") && told.contains(": attempt-timed-out: "),
        "{told}"
    );
}

/// Checks the input of CloudWatch's metrics and queries. No emulator shows their results.
async fn a_jobs_metrics_and_its_trace_are_in_the_logs_of_its_functions() {
    const SECRET: &str = "what-nobody-else-may-read";
    let (cloakroom, logs) = (Deployment::get().await, Logs::find());
    let _alone = ALONE.lock().await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let (begun, trace_id) = (now.as_millis(), format!("{:032x}", now.as_nanos()));
    let submit = || {
        let request = cloakroom
            .request(Method::POST, "/commands/diagnostic.run")
            .json(&json!({"result": SECRET}));
        request
            .header("traceparent", format!("00-{trace_id}-b7ad6b7169203331-01"))
            .header("prefer", "wait=20")
            .send()
    };
    let location = location_of(&submit().await.expect("an answer"));
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!((status, job.result), (200, Some(json!(SECRET))));

    // Logs appear after a short delay.
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let (submit, worker) = tokio::join!(logs.of("submit", begun), logs.of("worker", begun));
        let of_job = |line: &&Value| line["span"]["trace_id"] == trace_id.as_str();
        let said = |lines: &[Value], message: &str| {
            lines.iter().filter(of_job).any(|line| {
                line["message"] == message
                    && line["span"]["job_id"] == job.id.as_str()
                    && line["span"]["tenant"].is_string()
            })
        };
        let metrics = logs::metrics(submit.iter().chain(&worker));
        let counted = ["Accepted", "Started", "QueueDelay", "Succeeded", "RunTime"];
        if counted.iter().all(|name| {
            metrics
                .of(name, &format!("{}, diagnostic.run", logs.service()))
                .is_some()
        }) && said(&submit, "answered a request")
            && said(&worker, "ended an attempt")
        {
            eprintln!("{metrics}");
            assert!(
                submit
                    .iter()
                    .chain(&worker)
                    .all(|line| !line.to_string().contains(SECRET))
            );
            return;
        }
        assert!(
            Instant::now() < patience,
            "{metrics}\n{submit:#?}\n{worker:#?}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn ended(payload: &Value) -> (u16, JobView) {
    let cloakroom = Deployment::get().await;
    let location = location_of(&cloakroom.diagnose(None, payload).await);
    cloakroom.end_of(&location).await
}

fn main() -> ExitCode {
    let target = Target::from_deployment_env();
    if matches!(target, Err(_) | Ok(Target::Dev)) {
        return suite::main(target, |_| tests());
    }
    hastily(|| suite::main(target, |_| tests()))
}

fn tests() -> Vec<suite::Test> {
    let mut all = suite![
        the_readmes_session_goes_through_the_gateway => [Deployment],
        a_jobs_metrics_and_its_trace_are_in_the_logs_of_its_functions => [Deployment],
        a_page_of_another_origin_reads_a_large_result_by_its_link => [Deployment],
        a_handler_that_ends_its_process_is_tried_again => [Deployment],
        a_handler_that_ends_its_process_every_time_fails_its_job => [Deployment],
        a_handler_that_takes_longer_than_its_function_may_run_fails_its_job => [Deployment],
    ];
    all.extend(listeners::tests());
    all.extend(lost::tests());
    all.extend(tenants::tests());
    all.extend(producers::tests());
    all
}

/// Runs the tests with a queue that redelivers messages soon.
fn hastily(run: impl FnOnce() -> ExitCode) -> ExitCode {
    let runtime = Runtime::new().expect("a runtime");
    let queues = runtime.block_on(Queues::find());
    let usual = runtime.block_on(queues.visibility_timeout());
    runtime.block_on(queues.set_visibility_timeout(SOON));
    let code = run();
    runtime.block_on(queues.set_visibility_timeout(&usual));
    code
}
