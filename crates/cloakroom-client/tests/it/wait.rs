use cloakroom_client::{Ask, Error, Poll, Status};
use serde_json::{Value, json};

use crate::script::{ID, Reply, Server, client, job, problem, reply};

fn in_flight(status: &str, etag: &str, more: &Value) -> Reply {
    reply(
        202,
        &[("retry-after", "7"), ("etag", etag)],
        job(status, more).to_string(),
    )
}

fn unchanged() -> Reply {
    reply(304, &[("retry-after", "5")], "")
}

fn succeeded() -> Reply {
    reply(
        200,
        &[("etag", "\"9\"")],
        job("succeeded", &json!({ "result": { "ok": true } })).to_string(),
    )
}

#[tokio::test]
async fn follows_a_job_through_its_states_to_its_success() {
    let server = Server::start([
        in_flight("accepted", "\"1\"", &json!({})),
        in_flight(
            "running",
            "\"2\"",
            &json!({ "progress": { "percent": 42.5 } }),
        ),
        unchanged(),
        succeeded(),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder);
    let mut states = Vec::new();
    let job = client
        .wait(ID, |job| states.push(job.status))
        .await
        .expect("a success");
    assert_eq!(job.result, Some(json!({ "ok": true })));
    assert_eq!(
        states,
        [Status::Accepted, Status::Running, Status::Succeeded]
    );
    let seen = server.end();
    let asked: Vec<_> = seen
        .iter()
        .map(|seen| (seen.header("if-none-match"), seen.header("prefer")))
        .collect();
    let held = Some("wait=20");
    assert_eq!(
        asked,
        [
            (None, None),
            (Some("\"1\""), held),
            (Some("\"2\""), held),
            (Some("\"2\""), held)
        ]
    );
    // A long poll follows a change. After a response that was not held and shows no change, the client waits for `Retry-After`.
    assert_eq!(clock.waits_ms(), [200, 200, 5000]);
}

#[tokio::test]
async fn a_server_that_holds_nothing_is_asked_as_told() {
    let server = Server::start([
        reply(
            202,
            &[("retry-after", "7")],
            job("accepted", &json!({})).to_string(),
        ),
        reply(202, &[], job("accepted", &json!({})).to_string()),
        succeeded(),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder.long_poll_seconds(0));
    let mut updates = 0;
    client.wait(ID, |_| updates += 1).await.expect("a success");
    assert_eq!((updates, clock.waits_ms()), (2, vec![7000, 2000]));
    assert!(
        server
            .end()
            .iter()
            .all(|seen| seen.header("prefer").is_none())
    );
}

#[tokio::test]
async fn goes_on_through_failures_of_service_and_network() {
    let server = Server::start([
        in_flight("running", "\"1\"", &json!({})),
        reply(500, &[], ""),
        Reply::Drop,
        reply(429, &[("retry-after", "2")], ""),
        succeeded(),
    ])
    .await;
    let (client, clock) = client(&server.url, |builder| builder);
    client.wait(ID, |_| ()).await.expect("a success");
    assert_eq!(clock.waits_ms(), [200, 250, 500, 2250]);
    server.end();
}

#[tokio::test]
async fn a_failed_job_is_told_from_a_refused_request() {
    let failed = || problem(404, "no-such-face", Some(job("failed", &json!({}))));
    let server = Server::start([failed(), failed(), problem(404, "unknown-job", None)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let mut states = Vec::new();
    let error = client
        .wait(ID, |job| states.push(job.status))
        .await
        .expect_err("the job failed");
    assert!(
        matches!(&error, Error::JobFailed(problem) if problem.code == "no-such-face" && problem.job.is_some()),
        "{error}"
    );
    assert_eq!(states, [Status::Failed]);
    // To one who polls, a job that failed is an answer.
    let Poll::Job(snapshot) = client.poll(ID, Ask::default()).await.expect("an answer") else {
        panic!("nothing was known before")
    };
    assert_eq!(
        (snapshot.job.status, snapshot.problem.expect("why").status),
        (Status::Failed, 404)
    );
    let error = client.wait(ID, |_| ()).await.expect_err("no such job");
    assert!(
        matches!(&error, Error::Problem(problem) if problem.code == "unknown-job"),
        "{error}"
    );
    server.end();
}

#[tokio::test]
async fn a_cancelled_job_is_gone() {
    let server = Server::start([problem(
        410,
        "job-cancelled",
        Some(job("cancelled", &json!({}))),
    )])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client.wait(ID, |_| ()).await.expect_err("cancelled");
    assert!(matches!(error, Error::JobCancelled(_)), "{error}");
    server.end();
}

#[tokio::test]
async fn what_is_no_job_document_is_not_by_the_contract() {
    let server = Server::start([
        reply(200, &[], "<html>"),
        reply(301, &[("location", "https://else.where/")], ""),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    for _ in 0..2 {
        let error = client
            .poll(ID, Ask::default())
            .await
            .expect_err("not by the contract");
        assert!(matches!(error, Error::Protocol(_)), "{error}");
    }
    server.end();
}
