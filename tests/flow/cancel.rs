//! Cancellation.

use cloakroom_core::Status;
use cloakroom_tests::{Deployment, Test, header, json, location_of, suite};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_job_that_runs_is_told_and_ends_cancelled,
        a_job_that_is_over_is_not_cancelled
    ]
}

async fn a_job_that_runs_is_told_and_ends_cancelled() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom
        .diagnose(None, &json!({"duration_ms": 60_000}))
        .await;
    let location = location_of(&answer);
    let etag = header(&answer, "etag").expect("an ETag").to_owned();
    // Its first change is the start. On a busy machine that may take more than one long poll.
    let mut status = Value::Null;
    for _ in 0..6 {
        let request = cloakroom
            .request(Method::GET, &location)
            .header("Prefer", "wait=20")
            .header("If-None-Match", etag.as_str());
        let answer = request.send().await.expect("an answer");
        if answer.status() != StatusCode::NOT_MODIFIED {
            status = json(answer).await.1["status"].take();
            break;
        }
    }
    assert_eq!(status, "running");
    let (status, job) = json(
        cloakroom
            .request(Method::DELETE, &location)
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!((status, &job["status"]), (202, &json!("cancelling")));
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!((status, job.status), (410, Status::Cancelled));
    let (_, problem) = json(cloakroom.get_at(&location).await).await;
    assert_eq!(problem["code"], "job-cancelled");
    let again = cloakroom
        .request(Method::DELETE, &location)
        .send()
        .await
        .expect("an answer");
    assert_eq!(json(again).await.0, 200);
}

async fn a_job_that_is_over_is_not_cancelled() {
    let cloakroom = Deployment::get().await;
    let location = location_of(&cloakroom.diagnose(None, &json!({})).await);
    cloakroom.end_of(&location).await;
    let (status, problem) = json(
        cloakroom
            .request(Method::DELETE, &location)
            .send()
            .await
            .expect("an answer"),
    )
    .await;
    assert_eq!((status, &problem["code"]), (409, &json!("job-finished")));
}
