//! What was accepted ends, though the process is killed.

use std::collections::BTreeMap;

use cloakroom::Status;
use cloakroom_tests::{Deployment, Keep, fresh_key, header};
use futures::future::join_all;
use serde_json::json;

/// How many jobs are in flight when the runner is killed.
const JOBS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_200_jobs_in_flight_and_started_again_it_ends_them_all_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cloakroom = Deployment::run(Keep::In(folder.path())).await;
    let run = fresh_key("killed");
    let payloads: Vec<_> = (0..JOBS).map(|n| json!({"duration_ms": 200 + 5 * n, "result": n})).collect();
    let submitted = payloads.iter().enumerate().map(|(n, payload)| {
        let (cloakroom, key) = (&cloakroom, format!("{run}-{n}"));
        async move {
            let answer = cloakroom.diagnose(Some(&key), payload).await;
            assert_eq!(answer.status(), 202);
            header(&answer, "location").expect("a Location").to_owned()
        }
    });
    let locations = join_all(submitted).await;
    cloakroom.runner.take().expect("of its own").kill().await;

    let cloakroom = Deployment::run(Keep::In(folder.path())).await;
    let ends = join_all(locations.iter().map(|location| cloakroom.end_of(location))).await;
    let mut interrupted = 0;
    for (n, (status, job)) in ends.into_iter().enumerate() {
        assert_eq!((status, job.status, job.result), (200, Status::Succeeded, Some(json!(n))), "{}", locations[n]);
        assert!((1..=2).contains(&job.attempt), "{}", job.attempt);
        interrupted += usize::from(job.attempt == 2);
    }
    assert!(interrupted > 0, "the kill met no job while it ran");

    // The log of both runs: each job's success was recorded once.
    let log = std::fs::read_to_string(folder.path().join("log")).expect("a log");
    let mut successes = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("ended an attempt") && line.contains("succeeded")) {
        if let Some(id) =
            locations.iter().map(|location| location.trim_start_matches("/jobs/")).find(|id| line.contains(id))
        {
            *successes.entry(id).or_insert(0) += 1;
        }
    }
    assert_eq!(successes.values().filter(|&&times| times != 1).count(), 0, "{successes:?}");
    // A success may have been recorded and its line lost with the process, but of few.
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
    assert_eq!((status, job.attempt, job.result), (200, 2, Some(json!("survived"))));
}
