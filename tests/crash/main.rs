//! Accepted jobs end even if the process is killed.

use std::collections::BTreeMap;
use std::time::Duration;

use cloakroom_core::Status;
use cloakroom_tests::{Deployment, Keep, fresh_key, header, json as json_of};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::timeout;

/// Maximum time of a job on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Number of jobs in flight when the runner is killed.
const JOBS: usize = 200;

/// Number of concurrent requests.
const AT_ONCE: usize = 20;

/// One in this many jobs, and the last one, is long. The runner is killed while one of these runs.
const LONG_ONE_IN: usize = 20;

/// Submits until there is a response. On a busy machine, calls to a service may time out.
async fn accepted(cloakroom: &Deployment, key: &str, payload: &Value) -> String {
    for _ in 0..20 {
        let answer = cloakroom.diagnose(Some(key), payload).await;
        if answer.status() != 503 {
            assert!([200, 202].contains(&answer.status().as_u16()), "{answer:?}");
            return header(&answer, "location").expect("a Location").to_owned();
        }
    }
    panic!("{key} is not accepted");
}

/// Waits until one of these jobs is running.
async fn one_runs(cloakroom: &Deployment, locations: &[&str]) {
    loop {
        for location in locations {
            let (status, job) = json_of(cloakroom.get_at(location).await).await;
            if status == 202 && job["status"] == "running" {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_200_jobs_in_flight_and_started_again_it_ends_them_all_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cloakroom = Deployment::run(Keep::In(folder.path())).await;
    let run = fresh_key("killed");
    let is_long = |n: usize| (n + 1).is_multiple_of(LONG_ONE_IN);
    let duration = |n: usize| if is_long(n) { 5_000 } else { 200 + 5 * n };
    let submit = |n: usize| {
        let (cloakroom, key) = (&cloakroom, format!("{run}-{n}"));
        async move {
            accepted(
                cloakroom,
                &key,
                &json!({"duration_ms": duration(n), "result": n}),
            )
            .await
        }
    };
    let locations: Vec<_> = stream::iter(0..JOBS)
        .map(submit)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let watched: Vec<_> = (0..JOBS)
        .filter(|n| is_long(*n))
        .map(|n| locations[n].as_str())
        .collect();
    timeout(PATIENCE, one_runs(&cloakroom, &watched))
        .await
        .expect("a long job runs");
    cloakroom.runner.take().expect("of its own").kill().await;

    let cloakroom = Deployment::run(Keep::In(folder.path())).await;
    let ends = locations.iter().map(|location| cloakroom.end_of(location));
    let ends: Vec<_> = stream::iter(ends).buffered(AT_ONCE).collect().await;
    let mut interrupted = 0;
    for (n, (status, job)) in ends.into_iter().enumerate() {
        assert_eq!(
            (status, job.status, job.result),
            (200, Status::Succeeded, Some(json!(n))),
            "{}",
            locations[n]
        );
        assert!((1..=2).contains(&job.attempt), "{}", job.attempt);
        interrupted += usize::from(job.attempt == 2);
    }
    assert!(interrupted > 0, "the kill met no job while it ran");

    // The log of both runs contains each job's success exactly once.
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let mut successes = BTreeMap::new();
    for line in log
        .lines()
        .filter(|line| line.contains("ended an attempt") && line.contains("succeeded"))
    {
        if let Some(id) = locations
            .iter()
            .map(|location| location.trim_start_matches("/jobs/"))
            .find(|id| line.contains(id))
        {
            *successes.entry(id).or_insert(0) += 1;
        }
    }
    assert_eq!(
        successes.values().filter(|&&times| times != 1).count(),
        0,
        "{successes:?}"
    );
    // For a few jobs, the success may have been recorded although its log line was lost with the process.
    assert!(successes.len() > JOBS - 40, "{}", successes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_ends_the_process_is_tried_again_after_the_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cloakroom = Deployment::run(Keep::In(folder.path())).await;
    let payload = json!({"fail": "exit", "fail_attempts": 1, "result": "survived"});
    let answer = cloakroom.diagnose(None, &payload).await;
    let location = header(&answer, "location").expect("a Location").to_owned();
    cloakroom.runner.take().expect("of its own").ended().await;
    let cloakroom = Deployment::run(Keep::In(folder.path())).await;
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!(
        (status, job.attempt, job.result),
        (200, 2, Some(json!("survived")))
    );
}
