//! Section 5: `GET /jobs/{id}/result`.

use std::time::Duration;

use axum::body::Body;
use cloakroom_app::host::Host as _;
use tokio::time::Instant;

use crate::house::{House, house, house_at};

#[tokio::test(start_paused = true)]
async fn a_small_result_is_served_with_its_own_type_and_runs_nothing() {
    let house = house();
    let path = format!("{}/result", house.done("page").await);
    let answer = house.get(&path, &[("accept", "text/html")]).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "text/html")
    );
    assert_eq!(answer.text(), "<script>alert(1)</script>");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(
        answer.header("content-security-policy"),
        "sandbox; default-src 'none'"
    );
}

#[tokio::test(start_paused = true)]
async fn a_json_result_is_served_as_the_handler_wrote_it() {
    let house = house();
    let path = format!("{}/result", house.done("answer").await);
    let answer = house.get(&path, &[]).await;
    assert_eq!((answer.status, answer.text()), (200, "{\"answer\":42}"));
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_a_link_away_and_a_resource_is_where_the_handler_says() {
    for (act, place) in [
        ("large", "https://objects.example/results/"),
        ("resource", "/reports/7"),
    ] {
        let house = house();
        let path = format!("{}/result", house.done(act).await);
        let answer = house.get(&path, &[]).await;
        assert_eq!(answer.status, 303);
        assert!(
            answer.header("location").starts_with(place),
            "{}",
            answer.header("location")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_link_to_a_large_result_comes_in_a_document_where_that_is_preferred() {
    let house = house();
    let path = format!("{}/result", house.done("large").await);
    let answer = house
        .get(&path, &[("prefer", "return=representation")])
        .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(
        (answer.header("preference-applied"), answer.header("vary")),
        ("return=representation", "Prefer")
    );
    let link = answer.json();
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
    assert_eq!(expires_at.since(house.room.host.now()).as_secs(), 900);

    let held = house
        .get(&path, &[("prefer", "wait=5, return=representation")])
        .await;
    assert_eq!(
        held.header("preference-applied"),
        "wait=5, return=representation"
    );
    let plain = house.get(&path, &[("prefer", "return=minimal")]).await;
    assert_eq!(
        (plain.status, plain.header("preference-applied")),
        (303, "")
    );
}

#[tokio::test(start_paused = true)]
async fn a_preferred_document_changes_nothing_where_there_is_no_link() {
    for (act, status) in [("page", 200), ("resource", 303), ("nothing", 204)] {
        let house = house();
        let path = format!("{}/result", house.done(act).await);
        let answer = house
            .get(&path, &[("prefer", "return=representation")])
            .await;
        assert_eq!(
            (answer.status, answer.header("preference-applied")),
            (status, ""),
            "{act}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_holds_a_response_for_as_long_as_it_allows() {
    for (longest, applied) in [(3, "wait=3"), (0, "")] {
        let house =
            house_at(cloakroom_http::Site::default().longest_wait(Duration::from_secs(longest)));
        let path = format!(
            "{}/result",
            house.act("answer", &[]).await.header("location")
        );
        let begun = Instant::now();
        let answer = house.get(&path, &[("prefer", "wait=20")]).await;
        assert_eq!(
            (answer.status, answer.header("preference-applied")),
            (202, applied)
        );
        assert_eq!(begun.elapsed().as_secs(), longest);
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_result_that_goes_before_its_job_says_when_and_is_said_to_be_gone_then() {
    let house = house();
    let location = house.done("large").await;
    let (path, job) = (
        format!("{location}/result"),
        house.get(&location, &[]).await.json(),
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
    tokio::time::sleep(Duration::from_secs(7190)).await;
    assert_eq!(house.get(&path, &[]).await.status, 303);
    tokio::time::sleep(Duration::from_secs(10)).await;
    house.get(&path, &[]).await.problem(410, "result-expired");
    assert_eq!(
        house.get(&location, &[]).await.status,
        200,
        "the job is still known"
    );

    let small = house_small(&house).await;
    assert_eq!(
        small,
        (200, 200),
        "a small one stands in the job, and stays as long"
    );
}

/// The statuses of a small result, at once and after two hours.
async fn house_small(house: &House) -> (u16, u16) {
    let location = house.act("answer", &[]).await.header("location").to_owned();
    house.room.work_until_idle().await;
    let path = format!("{location}/result");
    let first = house.get(&path, &[]).await.status;
    tokio::time::sleep(Duration::from_secs(7200)).await;
    (first, house.get(&path, &[]).await.status)
}

#[tokio::test(start_paused = true)]
async fn success_without_a_result_or_a_resource_has_no_content() {
    let house = house();
    let path = format!("{}/result", house.done("nothing").await);
    assert_eq!(house.get(&path, &[]).await.status, 204);
}

#[tokio::test(start_paused = true)]
async fn until_there_is_a_result_the_job_is_answered() {
    let house = house();
    let location = house.act("answer", &[]).await.header("location").to_owned();
    let path = format!("{location}/result");
    let (job, result) = (house.get(&location, &[]).await, house.get(&path, &[]).await);
    assert_eq!(
        (result.status, result.json(), result.header("retry-after")),
        (202, job.json(), "1")
    );
    assert_eq!(
        house
            .get(&path, &[("if-none-match", job.header("etag"))])
            .await
            .status,
        304
    );
    house.ask("DELETE", &location, &[], Body::empty()).await;
    assert_eq!(
        house.get(&path, &[]).await.problem(410, "job-cancelled"),
        house.get(&location, &[]).await.json()
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_has_no_result_but_its_problem() {
    let house = house();
    let path = format!("{}/result", house.done("refuse").await);
    house.get(&path, &[]).await.problem(422, "out-of-paper");
}

#[tokio::test(start_paused = true)]
async fn a_result_can_be_waited_for() {
    let house = house();
    let path = format!(
        "{}/result",
        house.act("answer", &[]).await.header("location")
    );
    let begun = Instant::now();
    let prefer = [("prefer", "wait=25")];
    let (answer, ()) = tokio::join!(house.get(&path, &prefer), house.room.work_until_idle());
    assert_eq!((answer.status, answer.text()), (200, "{\"answer\":42}"));
    assert_eq!(answer.header("preference-applied"), "wait=25");
    assert!(begun.elapsed().as_secs() < 1);
}
