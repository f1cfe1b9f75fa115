//! The programs of the deployed Lambda functions. A runtime API sends events to them, and the embedded services stand
//! in for AWS.

#[path = "../shared/embedded.rs"]
mod embedded;
#[path = "../shared/event_bridge.rs"]
mod event_bridge;
mod iam;
mod lambda;
mod large;
mod signals;
mod stack;
mod tenants;
mod wide;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use stack::Stack;

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_goes_through_submit_worker_and_status() {
    let stack = Stack::start().await;
    let (submit, worker, status) = tokio::join!(
        stack.function("submit"),
        stack.function("worker"),
        stack.function("status")
    );

    let headers = json!({"content-type": "application/json", "idempotency-key": "order-1"});
    let payload = json!({"digest": true, "message": "x"}).to_string();
    let event = stack::request(
        "POST",
        "/commands/diagnostic.run",
        &json!({}),
        &headers,
        Some(&payload),
    );
    let accepted = submit.invoke(&event).await;
    assert_eq!(accepted["statusCode"], 202, "{accepted}");
    let job = body(&accepted);
    let location = format!("/v1/jobs/{}", job["id"].as_str().expect("an id"));
    assert_eq!(
        stack::header(&accepted, "location"),
        location,
        "below the public base URL"
    );

    let path = location.trim_start_matches("/v1");
    let poll = stack::request("GET", path, &json!({}), &json!({}), None);
    assert_eq!(status.invoke(&poll).await["statusCode"], 202);

    let messages = stack.receive().await;
    assert_eq!(messages["Records"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        worker.invoke(&messages).await,
        json!({"batchItemFailures": []})
    );
    let over = status.invoke(&poll).await;
    assert_eq!(
        (over["statusCode"].as_u64(), &body(&over)["status"]),
        (Some(200), &json!("succeeded"))
    );

    let again = submit.invoke(&event).await;
    assert_eq!(
        (
            again["statusCode"].as_u64(),
            stack::header(&again, "idempotent-replayed")
        ),
        (Some(200), "true".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_body_arrives_byte_for_byte_whatever_order_its_query_comes_in() {
    let stack = Stack::start().await;
    let (submit, worker, status) = tokio::join!(
        stack.function("submit"),
        stack.function("worker"),
        stack.function("status")
    );
    let photo = std::fs::read(cloakroom_tests::root().join("docs/photo.jpg")).expect("a photo");
    let headers = json!({"content-type": "image/jpeg", "idempotency-key": "photo-1"});
    let query = json!({"width": ["64"], "height": ["64"], "format": ["png"]});
    let mut event = stack::request(
        "POST",
        "/commands/thumbnail.create",
        &query,
        &headers,
        Some(&BASE64.encode(photo)),
    );
    event["isBase64Encoded"] = json!(true);
    let accepted = submit.invoke(&event).await;
    assert_eq!(accepted["statusCode"], 202, "{accepted}");
    for _ in 0..8 {
        let again = submit.invoke(&event).await;
        assert_eq!(
            stack::header(&again, "idempotent-replayed"),
            "true",
            "{again}"
        );
    }
    // Nine messages: the first one ends the job, and the others find it ended.
    loop {
        let messages = stack.receive().await;
        if messages["Records"] == json!([]) {
            break;
        }
        assert_eq!(
            worker.invoke(&messages).await,
            json!({"batchItemFailures": []})
        );
    }
    let path = format!(
        "/jobs/{}/result",
        body(&accepted)["id"].as_str().expect("an id")
    );
    let result = status
        .invoke(&stack::request("GET", &path, &json!({}), &json!({}), None))
        .await;
    assert_eq!(
        (result["statusCode"].as_u64(), &result["isBase64Encoded"]),
        (Some(200), &json!(true))
    );
    let thumbnail = BASE64
        .decode(result["body"].as_str().expect("a body"))
        .expect("base64");
    let thumbnail =
        image::load_from_memory_with_format(&thumbnail, image::ImageFormat::Png).expect("a PNG");
    assert_eq!((thumbnail.width(), thumbnail.height()), (64, 48));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_only_what_is_not_done_stays_in_the_queue() {
    let stack = Stack::start().await;
    let (submit, worker) = tokio::join!(stack.function("submit"), stack.function("worker"));
    for payload in [
        json!({}),
        json!({"fail": "retryable"}),
        json!({"fail": "panic"}),
        json!({"fail": "terminal"}),
    ] {
        let headers = json!({"content-type": "application/json"});
        let event = stack::request(
            "POST",
            "/commands/diagnostic.run",
            &json!({}),
            &headers,
            Some(&payload.to_string()),
        );
        assert_eq!(submit.invoke(&event).await["statusCode"], 202);
    }
    let mut messages = stack.receive().await;
    let records = messages["Records"].as_array_mut().expect("records");
    assert_eq!(records.len(), 4);
    let mut garbage = records[0].clone();
    garbage["messageId"] = json!("garbage");
    garbage["body"] = json!("no message of ours");
    records.push(garbage);
    let failed = |record: &&Value| {
        ["retryable", "panic"]
            .iter()
            .any(|word| record["body"].as_str().expect("a body").contains(word))
    };
    let mut stay: Vec<_> = records
        .iter()
        .filter(failed)
        .map(|record| record["messageId"].clone())
        .collect();
    stay.push(json!("garbage"));
    let stay: Vec<_> = stay
        .into_iter()
        .map(|id| json!({"itemIdentifier": id}))
        .collect();
    let answer = worker.invoke(&messages).await;
    assert_eq!(answer["batchItemFailures"].as_array(), Some(&stay));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_said_to_be_and_nothing_of_it_is_shown() {
    let stack = Stack::start().await;
    let status = stack.function("status").await;
    stack.shutdown().await;
    let id = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
    let answer = status
        .invoke(&stack::request(
            "GET",
            &format!("/jobs/{id}"),
            &json!({}),
            &json!({}),
            None,
        ))
        .await;
    assert_eq!(
        (answer["statusCode"].as_u64(), &body(&answer)["code"]),
        (Some(503), &json!("temporarily-unavailable"))
    );
    assert_ne!(stack::header(&answer, "retry-after"), "");
    let text = answer.to_string();
    assert!(
        !text.contains("jobs-table") && !text.contains("127.0.0.1"),
        "{text}"
    );
}
