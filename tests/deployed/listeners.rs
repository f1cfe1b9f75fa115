//! Cost of jobs that nobody listens to, and of the event bus, with all listeners deployed; and an outage of the function
//! that publishes changes.
//!
//! The tests count the calls of the functions, so they need a stack to themselves: `localstack/test` runs them one after the
//! other. `CLOAKROOM_REPLY_QUEUE` is the name of a reply queue of the stack. The stack with API keys has an event bus.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom_tests::{Deployment, Test, json, location_of, suite};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::logs::Logs;
use super::lost::until;
use super::tenants::{Tenant, variable};

/// Number of jobs whose calls are counted.
const JOBS: usize = 5;

/// Functions whose calls are counted.
const WATCHED: [&str; 4] = ["submit", "worker", "publisher", "deliver"];

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_job_without_listeners_costs_three_writes_and_one_message_and_starts_no_function_more => [Deployment],
        an_event_bus_adds_one_call_to_a_job => [Deployment],
        an_outage_of_the_publisher_loses_no_event => [Deployment],
    ]
}

/// Calls of each function, and how often the last two were invoked.
#[derive(Debug, PartialEq)]
struct Cost {
    submit: BTreeMap<String, usize>,
    worker: BTreeMap<String, usize>,
    publisher: BTreeMap<String, usize>,
    deliver: BTreeMap<String, usize>,
    starts: (usize, usize),
}

impl Cost {
    async fn since(logs: &Logs, begun: u128) -> Self {
        let (submit, worker, publisher, deliver, of_publisher, of_deliver) = tokio::join!(
            logs.calls("submit", begun),
            logs.calls("worker", begun),
            logs.calls("publisher", begun),
            logs.calls("deliver", begun),
            logs.starts("publisher", begun),
            logs.starts("deliver", begun),
        );
        Self {
            submit,
            worker,
            publisher,
            deliver,
            starts: (of_publisher, of_deliver),
        }
    }

    /// Returns the cost of so many jobs, without that of their listeners.
    fn of_jobs(jobs: usize) -> Self {
        Self {
            submit: counts(&[("DynamoDB.PutItem", jobs), ("SQS.SendMessage", jobs)]),
            worker: counts(&[("DynamoDB.UpdateItem", 2 * jobs)]),
            publisher: BTreeMap::new(),
            deliver: BTreeMap::new(),
            starts: (0, 0),
        }
    }
}

fn counts(calls: &[(&str, usize)]) -> BTreeMap<String, usize> {
    let owned = calls.iter().map(|(name, n)| ((*name).to_owned(), *n));
    owned.collect()
}

/// Makes the functions log their calls, runs jobs, and returns their cost once all of it is logged.
async fn cost(logs: &Logs, run: impl AsyncFnOnce(), is_all: impl Fn(&Cost) -> bool) -> Cost {
    join_all(WATCHED.map(|function| logs.log_calls(function, true))).await;
    let begun = SystemTime::now().duration_since(UNIX_EPOCH);
    let begun = begun.expect("after 1970").as_millis();
    run().await;
    // Logs appear after a short delay.
    let cost = until("all calls are logged", async || {
        let cost = Cost::since(logs, begun).await;
        is_all(&cost).then_some(cost)
    });
    let cost = cost.await;
    join_all(WATCHED.map(|function| logs.log_calls(function, false))).await;
    cost
}

/// Submits a job that replies. Returns its location.
async fn replying(cloakroom: &Deployment) -> String {
    let queue = variable("CLOAKROOM_REPLY_QUEUE");
    let request = cloakroom.request(Method::POST, "/commands/diagnostic.run");
    let request = request.header("Reply-To", queue).json(&json!({}));
    location_of(&request.send().await.expect("an answer"))
}

/// Returns the state of a job's only delivery, if there is one.
async fn delivery(cloakroom: &Deployment, location: &str) -> Option<Value> {
    let answer = cloakroom.get_at(&format!("{location}/deliveries")).await;
    let (_, mut listed) = json(answer).await;
    let deliveries = listed["deliveries"].as_array_mut()?;
    assert!(deliveries.len() <= 1, "{deliveries:?}");
    Some(deliveries.first_mut()?["state"].take())
}

async fn until_delivered(cloakroom: &Deployment, location: &str) {
    until("the reply is delivered", async || {
        let state = delivery(cloakroom, location).await;
        (state == Some(json!("delivered"))).then_some(())
    })
    .await;
}

async fn a_job_without_listeners_costs_three_writes_and_one_message_and_starts_no_function_more() {
    let (cloakroom, logs) = (Deployment::get().await, Logs::find());
    let run = async || {
        for _ in 0..JOBS {
            let job = location_of(&cloakroom.diagnose(None, &json!({})).await);
            assert_eq!(cloakroom.end_of(&job).await.0, 200);
        }
        // The stream is in order: this job is published after all others would have been.
        until_delivered(&cloakroom, &replying(&cloakroom).await).await;
    };
    let want = Cost {
        publisher: counts(&[
            ("DynamoDB.GetItem", 1),
            ("DynamoDB.PutItem", 1),
            ("SQS.SendMessage", 1),
        ]),
        starts: (1, 0),
        ..Cost::of_jobs(JOBS + 1)
    };
    let is_all = |cost: &Cost| {
        let sum = |cost: &Cost| {
            let all = [&cost.submit, &cost.worker, &cost.publisher];
            all.into_iter().flat_map(BTreeMap::values).sum::<usize>()
        };
        sum(cost) >= sum(&want)
    };
    let mut cost = cost(&logs, run, is_all).await;
    // Deliveries of earlier tests are tried again meanwhile. The publisher sent one message, for the last job.
    (cost.deliver, cost.starts.1) = (BTreeMap::new(), 0);
    assert_eq!(cost, want);
}

/// The bus is a listener of every job.
async fn an_event_bus_adds_one_call_to_a_job() {
    let (tenant, logs) = (
        Tenant::new("bus"),
        Logs::of_stack(variable("CLOAKROOM_KEYED_STACK")),
    );
    let run = async || {
        for n in 0..JOBS {
            let key = cloakroom_tests::fresh_key("bus");
            let job = tenant.accepted(&key, &json!({"result": n})).await;
            assert_eq!(tenant.result_of(&job).await, json!(n));
        }
    };
    let events = counts(&[("EventBridge.PutEvents", JOBS)]);
    let mut cost = cost(&logs, run, |cost| cost.publisher == events).await;
    // The publisher may be invoked once for several jobs.
    let (publisher, deliver) = cost.starts;
    assert!((1..=JOBS).contains(&publisher) && deliver == 0, "{cost:?}");
    cost.starts.0 = 0;
    let want = Cost {
        publisher: events,
        ..Cost::of_jobs(JOBS)
    };
    assert_eq!(cost, want);
}

async fn an_outage_of_the_publisher_loses_no_event() {
    let (cloakroom, logs) = (Deployment::get().await, Logs::find());
    logs.connect("publisher", false).await;
    let mut jobs = vec![];
    for _ in 0..JOBS {
        let job = replying(&cloakroom).await;
        assert_eq!(cloakroom.end_of(&job).await.0, 200);
        jobs.push(job);
    }
    for job in &jobs {
        assert_eq!(delivery(&cloakroom, job).await, None);
    }
    logs.connect("publisher", true).await;
    for job in &jobs {
        until_delivered(&cloakroom, job).await;
    }
}
