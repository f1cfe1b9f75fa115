//! Section 8.2: server-sent events.

use std::time::Duration;

use axum::body::Body;
use cloakroom_app::testing::Fault;
use cloakroom_http::Site;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::service::{Response, Service, service, service_with};

/// Returns the events of a stream: each with its id and its job.
fn events(response: &Response) -> Vec<(u64, Value)> {
    assert_eq!(response.header("content-type"), "text/event-stream");
    assert_eq!(response.header("cache-control"), "no-store");
    let text = response.text();
    let rest = text.strip_prefix("retry: 2000\n\n").expect("it begins so");
    let blocks = rest.split_terminator("\n\n").filter(|block| *block != ":");
    let event = |block: &str| {
        let lines: Vec<_> = block.lines().collect();
        let ["event: job", id, data] = lines[..] else {
            panic!("{block}")
        };
        let id = id.strip_prefix("id: ").expect("an id");
        let job: Value =
            serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        assert_eq!(job["version"].to_string(), id);
        (id.parse().expect("a version"), job)
    };
    blocks.map(event).collect()
}

async fn stream(service: &Service, location: &str, headers: &[(&str, &str)]) -> Response {
    service.get(&format!("{location}/events"), headers).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_the_job_as_it_is_and_each_newer_state_to_its_end() {
    let service = service();
    let (location, work) = service.running_job("nap").await;
    let response = stream(&service, &location, &[]).await;
    let events = events(&response);
    let versions: Vec<_> = events.iter().map(|(version, _)| *version).collect();
    assert!(versions.is_sorted_by(|one, two| one < two), "{versions:?}");
    assert_eq!(events[0].1["status"], "running");
    let (_, last) = events.last().expect("an event");
    assert_eq!(last["status"], "succeeded");
    work.await.expect("no panic");
    let document = service.get(&location, &[]).await.json();
    assert_eq!(*last, document, "the same document as of a poll");
}

#[tokio::test(start_paused = true)]
async fn a_cursor_skips_what_the_client_has_and_204_tells_it_to_stop() {
    let service = service();
    let location = service.finished_job("answer").await;
    let version = service.get(&location, &[]).await.json()["version"].to_string();
    let old = stream(&service, &location, &[("last-event-id", "1")]).await;
    assert_eq!(events(&old).len(), 1);
    let current = stream(&service, &location, &[("last-event-id", &version)]).await;
    assert_eq!((current.status, current.body.len()), (204, 0));
    let by_query = format!("{location}/events?after={version}");
    assert_eq!(service.get(&by_query, &[]).await.status, 204);
    let later = stream(&service, &location, &[("last-event-id", "99")]).await;
    assert_eq!(later.status, 204);
    let invalid = stream(&service, &location, &[("last-event-id", "x")]).await;
    assert_eq!(events(&invalid).len(), 1, "as without a cursor");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_its_window_and_is_never_silent_for_long() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    for (prefer, seconds) in [
        (None, 55),
        (Some("wait=3"), 3),
        (Some("wait=0"), 1),
        (Some("wait=29"), 29),
        (Some("wait=31"), 31),
        (Some("wait=55"), 55),
        (Some("wait=99"), 55),
    ] {
        let headers: Vec<_> = prefer
            .map(|prefer| ("prefer", prefer))
            .into_iter()
            .collect();
        let begun = Instant::now();
        let response = stream(&service, location, &headers).await;
        let took = begun.elapsed().as_secs();
        assert_eq!(took, seconds, "{prefer:?}");
        let comments = response.text().matches("\n:\n").count() as u64;
        assert_eq!(comments, (seconds.max(1) - 1) / 15, "{prefer:?}");
        assert_eq!(events(&response).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_host_that_returns_it_whole_ends_in_time() {
    let service = service_with(Site::default().longest_stream(Duration::from_secs(25)));
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    for (headers, seconds) in [
        (&[][..], 25),
        (&[("prefer", "wait=40")], 25),
        (&[("prefer", "wait=3")], 3),
    ] {
        let begun = Instant::now();
        let response = stream(&service, location, headers).await;
        assert_eq!(
            (events(&response).len(), begun.elapsed().as_secs()),
            (1, seconds)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_a_job_that_has_not_changed_waits_for_the_next_state() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location").to_owned();
    let room = service.room.clone();
    let work = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        room.work_until_idle().await;
    });
    let response = stream(&service, &location, &[("last-event-id", "1")]).await;
    let events = events(&response);
    assert!(events.iter().all(|(version, _)| *version > 1));
    assert_eq!(events.last().expect("an end").1["status"], "succeeded");
    work.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn the_first_event_does_not_wait_for_the_second() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let path = format!("{}/events", accepted.header("location"));
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = service.router.clone().oneshot(request).await;
    let mut body = response.expect("a router does not fail").into_body();
    let begun = Instant::now();
    for _ in 0..2 {
        body.frame().await.expect("a frame").expect("data");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_no_entity_tag_and_ignores_those_of_the_job() {
    let service = service();
    let location = service.finished_job("answer").await;
    let poll = service.get(&location, &[]).await;
    let etag = poll.header("etag");
    assert!(!etag.is_empty());
    let response = stream(&service, &location, &[("if-none-match", etag)]).await;
    assert_eq!(events(&response).len(), 1);
    assert_eq!(response.header("etag"), "");
}

#[tokio::test(start_paused = true)]
async fn proxies_do_not_buffer_a_stream() {
    let service = service();
    let location = service.finished_job("answer").await;
    let response = stream(&service, &location, &[]).await;
    assert_eq!(response.header("x-accel-buffering"), "no");
}

/// Begins a stream, and returns its body.
async fn begin(service: &Service, path: &str) -> Body {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let response = service.router.clone().oneshot(request).await;
    response.expect("a router does not fail").into_body()
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_not_wait_shows_the_job_and_ends() {
    let service = service_with(Site::default().longest_wait(Duration::ZERO));
    let accepted = service.act("answer", &[]).await;
    let begun = Instant::now();
    let response = stream(&service, accepted.header("location"), &[]).await;
    assert_eq!(events(&response).len(), 1);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_open_stream_counts_against_the_long_polls_of_its_tenant_until_it_ends() {
    let service = service();
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    let path = format!("{location}/events");
    let mut open = vec![];
    for _ in 0..1000 {
        open.push(begin(&service, &path).await);
    }
    let one_more = async || {
        let begun = Instant::now();
        stream(&service, location, &[]).await;
        begun.elapsed().as_secs()
    };
    assert_eq!(one_more().await, 0);
    open.pop();
    assert_eq!(one_more().await, 55);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_has_no_stream_and_a_fault_in_it_ends_it_early() {
    let service = service();
    for path in [
        "/jobs/x/events",
        "/jobs/00000000-0000-4000-8000-000000000000/events",
    ] {
        service.get(path, &[]).await.problem(404, "unknown-job");
    }
    let accepted = service.act("answer", &[]).await;
    let location = accepted.header("location");
    service.room.memory.fail("load", Fault::Before);
    let failed = stream(&service, location, &[]).await;
    failed.problem(503, "temporarily-unavailable");
    service.room.memory.fail_nth(2, Fault::Before);
    let begun = Instant::now();
    let response = stream(&service, location, &[]).await;
    assert_eq!(events(&response).len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(15));
}
