use cloakroom_client::{Ask, Error, Status, Submission};
use serde_json::json;

use crate::script::{ID, Server, client, job, problem, reply};

#[tokio::test]
async fn cancels_and_says_where_the_job_stands() {
    let finished = problem(409, "job-finished", Some(job("failed", &json!({}))));
    let server = Server::start([reply(202, &[], job("cancelling", &json!({})).to_string()), finished]).await;
    let (client, _) = client(&server.url, |builder| builder);
    assert_eq!(client.cancel(ID).await.expect("told").status, Status::Cancelling);
    let error = client.cancel(ID).await.expect_err("too late");
    assert!(matches!(&error, Error::Problem(problem) if problem.code == "job-finished"), "{error}");
    assert!(server.end().iter().all(|seen| seen.line == format!("DELETE /jobs/{ID}")));
}

#[tokio::test]
async fn finds_a_job_by_its_key() {
    let found = json!({ "jobs": [job("running", &json!({ "client_job_id": "a&b" }))] });
    let server = Server::start([reply(200, &[], found.to_string()), reply(200, &[], r#"{"jobs":[]}"#)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    assert_eq!(client.find("a&b").await.expect("an answer").expect("a job").id, ID);
    assert_eq!(client.find("b").await.expect("an answer"), None);
    assert_eq!(server.end()[0].line, "GET /jobs?client_job_id=a%26b");
}

#[test]
fn a_job_is_named_by_its_id_or_any_url_of_it() {
    let (client, _) = client("https://host/stage", |builder| builder);
    let url = format!("https://host/stage/jobs/{ID}");
    for name in [ID, &url, &format!("{url}/result?x#y"), &format!("/stage/jobs/{ID}"), &format!("/jobs/{ID}")] {
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
        assert!(matches!(client.job_url(bad), Err(Error::Input { .. })), "{bad}");
    }
}

#[test]
fn a_base_url_is_checked_where_it_enters() {
    for bad in ["", "localhost:9000", "ftp://host", "https://host/?a=b", "https://host/#a"] {
        assert!(matches!(cloakroom_client::Client::new(bad), Err(Error::Input { .. })), "{bad}");
    }
}

#[test]
fn every_call_can_run_on_any_thread() {
    fn on_any_thread<T: Send>(_: T) {}
    let (client, _) = client("https://host", |builder| builder);
    on_any_thread(client.submit(Submission::json("a", json!({}))));
    on_any_thread(client.wait(ID, |_| ()));
    on_any_thread(client.poll(ID, Ask::default()));
    on_any_thread(client.result(ID));
    on_any_thread(client.cancel(ID));
    on_any_thread(client.find("k"));
}
