//! Waiting by the events of a job.

use std::io::Error as IoError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use cloakroom_client::{Client, Clock, Error, JobView, Status};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::script::{CountingClock, ID, Reply, Seen, Server, client, job, problem, reply};

const STREAM: (&str, &str) = ("content-type", "text/event-stream");

fn polled(version: u64, status: &str) -> Reply {
    let etag = format!("\"{version}\"");
    let body = job(status, &json!({ "version": version })).to_string();
    reply(202, &[("retry-after", "7"), ("etag", &etag)], body)
}

fn succeeded(version: u64) -> Reply {
    reply(200, &[], document(version, "succeeded").to_string())
}

fn document(version: u64, status: &str) -> Value {
    job(status, &json!({ "version": version }))
}

fn event(version: u64, status: &str) -> String {
    let document = document(version, status);
    format!("event: job\nid: {version}\ndata: {document}\n\n")
}

/// Returns a stream that is delivered in these pieces.
fn pieces(pieces: impl IntoIterator<Item = Result<String, IoError>>) -> Reply {
    let pieces: Vec<_> = pieces.into_iter().collect();
    let body = stream::iter(pieces).then(|piece| async {
        // The piece before is on its way.
        tokio::task::yield_now().await;
        piece
    });
    reply(200, &[STREAM], Body::from_stream(body))
}

fn whole(text: impl Into<Body>) -> Reply {
    reply(200, &[STREAM], text)
}

fn cut() -> Result<String, IoError> {
    Err(IoError::other("cut"))
}

/// Waits for the job, and returns the outcome and the versions that were reported.
async fn wait(client: &Client) -> (Result<JobView, Error>, Vec<u64>) {
    let mut versions = Vec::new();
    let outcome = client.wait(ID, |job| versions.push(job.version)).await;
    (outcome, versions)
}

/// Returns the resource and the cursor of each request.
fn asked(seen: &[Seen]) -> Vec<(&str, Option<&str>)> {
    let resource = |seen: &Seen| {
        if seen.line.ends_with("/events") {
            "events"
        } else {
            "job"
        }
    };
    seen.iter()
        .map(|seen| (resource(seen), seen.header("last-event-id")))
        .collect()
}

#[tokio::test]
async fn follows_a_job_through_its_events_to_its_success() {
    let text = format!(
        "retry: 2000\n\n: a comment\n\n{}{}{}",
        event(2, "running"),
        event(3, "running"),
        event(4, "succeeded")
    );
    let (first, rest) = text.split_at(text.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let parts = [first, second, third].map(|part| Ok(part.to_owned()));
    let server = Server::start([polled(1, "accepted"), pieces(parts), succeeded(4)]).await;
    let (client, clock) = client(&server.url, |builder| builder.bearer_token("secret"));
    let (outcome, versions) = wait(&client).await;
    assert_eq!(outcome.expect("a success").status, Status::Succeeded);
    assert_eq!(versions, [1, 2, 3, 4]);
    assert_eq!(clock.waits_ms(), [0; 0]);
    let seen = server.end();
    assert_eq!(
        asked(&seen),
        [("job", None), ("events", Some("1")), ("job", None)]
    );
    let sent = ["accept", "authorization", "prefer"].map(|name| seen[1].header(name));
    assert_eq!(
        sent,
        [Some("text/event-stream"), Some("Bearer secret"), None]
    );
    assert_eq!(seen[2].header("if-none-match"), None);
}

#[tokio::test]
async fn a_stream_that_is_delivered_whole_is_a_slow_response() {
    let text = event(2, "running") + &event(3, "succeeded");
    let server = Server::start([polled(1, "accepted"), whole(text), succeeded(3)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!(versions, [1, 2, 3]);
    server.end();
}

#[tokio::test]
async fn resumes_from_its_cursor_after_the_connection_broke() {
    let first = [
        Ok("retry: 700\n\n".to_owned() + &event(2, "running")),
        cut(),
    ];
    let second = [Ok(event(3, "running")), cut()];
    let server = Server::start([
        polled(1, "accepted"),
        pieces(first),
        pieces(second),
        whole(event(5, "succeeded")),
        succeeded(5),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder);
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!(versions, [1, 2, 3, 5]);
    // The delay that the stream sets, and the default.
    assert_eq!(clock.waits_ms(), [700, 2000]);
    let seen = server.end();
    let cursors: Vec<_> = asked(&seen)[1..4].iter().map(|it| it.1).collect();
    assert_eq!(cursors, [Some("1"), Some("2"), Some("3")]);
}

#[tokio::test]
async fn versions_that_are_not_newer_are_ignored() {
    let text = [
        (1, "accepted"),
        (3, "running"),
        (2, "running"),
        (3, "running"),
    ]
    .map(|(version, status)| event(version, status))
    .concat();
    let other = "event: other\nid: 9\ndata: {}\n\n";
    let text = text + other + &event(4, "succeeded");
    let server = Server::start([polled(1, "accepted"), whole(text), succeeded(4)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!(versions, [1, 3, 4]);
    server.end();
}

#[tokio::test]
async fn no_content_means_that_the_job_has_ended() {
    let server = Server::start([polled(1, "running"), reply(204, &[], ""), succeeded(2)]).await;
    let (client, clock) = client(&server.url, |builder| builder);
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!((versions, clock.waits_ms()), (vec![1, 2], vec![]));
    server.end();
}

#[tokio::test]
async fn a_service_without_a_stream_is_polled_for_the_rest_of_the_wait() {
    let html = reply(200, &[("content-type", "text/html")], "<html>");
    let refused = |status| problem(status, "not-found", None);
    let no_job = whole("event: job\ndata: <html>\n\n");
    let too_large = whole(format!("data: {}", "x".repeat(1024 * 1024)));
    let refusals = [404, 405, 406, 501, 403, 400].map(refused);
    let moved = reply(307, &[("location", "https://else.where/")], "");
    for refusal in refusals.into_iter().chain([html, moved, no_job, too_large]) {
        let server = Server::start([
            polled(1, "accepted"),
            refusal,
            polled(2, "running"),
            succeeded(3),
        ])
        .await;
        let (client, clock) = client(&server.url, |builder| builder);
        let (outcome, versions) = wait(&client).await;
        outcome.expect("a success");
        assert_eq!(versions, [1, 2, 3]);
        assert_eq!(clock.waits_ms(), [200, 200]);
        let seen = server.end();
        let names: Vec<_> = asked(&seen).iter().map(|it| it.0).collect();
        assert_eq!(names, ["job", "events", "job", "job"]);
        assert_eq!(seen[2].header("prefer"), Some("wait=20"));
    }
}

#[tokio::test]
async fn an_unavailable_stream_leaves_one_poll_to_decide_and_the_second_time_all() {
    let away = || reply(503, &[("retry-after", "5")], "");
    let server = Server::start([
        polled(1, "accepted"),
        away(),
        polled(1, "accepted"),
        Reply::Drop,
        polled(1, "accepted"),
        succeeded(2),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder);
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!(versions, [1, 2]);
    // `Retry-After` of the stream, then those of the polls, which show no change.
    assert_eq!(clock.waits_ms(), [5000, 7000, 7000]);
    let seen = server.end();
    let names: Vec<_> = asked(&seen).iter().map(|it| it.0).collect();
    assert_eq!(names, ["job", "events", "job", "events", "job", "job"]);
}

#[tokio::test]
async fn news_after_a_failure_keep_the_stream_in_use() {
    let away = || reply(429, &[], "");
    let server = Server::start([
        polled(1, "accepted"),
        away(),
        polled(2, "running"),
        pieces([Ok(event(3, "running")), cut()]),
        away(),
        polled(3, "running"),
        whole(event(4, "succeeded")),
        succeeded(4),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!(versions, [1, 2, 3, 4]);
    server.end();
}

#[tokio::test]
async fn streams_that_end_at_once_without_news_are_replaced_by_polls() {
    let server = Server::start([
        polled(1, "accepted"),
        whole(event(1, "accepted")),
        whole(""),
        polled(1, "accepted"),
        succeeded(2),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder);
    wait(&client).await.0.expect("a success");
    assert_eq!(clock.waits_ms(), [2000, 200, 7000]);
    server.end();
}

#[tokio::test]
async fn an_end_that_no_poll_confirms_is_not_asked_for_again_and_again() {
    let none = || reply(204, &[], "");
    let server = Server::start([
        polled(1, "running"),
        none(),
        polled(1, "running"),
        none(),
        polled(1, "running"),
        succeeded(2),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder);
    wait(&client).await.0.expect("a success");
    assert_eq!(clock.waits_ms(), [200]);
    server.end();
}

#[tokio::test]
async fn failed_and_cancelled_jobs_are_the_errors_of_a_poll() {
    let failed = problem(404, "no-such-face", Some(document(2, "failed")));
    let cancelled = problem(410, "job-cancelled", Some(document(2, "cancelled")));
    for (status, answer) in [("failed", failed), ("cancelled", cancelled)] {
        let text = event(2, status);
        let server = Server::start([polled(1, "running"), whole(text), answer]).await;
        let (client, _) = client(&server.url, |builder| builder);
        let (outcome, versions) = wait(&client).await;
        let error = outcome.expect_err("no success");
        let is_told = match status {
            "failed" => matches!(&error, Error::JobFailed(why) if why.code == "no-such-face"),
            _ => matches!(&error, Error::JobCancelled(_)),
        };
        assert!(is_told, "{error}");
        assert_eq!(versions, [1, 2]);
        server.end();
    }
}

#[tokio::test]
async fn a_job_that_expires_meanwhile_is_unknown() {
    let unknown = || problem(404, "unknown-job", None);
    let server = Server::start([polled(1, "running"), unknown(), unknown()]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = wait(&client).await.0.expect_err("no such job");
    assert!(
        matches!(&error, Error::Problem(problem) if problem.code == "unknown-job"),
        "{error}"
    );
    server.end();
}

#[tokio::test]
async fn without_long_polls_there_are_no_streams() {
    let server = Server::start([polled(1, "running"), succeeded(2)]).await;
    let (client, clock) = client(&server.url, |builder| builder.long_poll_seconds(0));
    wait(&client).await.0.expect("a success");
    assert_eq!(clock.waits_ms(), [7000]);
    server.end();
}

/// Returns a stream without events that ends after 55 seconds of this clock.
fn window(clock: &Arc<CountingClock>) -> Reply {
    let clock = Arc::clone(clock);
    let end = stream::once(async move {
        clock.sleep(Duration::from_secs(55)).await;
        Ok::<_, IoError>(": still there\n\n")
    });
    whole(Body::from_stream(end))
}

#[tokio::test]
async fn a_new_stream_follows_at_once_when_the_window_ends() {
    let clock = Arc::new(CountingClock::default());
    let server = Server::start([
        polled(1, "running"),
        window(&clock),
        window(&clock),
        window(&clock),
        whole(event(2, "succeeded")),
        succeeded(2),
    ])
    .await;
    let builder = Client::builder(&server.url).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let (outcome, versions) = wait(&builder.build().expect("a client")).await;
    outcome.expect("a success");
    assert_eq!(versions, [1, 2]);
    assert_eq!(clock.waits_ms(), [55_000; 3]);
    server.end();
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_comments_is_left_for_a_poll() {
    let first = stream::iter([Ok::<_, IoError>(event(2, "running"))]);
    let stalled = Body::from_stream(first.chain(stream::pending()));
    let server = Server::start([polled(1, "accepted"), whole(stalled), succeeded(3)]).await;
    let client = Client::new(&server.url).expect("a client");
    let begun = Instant::now();
    let (outcome, versions) = wait(&client).await;
    outcome.expect("a success");
    assert_eq!((versions, begun.elapsed().as_secs()), (vec![1, 2, 3], 45));
    server.end();
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_stream_may_take_a_window_more_than_a_response() {
    let server = Server::start([polled(1, "running"), Reply::Never, succeeded(2)]).await;
    let client = Client::new(&server.url).expect("a client");
    let begun = Instant::now();
    wait(&client).await.0.expect("a success");
    assert_eq!(begun.elapsed().as_secs(), 85);
    server.end();
}
