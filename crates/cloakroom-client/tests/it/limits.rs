//! Defaults of a client, at their limits.

use std::time::Duration;

use axum::body::Body;
use cloakroom_client::{Ask, Builder, Error, JobResult, RetryPolicy, Submission, Timestamp};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::script::{ID, Reply, Server, client, job, problem, reply};

const MIB: usize = 1024 * 1024;

fn accepted() -> Reply {
    reply(202, &[], job("accepted", &json!({})).to_string())
}

fn bytes(length: usize) -> Submission {
    Submission::bytes("a", "image/png", vec![0; length])
}

#[tokio::test]
async fn a_body_has_up_to_4_mib_and_a_longer_payload_is_uploaded() {
    for (length, line) in [
        (4 * MIB, "POST /commands/a"),
        (4 * MIB + 1, "POST /uploads"),
    ] {
        let server = Server::start([problem(422, "invalid-payload", None)]).await;
        let (client, _) = client(&server.url, |builder| builder);
        client.send(bytes(length)).await.expect_err("refused");
        assert_eq!(server.end()[0].line, line, "{length}");
    }
}

#[tokio::test]
async fn an_upload_over_16_mib_comes_in_parts_of_16_mib() {
    for (length, parts) in [
        (16 * MIB, Value::Null),
        (16 * MIB + 1, json!(2)),
        (32 * MIB, json!(2)),
    ] {
        let server = Server::start([problem(422, "invalid-payload", None)]).await;
        let (client, _) = client(&server.url, |builder| builder);
        client.send(bytes(length)).await.expect_err("refused");
        let asked: Value = serde_json::from_slice(&server.end()[0].body).expect("JSON");
        assert_eq!(
            (&asked["parts"], &asked["content_length"]),
            (&parts, &json!(length))
        );
    }
}

/// Returns an upload with this number of parts of a byte each.
fn upload(storage: &str, parts: u32) -> Reply {
    let part = |number: u32| {
        let url = format!("{storage}/part-{number}");
        json!({ "number": number, "content_length": 1, "uploaded": false, "url": url, "headers": {} })
    };
    let parts: Vec<_> = (1..=parts).map(part).collect();
    let upload = json!({
        "upload_id": "u-1", "method": "PUT", "content_length": parts.len(), "part_length": 1, "parts": parts,
        "expires_at": "2026-11-21T08:15:00.000Z",
    });
    reply(201, &[], upload.to_string())
}

#[tokio::test]
async fn four_parts_are_sent_at_once() {
    let storage = Server::start((0..6).map(|_| Reply::Never)).await;
    let server = Server::start([upload(&storage.url, 6)]).await;
    let (client, _) = client(&server.url, |builder| builder.body_limit(0).parts_from(0));
    let sending = tokio::spawn(async move { client.send(bytes(6)).await });
    let four = async {
        while storage.asked() < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), four)
        .await
        .expect("four are sent");
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(storage.asked(), 4, "and no more");
    sending.abort();
}

#[tokio::test]
async fn a_client_comes_back_for_a_minute_and_no_longer() {
    // The jitter is 250 ms.
    for (told, within, comes_back) in [
        ("59", None, true),
        ("60", None, false),
        ("1", Some(1250), true),
        ("1", Some(1249), false),
    ] {
        let told = reply(503, &[("retry-after", told)], "");
        let server = Server::start([told].into_iter().chain(comes_back.then(accepted))).await;
        let within = |builder: Builder| match within {
            Some(millis) => builder.retry_within(Duration::from_millis(millis)),
            None => builder,
        };
        let (client, _) = client(&server.url, within);
        assert_eq!(client.send(bytes(1)).await.is_ok(), comes_back);
        server.end();
    }
}

#[tokio::test]
async fn the_minute_counts_from_the_first_failure() {
    for (told, waits) in [("30", vec![30_250]), ("20", vec![20_250, 20_250])] {
        let failures = waits.len() + 1;
        let away = || reply(503, &[("retry-after", told)], "");
        let server = Server::start((0..failures).map(|_| away())).await;
        let (client, clock) = client(&server.url, |builder| builder);
        let error = client.send(bytes(1)).await.expect_err("too late");
        assert!(
            matches!(error, Error::Unavailable { attempts, .. } if attempts as usize == failures),
            "{error}"
        );
        assert_eq!(clock.waits_ms(), waits);
        server.end();
    }
}

#[tokio::test]
async fn a_retry_is_told_before_it_is_waited_for() {
    let told: std::sync::Arc<std::sync::Mutex<Vec<_>>> = std::sync::Arc::default();
    let server = Server::start([problem(503, "temporarily-unavailable", None), accepted()]).await;
    let hear = || {
        let told = std::sync::Arc::clone(&told);
        move |retry: &cloakroom_client::Retry| {
            told.lock()
                .expect("a lock")
                .push((retry.attempt, retry.wait, retry.reason.clone()));
        }
    };
    let (client, _) = client(&server.url, |builder| builder.on_retry(hear()));
    client.send(bytes(1)).await.expect("accepted");
    let told = told.lock().expect("a lock");
    assert_eq!(
        *told,
        [(
            1,
            Duration::from_millis(250),
            "503 Service Unavailable: not so".to_owned()
        )]
    );
    server.end();
}

#[tokio::test]
async fn a_result_is_up_to_five_redirects_away() {
    let again = || reply(303, &[("location", "/again")], "");
    let server = Server::start((0..5).map(|_| again()).chain([reply(200, &[], "data")])).await;
    let (client, _) = client(&server.url, |builder| builder);
    let JobResult::Content(download) = client.result(ID).await.expect("a result") else {
        panic!("want content")
    };
    assert_eq!(
        (download.content_type(), download.length()),
        ("application/octet-stream", Some(4))
    );
    let seen = server.end();
    assert!(
        seen.iter().all(|seen| seen.header("accept") == Some("*/*")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_poll_is_held_for_at_most_25_seconds() {
    for (asked, said) in [(24, "wait=24"), (25, "wait=25"), (26, "wait=25")] {
        let running = reply(
            202,
            &[("etag", "\"1\"")],
            job("running", &json!({})).to_string(),
        );
        let over = reply(200, &[], job("succeeded", &json!({})).to_string());
        let server = Server::start([running, over]).await;
        let (client, _) = client(&server.url, |builder| builder.long_poll_seconds(asked));
        client.wait(ID, |_| ()).await.expect("a success");
        assert_eq!(server.end()[1].header("prefer"), Some(said));
    }
}

#[tokio::test]
async fn a_poll_of_a_second_was_held_and_a_shorter_one_was_not() {
    // A poll takes as long as its retries wait.
    for (took, then) in [(999, 5000), (1000, 0)] {
        let running = reply(
            202,
            &[("etag", "\"1\"")],
            job("running", &json!({})).to_string(),
        );
        let over = reply(200, &[], job("succeeded", &json!({})).to_string());
        let unchanged = reply(304, &[("retry-after", "5")], "");
        let server = Server::start([running, reply(503, &[], ""), unchanged, over]).await;
        let wait = Duration::from_millis(took);
        let policy = RetryPolicy {
            max_attempts: 8,
            base: wait,
            cap: wait,
        };
        let (client, clock) = client(&server.url, |builder| builder.retry(policy));
        client.wait(ID, |_| ()).await.expect("a success");
        assert_eq!(clock.waits_ms(), [200, u128::from(took), then]);
        server.end();
    }
}

#[tokio::test]
async fn a_time_to_begin_is_sent_with_each_kind_of_submission() {
    let time: Timestamp = "2026-11-21T08:00:00.500Z".parse().expect("a time");
    let ticket =
        json!({ "upload_id": "u-1", "method": "PUT", "url": "/bucket/u-1", "headers": {} })
            .to_string();
    let server = Server::start([
        accepted(),
        reply(201, &[], ticket),
        reply(200, &[], ""),
        accepted(),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder.body_limit(9));
    client
        .send(bytes(9).not_before(time))
        .await
        .expect("accepted");
    client
        .send(bytes(10).not_before(time))
        .await
        .expect("accepted");
    let seen = server.end();
    assert_eq!(
        (seen[1].line.as_str(), seen[2].line.as_str()),
        ("POST /uploads", "PUT /bucket/u-1")
    );
    for submitted in [&seen[0], &seen[3]] {
        assert_eq!(
            submitted.header("not-before"),
            Some("2026-11-21T08:00:00.500Z")
        );
    }
    assert_eq!(
        (seen[1].header("not-before"), seen[2].header("not-before")),
        (None, None)
    );
}

#[tokio::test]
async fn a_client_says_who_it_is_and_what_it_takes() {
    let server = Server::start([reply(200, &[], r#"{"jobs":[]}"#)]).await;
    let (client, _) = client(&server.url, |builder| builder.header("x-api-key", "secret"));
    client.find("k").await.expect("an answer");
    let seen = server.end();
    let agent = concat!("cloakroom-client/", env!("CARGO_PKG_VERSION"));
    let sent = ["user-agent", "accept", "x-api-key"].map(|name| seen[0].header(name));
    assert_eq!(
        sent,
        [Some(agent), Some("application/json"), Some("secret")]
    );
}

#[tokio::test]
async fn the_story_of_a_job_is_asked_for_below_it() {
    let story = json!({ "job": job("running", &json!({})), "history": [] }).to_string();
    let server = Server::start([reply(200, &[], story), problem(404, "unknown-job", None)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    assert_eq!(client.history(ID).await.expect("a story").job.id, ID);
    let error = client.history(ID).await.expect_err("no such job");
    assert!(
        matches!(&error, Error::Problem(problem) if problem.code == "unknown-job"),
        "{error}"
    );
    assert_eq!(server.end()[0].line, format!("GET /jobs/{ID}/history"));
}

/// Returns the seconds that a call without a response takes.
async fn unanswered<T>(call: impl AsyncFn(&cloakroom_client::Client) -> Result<T, Error>) -> u64 {
    let server = Server::start([Reply::Never]).await;
    let (client, _) = client(&server.url, |builder| builder.retry_within(Duration::ZERO));
    let begun = Instant::now();
    let failed = call(&client).await.map(|_| ()).expect_err("nobody answers");
    assert!(
        matches!(failed, Error::Unavailable { attempts: 1, .. }),
        "{failed}"
    );
    server.end();
    begun.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_30_seconds_besides_what_a_poll_is_held() {
    assert_eq!(unanswered(async |client| client.cancel(ID).await).await, 30);
    assert_eq!(unanswered(async |client| client.find("k").await).await, 30);
    assert_eq!(
        unanswered(async |client| client.history(ID).await).await,
        30
    );
    assert_eq!(unanswered(async |client| client.result(ID).await).await, 30);
    assert_eq!(
        unanswered(async |client| client
            .poll(
                ID,
                Ask {
                    etag: None,
                    wait_seconds: 20
                }
            )
            .await)
        .await,
        50
    );
    // A second for each 64 KiB, on a slow line.
    assert_eq!(
        unanswered(async |client| client.send(bytes(64 * 1024 - 1)).await).await,
        30
    );
    assert_eq!(
        unanswered(async |client| client.send(bytes(64 * 1024)).await).await,
        31
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_piece_of_a_result_may_take_a_minute() {
    let piece = stream::iter([Ok::<_, std::io::Error>("short")]);
    let stalled = Body::from_stream(piece.chain(stream::pending()));
    let server = Server::start([reply(200, &[], stalled)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let JobResult::Content(mut download) = client.result(ID).await.expect("a beginning") else {
        panic!("want content")
    };
    assert_eq!(
        download.chunk().await.expect("a piece").as_deref(),
        Some(&b"short"[..])
    );
    let begun = Instant::now();
    let error = download.chunk().await.expect_err("nothing comes");
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
    assert_eq!(
        error.to_string(),
        "read the result: received nothing for 60 s"
    );
}

#[test]
fn a_url_of_the_wrong_kind_is_told_what_it_should_be() {
    for (url, reason) in [
        ("ftp://host", "expected http:// or https://"),
        (
            "https://host/?a=b",
            "it has a query or a fragment: remove it",
        ),
        ("https://host/#a", "it has a query or a fragment: remove it"),
    ] {
        let error = cloakroom_client::Client::new(url).expect_err("no base URL");
        assert!(
            matches!(&error, Error::Input { reason: given, .. } if given == reason),
            "{error}"
        );
    }
}
