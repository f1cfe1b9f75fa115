//! Section 4: `GET /jobs/{id}`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cloakroom_core::Tenant;
use cloakroom_http::Site;
use tokio::time::{Instant, advance, sleep};

use crate::house::{house, house_at};

#[tokio::test(start_paused = true)]
async fn a_running_job_is_accepted_still_with_its_progress() {
    let house = house();
    let (location, work) = house.underway("nap").await;
    let answer = house.get(&location, &[]).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (202, "application/json")
    );
    assert_eq!(answer.header("vary"), "Accept, Prefer");
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&seconds));
    insta::assert_json_snapshot!(answer.json());
    work.abort();
}

#[tokio::test(start_paused = true)]
async fn a_job_between_attempts_says_what_went_wrong_and_when_the_next_is() {
    let house = house();
    let (location, work) = house.underway("stumble").await;
    let answer = house.get(&location, &[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (202, "30"));
    insta::assert_json_snapshot!(answer.json());
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
        let house = house();
        let location = house.done(act).await;
        let answer = house.get(&location, &[]).await;
        let job = answer.json();
        assert_eq!((answer.status, answer.header("retry-after")), (200, ""));
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
    let house = house();
    let location = house.done("fail").await;
    let answer = house.get(&location, &[]).await;
    answer.problem(400, "job-failed");
    insta::assert_json_snapshot!(answer.json());
    assert!(!answer.header("etag").is_empty() && answer.header("retry-after").is_empty());

    let house = crate::house::house();
    let location = house.done("refuse").await;
    let problem = house.get(&location, &[]).await.problem(422, "out-of-paper");
    assert!(
        !problem.to_string().contains("tray 2"),
        "what is for the log is not shown"
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_gone() {
    let house = house();
    let location = house.act("answer", &[]).await.header("location").to_owned();
    house.ask("DELETE", &location, &[], Body::empty()).await;
    let answer = house.get(&location, &[]).await;
    assert_eq!(
        answer.problem(410, "job-cancelled")["job"]["status"],
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
    let house = house_at(Site::default().tenant(tenant));
    let location = house.done("answer").await;
    let without_instance = |mut problem: serde_json::Value| {
        problem
            .as_object_mut()
            .expect("an object")
            .remove("instance");
        problem
    };
    let unknown = house
        .get("/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11", &[])
        .await;
    let one = without_instance(unknown.problem(404, "unknown-job"));
    assert_eq!(unknown.header("cache-control"), "no-store");
    let upper = location.to_uppercase().replace("/JOBS", "/jobs");
    for path in ["/jobs/x", "/jobs/%00", "/jobs/%FF", &upper] {
        for path in [path, &format!("{path}/result")] {
            for accept in ["*/*", "text/html"] {
                let answer = house.get(path, &[("accept", accept)]).await;
                assert_eq!(
                    without_instance(answer.problem(404, "unknown-job")),
                    one,
                    "{path}"
                );
            }
        }
        house
            .ask("DELETE", path, &[], Body::empty())
            .await
            .problem(404, "unknown-job");
    }
    assert_eq!(
        without_instance(
            house
                .get(&location, &[("authorization", "x")])
                .await
                .problem(404, "unknown-job")
        ),
        one
    );
    assert_eq!(house.get(&location, &[]).await.status, 200);
    advance(Duration::from_secs(86_401)).await;
    assert_eq!(
        without_instance(house.get(&location, &[]).await.problem(404, "unknown-job")),
        one
    );
    house
        .ask("DELETE", &location, &[], Body::empty())
        .await
        .problem(404, "unknown-job");
}

#[tokio::test(start_paused = true)]
async fn what_the_client_has_already_is_not_sent_again() {
    let house = house();
    let submitted = house.act("answer", &[]).await;
    let (location, tag) = (submitted.header("location"), submitted.header("etag"));
    for known in [tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let answer = house.get(location, &[("if-none-match", known)]).await;
        assert_eq!(
            (
                answer.status,
                answer.header("etag"),
                answer.header("retry-after")
            ),
            (304, tag, "1"),
            "{known}"
        );
        assert_eq!(
            (answer.header("vary"), answer.header("content-type")),
            ("Accept, Prefer", "")
        );
    }
    house.room.work_until_idle().await;
    let changed = house.get(location, &[("if-none-match", tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
    let over = house
        .get(location, &[("if-none-match", changed.header("etag"))])
        .await;
    assert_eq!((over.status, over.header("retry-after")), (304, ""));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_came_to_a_bad_end_is_always_told_in_full() {
    let house = house();
    let location = house.done("fail").await;
    let tag = house.get(&location, &[]).await.header("etag").to_owned();
    for known in [tag.as_str(), "*"] {
        for headers in [
            &[("if-none-match", known)][..],
            &[("if-none-match", known), ("accept", "text/html")],
        ] {
            assert_eq!(house.get(&location, headers).await.status, 400);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_the_end() {
    let house = house();
    let (location, work) = house.underway("nap").await;
    let begun = Instant::now();
    let first = house.get(&location, &[("prefer", "wait=20")]).await;
    assert_eq!(
        (first.status, first.header("preference-applied")),
        (202, "wait=20")
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(20));
    advance(Duration::from_secs(10)).await;
    let last = house.get(&location, &[("prefer", "wait=99")]).await;
    assert_eq!(
        (last.status, last.header("preference-applied")),
        (200, "wait=25")
    );
    assert!(begun.elapsed() < Duration::from_secs(52));
    let begun = Instant::now();
    assert_eq!(
        house.get(&location, &[("prefer", "wait=25")]).await.status,
        200
    );
    assert!(begun.elapsed().is_zero(), "what is over is not waited for");
    work.await.expect("the work ends");
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_a_change_from_what_the_client_knows() {
    let house = house();
    let submitted = house.act("nap", &[]).await;
    let (location, tag) = (submitted.header("location"), submitted.header("etag"));
    let begun = Instant::now();
    let same = house
        .get(location, &[("prefer", "wait=5"), ("if-none-match", tag)])
        .await;
    assert_eq!(
        (same.status, same.header("preference-applied")),
        (304, "wait=5")
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    let begun = Instant::now();
    let stale = house
        .get(
            location,
            &[("prefer", "wait=5"), ("if-none-match", "\"old\"")],
        )
        .await;
    assert_eq!((stale.status, begun.elapsed()), (202, Duration::ZERO));
    let poll = async {
        let answer = house
            .get(location, &[("prefer", "wait=25"), ("if-none-match", tag)])
            .await;
        (answer, begun.elapsed())
    };
    let ((answer, took), ()) = tokio::join!(poll, house.room.work_until_idle());
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (202, Some("running"))
    );
    assert!(took < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_is_not_waited_for() {
    let begun = Instant::now();
    house()
        .get(
            "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11",
            &[("prefer", "wait=25")],
        )
        .await
        .problem(404, "unknown-job");
    assert!(begun.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_answers_are_held_for_a_tenant_and_the_next_one_is_given_at_once() {
    let house = Arc::new(house());
    let location = house.act("answer", &[]).await.header("location").to_owned();
    let held: Vec<_> = (0..1000)
        .map(|_| {
            let (house, location) = (Arc::clone(&house), location.clone());
            tokio::spawn(async move { house.get(&location, &[("prefer", "wait=25")]).await })
        })
        .collect();
    // Time goes on once all of them wait.
    sleep(Duration::from_millis(1)).await;
    let begun = Instant::now();
    let answer = house.get(&location, &[("prefer", "wait=25")]).await;
    assert_eq!(
        (answer.status, answer.header("preference-applied")),
        (202, "")
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for answer in held {
        let answer = answer.await.expect("no panic");
        assert_eq!(
            (answer.status, answer.header("preference-applied")),
            (202, "wait=25")
        );
    }
    let answer = house.get(&location, &[("prefer", "wait=1")]).await;
    assert_eq!(
        answer.header("preference-applied"),
        "wait=1",
        "there is room again"
    );
}
