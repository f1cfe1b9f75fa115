//! Behaviour of handlers, seen by a client.

use cloakroom_core::Status;
use cloakroom_tests::{Deployment, Test, json, location_of, suite};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_failure_that_may_pass_is_tried_again,
        a_failure_that_does_not_pass_ends_the_job_with_its_own_words,
        a_panic_shows_nothing_of_the_inside,
    ]
}

async fn ended(cloakroom: &Deployment, payload: &Value) -> (u16, cloakroom_core::view::JobView) {
    let answer = cloakroom.diagnose(None, payload).await;
    let location = location_of(&answer);
    cloakroom.end_of(&location).await
}

async fn a_failure_that_may_pass_is_tried_again() {
    let cloakroom = Deployment::get().await;
    for fail in ["retryable", "panic"] {
        let (status, job) = ended(
            &cloakroom,
            &json!({"fail": fail, "fail_attempts": 1, "result": "at last"}),
        )
        .await;
        assert_eq!(
            (status, job.attempt, job.result),
            (200, 2, Some(json!("at last"))),
            "{fail}"
        );
    }
}

async fn a_failure_that_does_not_pass_ends_the_job_with_its_own_words() {
    let cloakroom = Deployment::get().await;
    let (status, job) = ended(
        &cloakroom,
        &json!({"fail": "retryable", "message": "out of paper"}),
    )
    .await;
    let error = job.error.expect("an error");
    assert_eq!(
        (status, job.status, error.code.as_str()),
        (400, Status::Failed, "job-failed")
    );
    assert!(
        job.attempt > 1 && error.detail.contains("out of paper"),
        "{error:?}"
    );
    let (status, job) = ended(
        &cloakroom,
        &json!({"fail": "terminal", "status": 418, "code": "teapot"}),
    )
    .await;
    assert_eq!(
        (
            status,
            job.attempt,
            job.error.expect("an error").code.as_str()
        ),
        (418, 1, "teapot")
    );
}

async fn a_panic_shows_nothing_of_the_inside() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom.diagnose(None, &json!({"fail": "panic"})).await;
    let location = location_of(&answer);
    cloakroom.end_of(&location).await;
    let (_, problem) = json(cloakroom.get_at(&location).await).await;
    let text = problem.to_string();
    assert!(!text.contains(".rs") && !text.contains("thread"), "{text}");
}
