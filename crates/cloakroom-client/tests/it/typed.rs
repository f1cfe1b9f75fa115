//! Commands with the caller's own types.

use cloakroom_client::{CallbackEvents, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::script::{ID, Reply, Server, client, job, problem, reply};

#[derive(Serialize)]
struct Order {
    amount: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Receipt {
    total: u32,
}

fn accepted() -> Reply {
    let location = format!("/jobs/{ID}");
    let body = job("accepted", &json!({})).to_string();
    reply(202, &[("location", &location)], body)
}

fn succeeded(more: &Value) -> Reply {
    reply(200, &[], job("succeeded", more).to_string())
}

#[tokio::test]
async fn an_order_is_sent_as_json_under_its_key_and_its_receipt_is_typed() {
    let ended = succeeded(&json!({ "result": { "total": 21 } }));
    let server = Server::start([accepted(), ended]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let submit = client.submit::<Receipt>("order.place", &Order { amount: 3 });
    let job = submit.key("order-1").await.expect("accepted");
    assert_eq!(job.submitted.job.id, ID);
    assert_eq!(
        job.result().await.expect("a receipt"),
        Receipt { total: 21 }
    );
    let seen = server.end();
    assert_eq!(seen[0].line, "POST /commands/order.place");
    assert_eq!(*seen[0].body, *b"{\"amount\":3}");
    assert_eq!(seen[0].header("idempotency-key"), Some("\"order-1\""));
}

#[tokio::test]
async fn an_order_names_the_receivers_of_its_events() {
    let server = Server::start([accepted()]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let submit = client
        .submit::<Receipt>("order.place", &Order { amount: 3 })
        .callback_url("https://host/hook")
        .callback_events(CallbackEvents::Terminal)
        .reply_to("orders")
        .correlation_id("cart-7");
    submit.await.expect("accepted");
    let seen = server.end();
    let sent = [
        "callback-url",
        "callback-events",
        "reply-to",
        "correlation-id",
    ]
    .map(|name| seen[0].header(name));
    assert_eq!(
        sent,
        [
            Some("https://host/hook"),
            Some("terminal"),
            Some("orders"),
            Some("cart-7")
        ]
    );
}

#[tokio::test]
async fn a_large_result_is_read_from_its_own_url_and_no_result_is_a_unit() {
    let large = json!({ "result_url": format!("/jobs/{ID}/result") });
    let content = reply(
        200,
        &[("content-type", "application/json")],
        "{\"total\":7}",
    );
    let server = Server::start([accepted(), succeeded(&large), content]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let job = client.submit::<Receipt>("order.place", &Order { amount: 1 });
    let job = job.await.expect("accepted");
    assert_eq!(job.result().await.expect("a receipt").total, 7);
    server.end();

    let server = Server::start([accepted(), succeeded(&json!({}))]).await;
    let (client, _) = crate::script::client(&server.url, |builder| builder);
    let job = client.submit::<()>("order.place", &json!({})).await;
    job.expect("accepted").result().await.expect("nothing");
    server.end();
}

#[tokio::test]
async fn a_result_of_another_type_and_a_failed_job_are_errors() {
    let other = succeeded(&json!({ "result": "later" }));
    let failed = problem(400, "job-failed", Some(job("failed", &json!({}))));
    let server = Server::start([accepted(), other, failed]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let job = client.submit::<Receipt>("order.place", &json!({}));
    let job = job.await.expect("accepted");
    let error = job.result().await.expect_err("a text is no receipt");
    assert!(
        matches!(error, Error::Protocol(_)) && error.to_string().contains(ID),
        "{error}"
    );
    let error = job.result().await.expect_err("it failed");
    assert!(matches!(error, Error::JobFailed(_)), "{error}");
    server.end();
}

#[tokio::test]
async fn a_payload_that_is_no_json_is_not_sent() {
    let server = Server::start([]).await;
    let (client, _) = client(&server.url, |builder| builder);
    let map = std::collections::BTreeMap::from([([1, 2], 3)]);
    let sent = client.submit::<()>("order.place", &map).await;
    let error = sent.expect_err("its keys are no strings");
    assert!(matches!(error, Error::Input { .. }), "{error}");
    server.end();
}
