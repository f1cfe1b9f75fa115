//! One key, one job, one run.

use cloakroom_tests::{Deployment, fresh_key, header, json};
use futures::future::join_all;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn accepted_polled_and_done() {
    let cloakroom = Deployment::get().await;
    let payload = json!({"digest": true, "message": "né"});
    let answer = cloakroom.diagnose(Some(&fresh_key("order")), &payload).await;
    assert_eq!(answer.status(), 202);
    let location = header(&answer, "location").expect("a Location").to_owned();
    assert!(location.starts_with("/jobs/"), "{location}");
    let wait: u32 = header(&answer, "retry-after").expect("a Retry-After").parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    let (_, body) = json(answer).await;
    assert_eq!(format!("/jobs/{}", body["id"].as_str().expect("an id")), location);
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!((status, job.attempt), (200, 1));
    assert_eq!(job.result, Some(json!({"sha256_message": sha256("né")})));
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    format!("{:x}", sha2::Sha256::digest(text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_at_once_with_one_key_are_one_job_and_one_run() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("hundred");
    let payload = json!({"duration_ms": 300, "result": "once"});
    let answers = join_all((0..100).map(|_| cloakroom.diagnose(Some(&key), &payload))).await;
    let mut locations: Vec<_> =
        answers.iter().map(|answer| header(answer, "location").expect("a Location").to_owned()).collect();
    let fresh = answers.iter().filter(|answer| header(answer, "idempotent-replayed").is_none()).count();
    assert!(answers.iter().all(|answer| matches!(answer.status().as_u16(), 200 | 202)));
    locations.dedup();
    assert_eq!((locations.len(), fresh), (1, 1));
    let (_, job) = cloakroom.end_of(&locations[0]).await;
    assert_eq!((job.attempt, job.result), (1, Some(json!("once"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_again_is_answered_as_a_poll_is() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("again");
    let payload = json!({"result": [1, 2]});
    let first = cloakroom.diagnose(Some(&key), &payload).await;
    let location = header(&first, "location").expect("a Location").to_owned();
    cloakroom.end_of(&location).await;
    let again = cloakroom.diagnose(Some(&format!("\"{key}\"")), &payload).await;
    assert_eq!((again.status().as_u16(), header(&again, "idempotent-replayed")), (200, Some("true")));
    assert_eq!(header(&again, "location"), Some(location.as_str()));
    let polled = cloakroom.get_at(&location).await;
    assert_eq!(header(&again, "etag"), header(&polled, "etag"));
    assert_eq!(json(again).await, json(polled).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_command_under_the_same_key_is_refused() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("reused");
    cloakroom.diagnose(Some(&key), &json!({"result": 1})).await;
    let (status, problem) = json(cloakroom.diagnose(Some(&key), &json!({"result": 2})).await).await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency-key-reused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_replays_as_its_failure() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("failed");
    let payload = json!({"fail": "terminal", "status": 409, "code": "out-of-stock", "message": "none left"});
    let location = header(&cloakroom.diagnose(Some(&key), &payload).await, "location").expect("a Location").to_owned();
    assert_eq!(cloakroom.end_of(&location).await.0, 409);
    let again = cloakroom.diagnose(Some(&key), &payload).await;
    assert_eq!(header(&again, "idempotent-replayed"), Some("true"));
    assert_eq!(header(&again, "content-type"), Some("application/problem+json"));
    let (status, problem) = json(again).await;
    assert_eq!((status, &problem["code"], &problem["detail"]), (409, &json!("out-of-stock"), &json!("none left")));
    assert_eq!(problem["job"]["status"], "failed");
}
