use cloakroom_client::{Ask, Error, Status, Submission};
use serde_json::json;

use crate::script::{ID, Server, client, job, problem, reply};

#[tokio::test]
async fn cancels_and_says_where_the_job_stands() {
    let finished = problem(409, "job-finished", Some(job("failed", &json!({}))));
    let server = Server::start([
        reply(202, &[], job("cancelling", &json!({})).to_string()),
        finished,
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    assert_eq!(
        client.cancel(ID).await.expect("told").status,
        Status::Cancelling
    );
    let error = client.cancel(ID).await.expect_err("too late");
    assert!(
        matches!(&error, Error::Problem(problem) if problem.code == "job-finished"),
        "{error}"
    );
    assert!(
        server
            .end()
            .iter()
            .all(|seen| seen.line == format!("DELETE /jobs/{ID}"))
    );
}

#[tokio::test]
async fn finds_a_job_by_its_key() {
    let found = json!({ "jobs": [job("running", &json!({ "client_job_id": "a&b" }))] });
    let server = Server::start([
        reply(200, &[], found.to_string()),
        reply(200, &[], r#"{"jobs":[]}"#),
    ])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    assert_eq!(
        client
            .find("a&b")
            .await
            .expect("an answer")
            .expect("a job")
            .id,
        ID
    );
    assert_eq!(client.find("b").await.expect("an answer"), None);
    assert_eq!(server.end()[0].line, "GET /jobs?client_job_id=a%26b");
}

#[test]
fn a_job_is_named_by_its_id_or_any_url_of_it() {
    let (client, _) = client("https://host/stage", |builder| builder);
    let url = format!("https://host/stage/jobs/{ID}");
    for name in [
        ID,
        &url,
        &format!("{url}/result?x#y"),
        &format!("/stage/jobs/{ID}"),
        &format!("/jobs/{ID}"),
    ] {
        assert_eq!(client.job_url(name).ok().as_ref(), Some(&url), "{name}");
    }
    for bad in [
        "",
        "x",
        "../admin",
        "/jobs/",
        &format!("https://else.where/stage/jobs/{ID}"),
        &format!("http://host/stage/jobs/{ID}"),
        &ID.to_uppercase(),
    ] {
        assert!(
            matches!(client.job_url(bad), Err(Error::Input { .. })),
            "{bad}"
        );
    }
}

#[test]
fn a_base_url_is_checked_where_it_enters() {
    for bad in [
        "",
        "localhost:9000",
        "ftp://host",
        "https://host/?a=b",
        "https://host/#a",
    ] {
        assert!(
            matches!(cloakroom_client::Client::new(bad), Err(Error::Input { .. })),
            "{bad}"
        );
    }
}

#[test]
fn every_call_can_run_on_any_thread() {
    fn on_any_thread<T: Send>(_: T) {}
    let (client, _) = client("https://host", |builder| builder);
    on_any_thread(client.send(Submission::json("a", json!({}))));
    on_any_thread(client.wait(ID, |_| ()));
    on_any_thread(client.poll(ID, Ask::default()));
    on_any_thread(client.result(ID));
    on_any_thread(client.cancel(ID));
    on_any_thread(client.find("k"));
    on_any_thread(client.links(ID, &[], None));
    on_any_thread(client.deliveries(ID));
    on_any_thread(client.redeliver(ID, "d"));
}

#[tokio::test]
async fn credentials_of_the_base_url_are_sent_as_basic_to_the_service_alone() {
    let storage = Server::start([reply(200, &[], "data")]).await;
    let place = format!("{}/key", storage.url);
    let server = Server::start([
        reply(303, &[("location", &place)], ""),
        problem(404, "unknown-job", None),
    ])
    .await;
    let url = server.url.replace("http://", "http://ada:s%40cret@");
    let (one, _) = client(&url, |builder| builder);
    one.result(ID).await.expect("a result");
    assert_eq!(one.base_url(), server.url);
    // A token that is set otherwise goes first.
    let (other, _) = client(&url, |builder| builder.bearer_token("t"));
    other.result(ID).await.expect_err("no such job");
    let sent: Vec<_> = server
        .end()
        .iter()
        .map(|seen| seen.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(
        sent,
        [
            Some("Basic YWRhOnNAY3JldA==".to_owned()),
            Some("Bearer t".to_owned())
        ]
    );
    assert_eq!(storage.end()[0].header("authorization"), None);
}

#[tokio::test]
async fn credentials_of_another_url_are_taken_from_the_same_origin_alone() {
    let server = Server::start((0..2).map(|_| problem(404, "unknown-job", None))).await;
    let same = server.url.replace("http://", "http://ada:secret@");
    for from in [same.as_str(), "http://ada:secret@else.where"] {
        let (client, _) = client(&server.url, |builder| builder.credentials_from(from));
        client.result(ID).await.expect_err("no such job");
    }
    let sent: Vec<_> = server
        .end()
        .iter()
        .map(|seen| seen.header("authorization").is_some())
        .collect();
    assert_eq!(sent, [true, false]);
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    use cloakroom_client::is_same_origin;
    assert!(is_same_origin("https://Host:443/stage", "https://u:p@host"));
    for other in [
        "http://host:1",
        "https://host",
        "https://host:1@evil/",
        "https://host:1.evil/",
        "https://evil\\@host:1",
        "",
    ] {
        assert!(!is_same_origin(other, "https://host:1"), "{other}");
    }
}
