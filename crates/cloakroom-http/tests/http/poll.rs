//! Section 4: `GET /jobs/{id}`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cloakroom_core::Tenant;
use cloakroom_http::Site;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep};

use crate::service::{Response, Service, service, service_with};

#[tokio::test(start_paused = true)]
async fn a_running_job_is_accepted_still_with_its_progress() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    let response = service.get(&location, &[]).await;
    assert_eq!(
        (response.status, response.header("content-type")),
        (202, "application/json")
    );
    assert_eq!(response.header("vary"), "Accept, Prefer");
    assert_eq!(response.header("cache-control"), "private, no-cache");
    let seconds: u64 = response.header("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&seconds));
    insta::assert_json_snapshot!(response.json());
    work.abort();
}

#[tokio::test(start_paused = true)]
async fn a_job_between_attempts_says_what_went_wrong_and_when_the_next_is() {
    let service = service();
    let (location, work) = service.running_job("stumble").await;
    let response = service.get(&location, &[]).await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (202, "30")
    );
    insta::assert_json_snapshot!(response.json());
    work.abort();
}

#[tokio::test(start_paused = true)]
async fn a_job_that_succeeded_has_its_result_inside_or_says_where_it_is() {
    for (act, member) in [
        ("answer", "result"),
        ("large", "result_url"),
        ("page", "result_url"),
        ("resource", "resource"),
    ] {
        let service = service();
        let location = service.finished_job(act).await;
        let response = service.get(&location, &[]).await;
        let job = response.json();
        assert_eq!((response.status, response.header("retry-after")), (200, ""));
        for other in ["result", "result_url", "resource"] {
            assert_eq!(job.get(other).is_some(), other == member, "{job}");
        }
        if act == "answer" {
            insta::assert_json_snapshot!(job);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_is_a_problem_that_holds_the_job() {
    let service = service();
    let location = service.finished_job("fail").await;
    let response = service.get(&location, &[]).await;
    response.problem(400, "job-failed");
    insta::assert_json_snapshot!(response.json());
    assert!(!response.header("etag").is_empty() && response.header("retry-after").is_empty());

    let service = crate::service::service();
    let location = service.finished_job("refuse").await;
    let problem = service
        .get(&location, &[])
        .await
        .problem(422, "out-of-paper");
    assert!(
        !problem.to_string().contains("tray 2"),
        "what is for the log is not shown"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_gone() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    service
        .request("DELETE", &location, &[], Body::empty())
        .await;
    let response = service.get(&location, &[]).await;
    assert_eq!(
        response.problem(410, "job-cancelled")["job"]["status"],
        "cancelled"
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_expired_malformed_and_another_tenants_are_one_answer() {
    let tenant = |parts: &http::request::Parts| {
        Some(
            parts
                .headers
                .get("authorization")
                .map_or_else(Tenant::default, |_| "other".parse().expect("a tenant")),
        )
    };
    let service = service_with(Site::default().tenant(tenant));
    let location = service.finished_job("answer").await;
    let without_instance = |mut problem: serde_json::Value| {
        problem
            .as_object_mut()
            .expect("an object")
            .remove("instance");
        problem
    };
    let unknown = service
        .get("/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11", &[])
        .await;
    let one = without_instance(unknown.problem(404, "unknown-job"));
    assert_eq!(unknown.header("cache-control"), "no-store");
    let upper = location.to_uppercase().replace("/JOBS", "/jobs");
    for path in ["/jobs/x", "/jobs/%00", "/jobs/%FF", &upper] {
        for path in [path, &format!("{path}/result")] {
            for accept in ["*/*", "text/html"] {
                let response = service.get(path, &[("accept", accept)]).await;
                assert_eq!(
                    without_instance(response.problem(404, "unknown-job")),
                    one,
                    "{path}"
                );
            }
        }
        service
            .request("DELETE", path, &[], Body::empty())
            .await
            .problem(404, "unknown-job");
    }
    assert_eq!(
        without_instance(
            service
                .get(&location, &[("authorization", "x")])
                .await
                .problem(404, "unknown-job")
        ),
        one
    );
    let every_route = async |other: &[(&str, &str)], found: bool| {
        for (method, path) in [
            ("GET", ""),
            ("GET", "/history"),
            ("GET", "/result"),
            ("GET", "/events"),
            ("GET", "/deliveries"),
            ("POST", "/links"),
            ("POST", "/deliveries/1-webhook/redeliver"),
            ("DELETE", ""),
        ] {
            let path = format!("{location}{path}");
            let response = service.request(method, &path, other, Body::empty()).await;
            let unknown = response.status == 404 && response.json()["code"] == "unknown-job";
            assert_eq!(unknown, !found, "{method} {path}: {}", response.text());
        }
    };
    every_route(&[("authorization", "x")], false).await;
    assert_eq!(service.get(&location, &[]).await.status, 200);
    every_route(&[], true).await;
    advance(Duration::from_secs(86_401)).await;
    every_route(&[], false).await;
    assert_eq!(
        without_instance(
            service
                .get(&location, &[])
                .await
                .problem(404, "unknown-job")
        ),
        one
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_client_has_already_is_not_sent_again() {
    let service = service();
    let submitted = service.act("answer", &[]).await;
    let (location, tag) = (submitted.header("location"), submitted.header("etag"));
    for known in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let response = service.get(location, &[("if-none-match", known)]).await;
        assert_eq!(
            (
                response.status,
                response.header("etag"),
                response.header("retry-after")
            ),
            (304, tag, "1"),
            "{known}"
        );
        assert_eq!(
            (response.header("vary"), response.header("content-type")),
            ("Accept, Prefer", "")
        );
    }
    service.room.work_until_idle().await;
    let changed = service.get(location, &[("if-none-match", tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    let over = service
        .get(location, &[("if-none-match", changed.header("etag"))])
        .await;
    assert_eq!((over.status, over.header("retry-after")), (304, ""));
}

#[tokio::test(start_paused = true)]
async fn a_job_without_success_is_always_returned_in_full() {
    let service = service();
    let location = service.finished_job("fail").await;
    let tag = service.get(&location, &[]).await.header("etag").to_owned();
    for known in [tag.as_str(), "*"] {
        for headers in [
            &[("if-none-match", known)][..],
            &[("if-none-match", known), ("accept", "text/html")],
        ] {
            assert_eq!(service.get(&location, headers).await.status, 400);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_the_end() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    let begun = Instant::now();
    let first = service.get(&location, &[("prefer", "wait=20")]).await;
    assert_eq!(
        (first.status, first.header("preference-applied")),
        (202, "wait=20")
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(20));
    advance(Duration::from_secs(10)).await;
    let last = service.get(&location, &[("prefer", "wait=99")]).await;
    assert_eq!(
        (last.status, last.header("preference-applied")),
        (200, "wait=25")
    );
    assert!(begun.elapsed() < Duration::from_secs(52));
    let begun = Instant::now();
    assert_eq!(
        service
            .get(&location, &[("prefer", "wait=25")])
            .await
            .status,
        200
    );
    assert!(
        begun.elapsed().is_zero(),
        "a finished job is not waited for"
    );
    work.await.expect("the work ends");
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_a_change_from_what_the_client_knows() {
    let service = service();
    let submitted = service.act("nap", &[]).await;
    let (location, tag) = (submitted.header("location"), submitted.header("etag"));
    let begun = Instant::now();
    let same = service
        .get(location, &[("prefer", "wait=5"), ("if-none-match", tag)])
        .await;
    assert_eq!(
        (same.status, same.header("preference-applied")),
        (304, "wait=5")
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let html = ("accept", "text/html");
    let page = service.get(location, &[html]).await;
    let known = ("if-none-match", page.header("etag"));
    let same = service
        .get(location, &[html, ("prefer", "wait=5"), known])
        .await;
    assert_eq!(
        (same.status, begun.elapsed()),
        (304, Duration::from_secs(10)),
        "a page has a tag of its own"
    );
    let begun = Instant::now();
    let stale = service
        .get(
            location,
            &[("prefer", "wait=5"), ("if-none-match", "\"old\"")],
        )
        .await;
    assert_eq!((stale.status, begun.elapsed()), (202, Duration::ZERO));
    let poll = async {
        let response = service
            .get(location, &[("prefer", "wait=25"), ("if-none-match", tag)])
            .await;
        (response, begun.elapsed())
    };
    let ((response, took), ()) = tokio::join!(poll, service.room.work_until_idle());
    assert_eq!(
        (response.status, response.json()["status"].as_str()),
        (202, Some("running"))
    );
    assert!(took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_is_not_waited_for() {
    let begun = Instant::now();
    service()
        .get(
            "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11",
            &[("prefer", "wait=25")],
        )
        .await
        .problem(404, "unknown-job");
    assert!(begun.elapsed().is_zero());
}

const WAIT: (&str, &str) = ("prefer", "wait=25");

/// Begins long polls of a job.
fn long_polls(service: &Arc<Service>, location: &str, n: usize) -> Vec<JoinHandle<Response>> {
    (0..n)
        .map(|_| {
            let (service, location) = (Arc::clone(service), location.to_owned());
            tokio::spawn(async move { service.get(&location, &[WAIT]).await })
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_a_thousand_long_polls_and_the_next_request_gets_its_response_at_once() {
    let service = Arc::new(service());
    let location = service.accepted_job("answer", &[]).await;
    let waiting = long_polls(&service, &location, 1000);
    // Time goes on once all of them wait.
    sleep(Duration::from_millis(1)).await;
    let begun = Instant::now();
    let response = service.get(&location, &[WAIT]).await;
    assert_eq!(
        (response.status, response.header("preference-applied")),
        (202, "")
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for response in waiting {
        let response = response.await.expect("no panic");
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (202, "wait=25")
        );
    }
    let response = service.get(&location, &[("prefer", "wait=1")]).await;
    assert_eq!(
        response.header("preference-applied"),
        "wait=1",
        "there is room again"
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_waits_counts_as_a_long_poll() {
    let service = Arc::new(service());
    let location = service.accepted_job("answer", &[]).await;
    let polls = long_polls(&service, &location, 999);
    for last in [None, Some(""), Some("/result"), Some("/events")] {
        let waits = {
            let (service, location) = (Arc::clone(&service), location.clone());
            tokio::spawn(async move {
                match last {
                    None => service.act("answer", &[WAIT]).await,
                    Some(path) => service.get(&format!("{location}{path}"), &[WAIT]).await,
                }
            })
        };
        sleep(Duration::from_millis(1)).await;
        let next = service.get(&location, &[WAIT]).await;
        assert_eq!(next.header("preference-applied"), "", "{last:?}");
        waits.abort();
        assert!(waits.await.is_err(), "it waits");
    }
    polls.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_precondition_of_a_read_hides_no_error() {
    let service = service();
    let unknown = "/jobs/01999999-9999-7999-8999-999999999999";
    for matched in ["\"x\"", "x"] {
        let response = service.get(unknown, &[("if-match", matched)]).await;
        response.problem(404, "unknown-job");
    }
}
