//! One key, one job, one run.

use cloakroom_tests::{Deployment, Test, fresh_key, header, json, location_of, suite};
use futures::future::join_all;
use serde_json::json;

pub(crate) fn tests() -> Vec<Test> {
    suite![
        accepted_polled_and_done,
        a_hundred_requests_at_once_with_one_key_are_one_job_and_one_run,
        the_same_again_is_answered_as_a_poll_is,
        another_command_under_the_same_key_is_refused,
        a_failed_job_replays_as_its_failure,
    ]
}

async fn accepted_polled_and_done() {
    let cloakroom = Deployment::get().await;
    let payload = json!({"digest": true, "message": "né"});
    let answer = cloakroom
        .diagnose(Some(&fresh_key("order")), &payload)
        .await;
    assert_eq!(answer.status(), 202);
    let location = location_of(&answer);
    let wait: u32 = header(&answer, "retry-after")
        .expect("a Retry-After")
        .parse()
        .expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    let (_, body) = json(answer).await;
    assert_eq!(
        cloakroom.at(&format!("/jobs/{}", body["id"].as_str().expect("an id"))),
        location
    );
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!((status, job.attempt), (200, 1));
    assert_eq!(job.result, Some(json!({"sha256_message": sha256("né")})));
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text)
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

async fn a_hundred_requests_at_once_with_one_key_are_one_job_and_one_run() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("hundred");
    let payload = json!({"duration_ms": 300, "result": "once"});
    let answers = join_all((0..100).map(|_| cloakroom.diagnose(Some(&key), &payload))).await;
    let mut locations: Vec<_> = answers.iter().map(location_of).collect();
    let fresh = answers
        .iter()
        .filter(|answer| header(answer, "idempotent-replayed").is_none())
        .count();
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status().as_u16(), 200 | 202))
    );
    locations.dedup();
    assert_eq!(locations.len(), 1);
    // Behind a gateway, the first submission may have got a response that asked for a retry.
    assert!(
        fresh == 1 || (fresh == 0 && cloakroom.runner.is_none()),
        "{fresh}"
    );
    let (_, job) = cloakroom.end_of(&locations[0]).await;
    assert_eq!((job.attempt, job.result), (1, Some(json!("once"))));
}

async fn the_same_again_is_answered_as_a_poll_is() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("again");
    let payload = json!({"result": [1, 2]});
    let first = cloakroom.diagnose(Some(&key), &payload).await;
    let location = location_of(&first);
    cloakroom.end_of(&location).await;
    let again = cloakroom
        .diagnose(Some(&format!("\"{key}\"")), &payload)
        .await;
    assert_eq!(
        (
            again.status().as_u16(),
            header(&again, "idempotent-replayed")
        ),
        (200, Some("true"))
    );
    assert_eq!(location_of(&again), location);
    let polled = cloakroom.get_at(&location).await;
    assert_eq!(header(&again, "etag"), header(&polled, "etag"));
    assert_eq!(json(again).await, json(polled).await);
}

async fn another_command_under_the_same_key_is_refused() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("reused");
    cloakroom.diagnose(Some(&key), &json!({"result": 1})).await;
    let (status, problem) = json(cloakroom.diagnose(Some(&key), &json!({"result": 2})).await).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("idempotency-key-reused"))
    );
}

async fn a_failed_job_replays_as_its_failure() {
    let cloakroom = Deployment::get().await;
    let key = fresh_key("failed");
    let payload =
        json!({"fail": "terminal", "status": 409, "code": "out-of-stock", "message": "none left"});
    let location = location_of(&cloakroom.diagnose(Some(&key), &payload).await);
    assert_eq!(cloakroom.end_of(&location).await.0, 409);
    let again = cloakroom.diagnose(Some(&key), &payload).await;
    assert_eq!(header(&again, "idempotent-replayed"), Some("true"));
    assert_eq!(
        header(&again, "content-type"),
        Some("application/problem+json")
    );
    let (status, problem) = json(again).await;
    assert_eq!(
        (status, &problem["code"], &problem["detail"]),
        (409, &json!("out-of-stock"), &json!("none left"))
    );
    assert_eq!(problem["job"]["status"], "failed");
}
