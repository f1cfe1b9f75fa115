//! Hot paths for callgrind: `hot PATH TIMES` runs one path repeatedly, from an event's bytes to its response's bytes.
//!
//! Each path exists with the ports in memory (`submit`), and with the adapters and the SDK, whose calls get fixed
//! responses (`aws-submit`). benches/guard counts the instructions of one more repetition.

mod answers;

#[path = "../harness/events.rs"]
mod events;

use std::sync::Arc;

use answers::Answers;
use aws_lambda_events::sqs::SqsEvent;
use axum::Router;
use cloakroom_app::core::Timestamp;
use cloakroom_app::delivery::Disposition;
use cloakroom_app::meter::LogMeter;
use cloakroom_app::testing::Room;
use cloakroom_app::{Host as _, HttpSettings, SystemHost, Worker};
use cloakroom_aws::{Clients, JobsConfig, Local, SubmitConfig, WorkerConfig};
use cloakroom_lambda::batch;
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::request::LambdaRequest;
use serde_json::Value;
use tower::ServiceExt as _;

/// Number of messages in a batch.
const BATCH: usize = 10;

/// Body of a client's request.
const BODY: &str =
    r#"{"result":{"order":1042,"total":49,"lines":["coat hanger","coat hanger","coat hanger"]}}"#;

/// A deployment.
struct Scene {
    router: Router,
    worker: Worker,
    now: fn(&Worker) -> Timestamp,
    /// Function that returns the messages that were sent.
    messages: Box<dyn Fn() -> Vec<String>>,
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, path, times, ..] = &arguments[..] else {
        panic!("hot PATH TIMES")
    };
    let times: usize = times.parse().expect("a number");
    let scene = if path.starts_with("aws-") {
        Scene::over_the_adapters()
    } else {
        Scene::in_memory()
    };
    match path.as_str() {
        "aws-work" => {
            // The responses don't depend on the state of a job, so the same messages can be used again.
            scene.submit(0..BATCH).await;
            let event = events::batch(&(scene.messages)());
            for _ in 0..times {
                scene.work(&event).await;
            }
        }
        "submit" | "aws-submit" => scene.submit(0..times).await,
        "status" | "aws-status" => {
            let job = scene.submit_one(0).await;
            for _ in 0..times {
                assert_eq!(
                    scene.ask(&events::request("GET", &job, None, None)).await["statusCode"],
                    202
                );
            }
        }
        "work" => {
            for n in 0..times {
                scene.submit(n * BATCH..(n + 1) * BATCH).await;
                scene.work(&events::batch(&(scene.messages)())).await;
            }
        }
        // The part of `work` that is not work itself.
        "before-work" => {
            for n in 0..times {
                scene.submit(n * BATCH..(n + 1) * BATCH).await;
                std::hint::black_box(events::batch(&(scene.messages)()));
            }
        }
        _ => panic!("there is no path {path}"),
    }
}

impl Scene {
    fn in_memory() -> Self {
        let room = Room::new(demo::service().iter().cloned().collect());
        let memory = Arc::clone(&room.memory);
        let messages = move || {
            let received =
                std::iter::from_fn(|| memory.receive(std::time::Duration::from_secs(60)));
            received.map(|delivery| delivery.body).collect()
        };
        Self {
            router: router((room.submit, room.uploads), room.jobs),
            worker: room.worker,
            now: |worker| worker.shared.host.now(),
            messages: Box::new(messages),
        }
    }

    fn over_the_adapters() -> Self {
        let answers = Answers::default();
        let local = Local {
            dynamodb_url: "http://localhost:1",
            sqs_url: "http://localhost:1",
            s3_url: "http://localhost:1",
            region: "us-east-1",
            access_key: "AKIDEXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        };
        let clients = Clients::local(&local).with_http_client(answers.client());
        let set = |name: &str| match name {
            "CLOAKROOM_TABLE" => Some("jobs".to_owned()),
            "CLOAKROOM_BUCKET" => Some("bucket".to_owned()),
            "CLOAKROOM_QUEUE_URL" => Some("http://localhost:1/000000000000/work".to_owned()),
            "CLOAKROOM_NAMESPACE" => Some("c10a6300-0000-4000-8000-000000000001".to_owned()),
            "CLOAKROOM_DIAGNOSTICS" => Some("on".to_owned()),
            _ => None,
        };
        let (registry, good) = (demo::service(), "a good configuration");
        let submit = SubmitConfig::from_env(&set).expect(good);
        let submit = cloakroom_aws::submit(&submit, &clients, registry.clone(), Arc::new(LogMeter));
        let jobs = JobsConfig::from_env(&set).expect(good);
        let jobs = cloakroom_aws::jobs(&jobs, &clients, Arc::new(LogMeter));
        let worker = WorkerConfig::from_env(&set).expect(good);
        let worker = cloakroom_aws::worker(&worker, &clients, registry, Arc::new(LogMeter));
        let (router, now) = (router(submit, jobs), |_: &Worker| SystemHost.now());
        Self {
            router,
            worker,
            now,
            messages: Box::new(move || answers.messages()),
        }
    }

    async fn ask(&self, event: &[u8]) -> Value {
        let event: LambdaRequest = serde_json::from_slice(event).expect("an event");
        let event = LambdaEvent::new(event, Context::default());
        let Ok(answer) = cloakroom_lambda::behind_gateway(self.router.clone())
            .oneshot(event)
            .await;
        let answer = serde_json::to_vec(&answer).expect("an answer is written as JSON");
        serde_json::from_slice(&answer).expect("JSON")
    }

    async fn submit(&self, jobs: std::ops::Range<usize>) {
        for n in jobs {
            self.submit_one(n).await;
        }
    }

    /// Submits a job. Returns its location.
    async fn submit_one(&self, n: usize) -> String {
        let key = format!("order-{n}");
        let answer = self
            .ask(&events::request(
                "POST",
                "/commands/diagnostic.run",
                Some(&key),
                Some(BODY),
            ))
            .await;
        assert_eq!(answer["statusCode"], 202, "{answer}");
        let place = answer["multiValueHeaders"]["location"][0]
            .as_str()
            .or(answer["headers"]["location"].as_str());
        place.expect("a place").to_owned()
    }

    async fn work(&self, event: &[u8]) {
        let event: SqsEvent = serde_json::from_slice(event).expect("an event");
        let deliveries = batch::deliveries(event);
        let ends_at = (self.now)(&self.worker).after(std::time::Duration::from_secs(60));
        let dispositions = self.worker.handle_batch(&deliveries, ends_at).await;
        assert_eq!(dispositions, [Disposition::Done; BATCH]);
        std::hint::black_box(
            serde_json::to_vec(&batch::response(&deliveries, &dispositions)).expect("JSON"),
        );
    }
}

fn router(
    submit: (cloakroom_app::Submit, cloakroom_app::Uploads),
    jobs: cloakroom_app::Jobs,
) -> Router {
    let site = cloakroom_lambda::site(HttpSettings::default());
    cloakroom_http::router(site, Some(submit), Some(jobs))
}
