use std::time::Duration;

use cloakroom_client::{CallbackEvents, Cause, Error, Status, Submission};
use serde_json::json;

use crate::script::{ID, Reply, Server, client, job, problem, reply};

fn accepted() -> Reply {
    let headers = [
        ("location", "/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"),
        ("retry-after", "1"),
    ];
    reply(202, &headers, job("accepted", &json!({})).to_string())
}

fn command() -> Submission {
    Submission::json("thumbnail.create", json!({ "width": 100 }))
}

#[tokio::test]
async fn asks_again_with_the_same_key_at_503_and_a_dropped_connection() {
    let away = reply(503, &[("retry-after", "3")], "");
    let server = Server::start([away, Reply::Drop, accepted()]).await;
    let (client, clock) = client(&server.url, |builder| builder);
    let submitted = client.send(command()).await.expect("accepted in the end");
    assert_eq!(submitted.job.status, Status::Accepted);
    assert_eq!(submitted.location, format!("{}/jobs/{ID}", server.url));
    assert!(!submitted.replayed);
    // `Retry-After` plus jitter; then the backoff of the second attempt.
    assert_eq!(clock.waits_ms(), [3250, 500]);
    let seen = server.end();
    let keys: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("idempotency-key").expect("a key"))
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(
        keys.iter().all(|key| *key == keys[0] && key.len() == 38),
        "{keys:?}"
    );
    assert!(
        seen.iter()
            .all(|seen| seen.line == "POST /commands/thumbnail.create"
                && *seen.body == *b"{\"width\":100}")
    );
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn sends_a_given_key_as_a_structured_field_string_and_the_query_in_its_order() {
    let server = Server::start([accepted()]).await;
    let (client, _) = client(&server.url, |builder| {
        builder.bearer_token("secret").user_agent("me/1")
    });
    let photo = Submission::bytes("thumbnail.create", "image/png", "png")
        .query("width", 100)
        .query("fit", "a b")
        .key("a\"b\\c");
    client.send(photo).await.expect("accepted");
    let seen = server.end();
    assert_eq!(
        seen[0].line,
        "POST /commands/thumbnail.create?width=100&fit=a+b"
    );
    assert_eq!(seen[0].header("idempotency-key"), Some(r#""a\"b\\c""#));
    assert_eq!(seen[0].header("authorization"), Some("Bearer secret"));
    assert_eq!(seen[0].header("user-agent"), Some("me/1"));
    assert_eq!(seen[0].header("content-type"), Some("image/png"));
}

#[tokio::test]
async fn receivers_of_events_are_headers_of_each_attempt() {
    let server = Server::start([reply(503, &[], ""), accepted(), accepted()]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let order = command()
        .callback_url("https://host/hook?a=b")
        .callback_events(CallbackEvents::All)
        .reply_to("orders")
        .correlation_id("cart-7");
    client.send(order).await.expect("accepted");
    client.send(command()).await.expect("accepted");
    let names = [
        "callback-url",
        "callback-events",
        "reply-to",
        "correlation-id",
    ];
    let sent = [
        Some("https://host/hook?a=b"),
        Some("all"),
        Some("orders"),
        Some("cart-7"),
    ];
    let seen = server.end();
    assert_eq!(names.map(|name| seen[0].header(name)), sent);
    assert_eq!(names.map(|name| seen[1].header(name)), sent);
    assert_eq!(names.map(|name| seen[2].header(name)), [None; 4]);
}

#[tokio::test]
async fn a_job_that_causes_another_hands_on_its_ids_and_its_trace() {
    let server = Server::start([accepted(), accepted()]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let cause = || Cause {
        correlation_id: "cart-7".into(),
        causation_id: "job-1".into(),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        tracestate: None,
    };
    client
        .send(command().caused_by(cause()))
        .await
        .expect("accepted");
    let submit = client.submit::<()>("thumbnail.create", &json!({}));
    let other = submit.caused_by(cause()).correlation_id("order-1");
    other.await.expect("accepted");
    let names = [
        "correlation-id",
        "causation-id",
        "traceparent",
        "tracestate",
    ];
    let trace = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let seen = server.end();
    assert_eq!(
        names.map(|name| seen[0].header(name)),
        [Some("cart-7"), Some("job-1"), trace, None]
    );
    assert_eq!(
        names.map(|name| seen[1].header(name)),
        [Some("order-1"), Some("job-1"), trace, None]
    );
}

#[tokio::test]
async fn does_not_ask_again_at_422() {
    let server = Server::start([problem(422, "invalid-payload", None)]).await;
    let (client, clock) = client(&server.url, |builder| builder);
    let error = client.send(command()).await.expect_err("refused");
    assert!(
        matches!(&error, Error::Problem(problem) if problem.code == "invalid-payload"),
        "{error}"
    );
    assert_eq!(clock.waits_ms(), [0; 0]);
    server.end();
}

#[tokio::test]
async fn a_refusal_is_no_jobs_end_even_if_it_shows_a_job() {
    let server = Server::start([problem(
        422,
        "idempotency-key-reused",
        Some(job("failed", &json!({}))),
    )])
    .await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client.send(command()).await.expect_err("refused");
    assert!(matches!(error, Error::Problem(_)), "{error}");
    server.end();
}

#[tokio::test]
async fn a_gateways_own_refusal_is_a_problem_of_no_type() {
    let server =
        Server::start([reply(403, &[], r#"{"message":"Forbidden by the gateway"}"#)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client.send(command()).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "complete the request: Forbidden by the gateway (403 http-403)"
    );
    server.end();
}

#[tokio::test]
async fn a_replay_shows_the_job_as_it_ended() {
    let Reply::Answer(mut answer) = problem(400, "no-such-face", Some(job("failed", &json!({}))))
    else {
        unreachable!()
    };
    answer
        .headers_mut()
        .insert("idempotent-replayed", "true".try_into().expect("a value"));
    let server = Server::start([Reply::Answer(answer)]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let submitted = client
        .send(command().key("order-1042"))
        .await
        .expect("known");
    assert!(submitted.replayed);
    assert_eq!(submitted.job.status, Status::Failed);
    server.end();
}

#[tokio::test]
async fn gives_up_after_as_many_attempts_as_it_may_make() {
    let server = Server::start((0..8).map(|_| reply(500, &[], ""))).await;
    let (client, clock) = client(&server.url, |builder| builder);
    let error = client.send(command()).await.expect_err("gave up");
    assert!(
        matches!(error, Error::Unavailable { attempts: 8, .. }),
        "{error}"
    );
    assert_eq!(clock.waits_ms(), [250, 500, 1000, 2000, 4000, 8000, 10_000]);
    server.end();
}

#[tokio::test]
async fn gives_up_at_once_when_told_to_come_back_after_its_time() {
    let server = Server::start([reply(429, &[("retry-after", "3600")], "")]).await;
    let (client, clock) = client(&server.url, |builder| builder);
    let error = client.send(command()).await.expect_err("gave up");
    assert!(
        matches!(error, Error::Unavailable { attempts: 1, retry_after: Some(wait), .. } if wait.as_secs() == 3600),
        "{error}"
    );
    assert_eq!(clock.waits_ms(), [0; 0]);
    server.end();
}

#[tokio::test]
async fn without_a_key_asks_again_only_where_no_job_can_have_come_about() {
    let server = Server::start([reply(429, &[], ""), reply(503, &[], "")]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let error = client
        .send(command().without_key())
        .await
        .expect_err("not known");
    assert!(
        matches!(error, Error::Unavailable { attempts: 2, .. }),
        "{error}"
    );
    assert!(
        server
            .end()
            .iter()
            .all(|seen| seen.header("idempotency-key").is_none())
    );
}

#[tokio::test]
async fn without_a_key_a_request_that_may_have_reached_the_service_is_sent_once() {
    for lost in [Reply::Drop, Reply::Never] {
        let server = Server::start([lost]).await;
        let (client, _) = client(&server.url, |builder| {
            builder.timeout(Duration::from_millis(500))
        });
        let error = client.send(command().without_key()).await;
        let error = error.expect_err("not known");
        assert!(
            matches!(error, Error::Unavailable { attempts: 1, .. }),
            "{error}"
        );
        assert_eq!(server.end().len(), 1);
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let (client, clock) = client(&url, |builder| builder);
    let error = client
        .send(command().without_key())
        .await
        .expect_err("nobody there");
    assert!(
        matches!(error, Error::Unavailable { attempts: 8, .. }),
        "{error}"
    );
    assert_eq!(clock.waits_ms().len(), 7);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_sent() {
    let (client, _) = client("http://127.0.0.1:1", |builder| builder);
    for bad in [
        Submission::json("No Type", json!({})),
        command().key("a b"),
        command().callback_url("https://host/\n"),
        command().correlation_id("a\0b"),
        Submission::file("a", "image/png", "/no/such/file"),
    ] {
        let error = client.send(bad).await.expect_err("not to be sent");
        assert!(matches!(error, Error::Input { .. }), "{error}");
    }
}

#[tokio::test]
async fn keeps_to_the_path_of_the_base_url() {
    let location = format!("/stage/jobs/{ID}");
    let server = Server::start([reply(
        202,
        &[("location", &location)],
        job("accepted", &json!({})).to_string(),
    )])
    .await;
    for base in ["/stage", "/stage/"] {
        let (client, _) = client(&format!("{}{base}", server.url), |builder| builder);
        assert_eq!(
            client.job_url(ID).expect("a URL"),
            format!("{}/stage/jobs/{ID}", server.url)
        );
    }
    let (client, _) = client(&format!("{}/stage/", server.url), |builder| builder);
    let submitted = client.send(command()).await.expect("accepted");
    assert_eq!(
        submitted.location,
        format!("{}/stage/jobs/{ID}", server.url)
    );
    assert_eq!(
        server.end()[0].line,
        "POST /stage/commands/thumbnail.create"
    );
}
