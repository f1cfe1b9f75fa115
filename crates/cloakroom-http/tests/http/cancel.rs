//! Section 6: `DELETE /jobs/{id}`.

use axum::body::Body;
use cloakroom_app::Host as _;
use cloakroom_app::testing::{another, claim_by};
use cloakroom_core::{Status, Transition};

use crate::service::{Response, Service, service};

async fn delete(service: &Service, path: &str) -> Response {
    service.request("DELETE", path, &[], Body::empty()).await
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_not_begun_is_cancelled_and_never_runs() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    for _ in 0..2 {
        let response = delete(&service, &location).await;
        assert_eq!(
            (response.status, response.json()["status"].as_str()),
            (200, Some("cancelled"))
        );
        assert!(response.header("retry-after").is_empty() && !response.header("etag").is_empty());
    }
    service.room.work_until_idle().await;
    assert_eq!(
        service
            .get(&location, &[])
            .await
            .problem(410, "job-cancelled")["job"]["attempt"],
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_running_job_is_asked_to_stop() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    for _ in 0..2 {
        let response = delete(&service, &location).await;
        assert_eq!(
            (response.status, response.json()["status"].as_str()),
            (202, Some("cancelling"))
        );
        assert!(!response.header("retry-after").is_empty());
    }
    work.await.expect("the work ends");
    assert_eq!(delete(&service, &location).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_can_not_be_cancelled() {
    for (act, status) in [("answer", "succeeded"), ("fail", "failed")] {
        let service = service();
        let location = service.finished_job(act).await;
        let problem = delete(&service, &location)
            .await
            .problem(409, "job-finished");
        assert_eq!(
            (
                problem["job"]["status"].as_str(),
                problem["instance"].as_str()
            ),
            (Some(status), Some(location.as_str()))
        );
    }
}

/// An entity tag may have any characters but quotes and spaces.
#[tokio::test(start_paused = true)]
async fn a_condition_that_is_not_ascii_is_a_condition() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    delete_if(&service, &location, &[("if-match", "\"é\"")])
        .await
        .problem(412, "precondition-failed");
    let polled = service.get(&location, &[("if-match", "\"é\"")]).await;
    polled.problem(412, "precondition-failed");
    let accepted = [("if-none-match", "\"é\"")];
    assert_eq!(delete_if(&service, &location, &accepted).await.status, 200);
}

async fn delete_if(service: &Service, path: &str, headers: &[(&str, &str)]) -> Response {
    service
        .request("DELETE", path, headers, Body::empty())
        .await
}

#[tokio::test(start_paused = true)]
async fn a_job_that_begins_just_before_it_is_cancelled_no_longer_meets_the_condition() {
    let service = service();
    let accepted = service.act("nap", &[]).await;
    let (location, tag) = (accepted.header("location"), accepted.header("etag"));
    let now = service.room.host.now();
    let begins = another(move |job| Transition::claim(&claim_by("m-1", job), now));
    service.room.memory.meanwhile("change", begins);
    let response = delete_if(&service, location, &[("if-match", tag)]).await;
    response.problem(412, "precondition-failed");
    assert_eq!(service.room.memory.only_job().status, Status::Running);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_not_cancelled_under_a_condition_that_it_does_not_meet() {
    let service = service();
    let location = service.accepted_job("nap", &[]).await;
    let tag = service.get(&location, &[]).await.header("etag").to_owned();
    let (weak, other) = (format!("W/{tag}"), format!("\"stale\", {tag}"));
    for headers in [
        &[("if-match", "\"stale\"")][..],
        &[("if-match", "")],
        &[("if-match", &weak)],
        &[("if-none-match", "*")],
        &[("if-none-match", &other)],
        &[("if-none-match", &weak)],
        &[("if-match", &tag), ("if-none-match", &tag)],
    ] {
        delete_if(&service, &location, headers)
            .await
            .problem(412, "precondition-failed");
        let now = service.get(&location, &[]).await;
        assert_eq!(
            (now.header("etag"), now.json()["status"].as_str()),
            (&*tag, Some("accepted")),
            "{headers:?}"
        );
    }
    for bad in ["\"a b\"", "stale", "\"stale", "*, *"] {
        for name in ["if-match", "if-none-match"] {
            delete_if(&service, &location, &[(name, bad)])
                .await
                .problem(400, "invalid-request");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_cancelled_under_a_condition_that_it_meets() {
    for page in [false, true] {
        let service = service();
        let location = service.accepted_job("answer", &[]).await;
        let accept = if page { "text/html" } else { "*/*" };
        let tag = service
            .get(&location, &[("accept", accept)])
            .await
            .header("etag")
            .to_owned();
        let list = format!("\"stale\", {tag}");
        let headers = [("if-match", &*list), ("if-none-match", "\"stale\"")];
        assert_eq!(
            delete_if(&service, &location, &headers).await.json()["status"],
            "cancelled"
        );
        assert_eq!(
            delete_if(&service, &location, &[("if-match", "*")])
                .await
                .status,
            200
        );
        delete_if(&service, &location, &headers)
            .await
            .problem(412, "precondition-failed");
    }
}

#[tokio::test(start_paused = true)]
async fn several_lines_of_a_condition_are_one_list() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    let tag = service.get(&location, &[]).await.header("etag").to_owned();
    for lines in [[&*tag, "\"stale\""], ["\"stale\"", &tag]] {
        let known = lines.map(|line| ("if-none-match", line));
        delete_if(&service, &location, &known)
            .await
            .problem(412, "precondition-failed");
        assert_eq!(service.get(&location, &known).await.status, 304);
        let wanted = lines.map(|line| ("if-match", line));
        assert_eq!(service.get(&location, &wanted).await.status, 202);
    }
    let wanted = [("if-match", "\"stale\""), ("if-match", &tag)];
    assert_eq!(delete_if(&service, &location, &wanted).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_running_job_is_asked_to_stop_under_a_condition_that_it_meets() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    let tag = service.get(&location, &[]).await.header("etag").to_owned();
    delete_if(&service, &location, &[("if-match", "\"stale\"")])
        .await
        .problem(412, "precondition-failed");
    assert_eq!(
        delete_if(&service, &location, &[("if-match", &tag)])
            .await
            .json()["status"],
        "cancelling"
    );
    work.await.expect("the work ends");
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_not_checked_if_the_request_is_rejected_without_it() {
    let service = service();
    let location = service.finished_job("answer").await;
    delete_if(&service, &location, &[("if-match", "\"stale\"")])
        .await
        .problem(409, "job-finished");
    let unknown = "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
    delete_if(&service, unknown, &[("if-match", "*")])
        .await
        .problem(404, "unknown-job");
}
