//! Section 5: `GET /jobs/{id}/result`.

use std::time::Duration;

use axum::body::Body;
use cloakroom_app::host::Host as _;
use tokio::time::Instant;

use crate::service::{Service, service, service_with};

#[tokio::test(start_paused = true)]
async fn a_small_result_is_served_with_its_own_type_and_runs_nothing() {
    let service = service();
    let path = format!("{}/result", service.finished_job("page").await);
    let response = service.get(&path, &[("accept", "text/html")]).await;
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, "text/html")
    );
    assert_eq!(response.text(), "<script>alert(1)</script>");
    assert_eq!(response.header("x-content-type-options"), "nosniff");
    assert_eq!(
        response.header("content-security-policy"),
        "sandbox; default-src 'none'"
    );
}

#[tokio::test(start_paused = true)]
async fn a_json_result_is_served_as_the_handler_wrote_it() {
    let service = service();
    let path = format!("{}/result", service.finished_job("answer").await);
    let response = service.get(&path, &[]).await;
    assert_eq!((response.status, response.text()), (200, "{\"answer\":42}"));
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_behind_a_link_and_a_resource_at_the_handlers_location() {
    for (act, place) in [
        ("large", "https://objects.example/results/"),
        ("both-large", "https://objects.example/results/"),
        ("resource", "/reports/7"),
    ] {
        let service = service();
        let path = format!("{}/result", service.finished_job(act).await);
        // Conditions are for a response that is a success.
        for headers in [&[][..], &[("if-match", "\"other\"")]] {
            let response = service.get(&path, headers).await;
            assert_eq!(response.status, 303);
            assert!(
                response.header("location").starts_with(place),
                "{}",
                response.header("location")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_link_to_a_large_result_comes_in_a_document_where_that_is_preferred() {
    let service = service();
    let path = format!("{}/result", service.finished_job("large").await);
    let response = service
        .get(&path, &[("prefer", "return=representation")])
        .await;
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(
        (
            response.header("preference-applied"),
            response.header("vary")
        ),
        ("return=representation", "Prefer")
    );
    let link = response.json();
    assert!(
        link["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("https://objects.example/results/")),
        "{link}"
    );
    let expires_at: cloakroom_core::Timestamp = link["expires_at"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("a time");
    assert_eq!(expires_at.since(service.room.host.now()).as_secs(), 900);

    let response = service
        .get(&path, &[("prefer", "wait=5, return=representation")])
        .await;
    assert_eq!(
        response.header("preference-applied"),
        "wait=5, return=representation"
    );
    let plain = service.get(&path, &[("prefer", "return=minimal")]).await;
    assert_eq!(
        (plain.status, plain.header("preference-applied")),
        (303, "")
    );
}

#[tokio::test(start_paused = true)]
async fn a_preferred_document_changes_nothing_where_there_is_no_link() {
    for (act, status) in [("page", 200), ("resource", 303), ("nothing", 204)] {
        let service = service();
        let path = format!("{}/result", service.finished_job(act).await);
        let response = service
            .get(&path, &[("prefer", "return=representation")])
            .await;
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (status, ""),
            "{act}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_holds_a_response_for_as_long_as_it_allows() {
    for (longest, applied) in [(3, "wait=3"), (0, "")] {
        let service = service_with(
            cloakroom_http::Site::default().longest_wait(Duration::from_secs(longest)),
        );
        let path = format!(
            "{}/result",
            service.act("answer", &[]).await.header("location")
        );
        let begun = Instant::now();
        let response = service.get(&path, &[("prefer", "wait=20")]).await;
        assert_eq!(
            (response.status, response.header("preference-applied")),
            (202, applied)
        );
        assert_eq!(begun.elapsed().as_secs(), longest);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_result_that_expires_before_its_job_is_reported_as_expired_from_then_on() {
    let service = service();
    let location = service.finished_job("large").await;
    let (path, job) = (
        format!("{location}/result"),
        service.get(&location, &[]).await.json(),
    );
    let time = |name: &str| {
        job[name]
            .as_str()
            .unwrap_or_default()
            .parse::<cloakroom_core::Timestamp>()
            .expect("a time")
    };
    assert_eq!(
        time("result_expires_at")
            .since(time("finished_at"))
            .as_secs(),
        7200
    );
    assert!(time("result_expires_at") < time("expires_at"));
    let left = time("result_expires_at").since(service.room.host.now());
    tokio::time::sleep(left.saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(service.get(&path, &[]).await.status, 303);
    tokio::time::sleep(Duration::from_millis(1)).await;
    service.get(&path, &[]).await.problem(410, "result-expired");
    assert_eq!(
        service.get(&location, &[]).await.status,
        200,
        "the job is still known"
    );

    let small = small_result_statuses(&service).await;
    assert_eq!(
        small,
        (200, 200),
        "a small one stands in the job, and stays as long"
    );
}

/// Returns the statuses of a small result, at once and after two hours.
async fn small_result_statuses(service: &Service) -> (u16, u16) {
    let location = service.accepted_job("answer", &[]).await;
    service.room.work_until_idle().await;
    let path = format!("{location}/result");
    let first = service.get(&path, &[]).await.status;
    tokio::time::sleep(Duration::from_secs(7200)).await;
    (first, service.get(&path, &[]).await.status)
}

#[tokio::test(start_paused = true)]
async fn success_without_a_result_or_a_resource_has_no_content() {
    let service = service();
    let path = format!("{}/result", service.finished_job("nothing").await);
    assert_eq!(service.get(&path, &[]).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn a_result_is_served_though_its_job_has_a_resource_too() {
    let service = service();
    let path = format!("{}/result", service.finished_job("both").await);
    let result = service.get(&path, &[]).await;
    assert_eq!((result.status, result.text()), (200, "42"));
}

#[tokio::test(start_paused = true)]
async fn until_there_is_a_result_the_job_is_answered() {
    let service = service();
    let location = service.accepted_job("answer", &[]).await;
    let path = format!("{location}/result");
    let (job, result) = (
        service.get(&location, &[]).await,
        service.get(&path, &[]).await,
    );
    assert_eq!(
        (result.status, result.json(), result.header("retry-after")),
        (202, job.json(), "1")
    );
    assert_eq!(
        service
            .get(&path, &[("if-none-match", job.header("etag"))])
            .await
            .status,
        304
    );
    service
        .request("DELETE", &location, &[], Body::empty())
        .await;
    assert_eq!(
        service.get(&path, &[]).await.problem(410, "job-cancelled"),
        service.get(&location, &[]).await.json()
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_has_no_result_but_its_problem() {
    let service = service();
    let path = format!("{}/result", service.finished_job("refuse").await);
    service.get(&path, &[]).await.problem(422, "out-of-paper");
}

#[tokio::test(start_paused = true)]
async fn a_result_can_be_waited_for() {
    let service = service();
    let path = format!(
        "{}/result",
        service.act("answer", &[]).await.header("location")
    );
    let begun = Instant::now();
    let prefer = [("prefer", "wait=25")];
    let (response, ()) = tokio::join!(service.get(&path, &prefer), service.room.work_until_idle());
    assert_eq!((response.status, response.text()), (200, "{\"answer\":42}"));
    assert_eq!(response.header("preference-applied"), "wait=25");
    assert!(begun.elapsed().as_secs() < 1);
}
