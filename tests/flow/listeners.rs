//! Listeners of a job: server-sent events, shared links, and webhooks.

use std::time::Duration;

use cloakroom_tests::{Deployment, Test, header, json, location_of, suite};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::time::sleep;

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_stream_of_events_ends_with_the_job_and_then_says_so,
        a_shared_link_shows_its_job_to_a_caller_without_credentials,
        a_job_that_is_accepted_without_a_reply_runs_like_any_other,
        a_webhook_that_fails_is_listed_and_sent_again_on_request,
    ]
}

/// Returns the jobs in a stream of events.
async fn events(answer: Response) -> Vec<Value> {
    assert_eq!(header(&answer, "content-type"), Some("text/event-stream"));
    let text = answer.text().await.expect("a body");
    let rest = text.strip_prefix("retry: 2000\n\n").expect("it begins so");
    let blocks = rest.split_terminator("\n\n").filter(|block| *block != ":");
    blocks
        .map(|block| {
            let data = block.split_once("\ndata: ").expect("data").1;
            serde_json::from_str(data).expect("JSON")
        })
        .collect()
}

async fn a_stream_of_events_ends_with_the_job_and_then_says_so() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom
        .diagnose(None, &json!({"duration_ms": 2000, "progress_steps": 2}))
        .await;
    let path = format!("{}/events", location_of(&answer));
    let (mut jobs, mut cursor) = (vec![], 0);
    for _ in 0..24 {
        let request = cloakroom
            .request(Method::GET, &path)
            .header("Prefer", "wait=5")
            .header("Last-Event-ID", cursor.to_string());
        let answer = request.send().await.expect("an answer");
        if answer.status() == 204 {
            break;
        }
        jobs.extend(events(answer).await);
        let newest: Option<&Value> = jobs.last();
        cursor = newest.map_or(0, |job| job["version"].as_u64().expect("a version"));
    }
    let versions: Vec<_> = jobs.iter().map(|job| job["version"].as_u64()).collect();
    assert!(versions.is_sorted_by(|one, two| one < two), "{versions:?}");
    assert_eq!(jobs.last().expect("an event")["status"], "succeeded");
}

async fn a_shared_link_shows_its_job_to_a_caller_without_credentials() {
    let cloakroom = Deployment::get().await;
    let answer = cloakroom.diagnose(None, &json!({"result": 1})).await;
    let location = location_of(&answer);
    cloakroom.end_of(&location).await;
    let request = cloakroom.request(Method::POST, &format!("{location}/links"));
    let request = request.json(&json!({"scope": ["read"], "ttl_seconds": 600}));
    let (status, link) = json(request.send().await.expect("an answer")).await;
    assert_eq!(status, 201, "{link}");
    let stranger = Client::new();
    let url = |member: &str| cloakroom.resolve(link[member].as_str().expect("a link"));
    let send = async |method, url: &str| {
        let sent = stranger.request(method, url).send().await;
        sent.expect("an answer")
    };
    let (status, job) = json(send(Method::GET, &url("url")).await).await;
    assert_eq!((status, &job["result"]), (200, &json!(1)));
    let jobs = events(send(Method::GET, &url("events")).await).await;
    assert_eq!(jobs.last().expect("an event")["result"], json!(1));
    let (status, problem) = json(send(Method::DELETE, &url("url")).await).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
    let altered = format!("{}x", url("url"));
    let (status, problem) = json(send(Method::GET, &altered).await).await;
    assert_eq!((status, &problem["code"]), (401, &json!("invalid-ticket")));
}

async fn a_job_that_is_accepted_without_a_reply_runs_like_any_other() {
    let cloakroom = Deployment::get().await;
    let request = cloakroom
        .request(Method::POST, "/commands/diagnostic.run")
        .header("Prefer", "return=minimal")
        .header("Correlation-Id", "order-1042");
    let answer = request.json(&json!({})).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    let applied = header(&answer, "preference-applied");
    assert_eq!(applied, Some("return=minimal"));
    let location = location_of(&answer);
    assert_eq!(answer.bytes().await.expect("a body").len(), 0);
    cloakroom.end_of(&location).await;
    let (status, job) = json(cloakroom.get_at(&location).await).await;
    assert_eq!(
        (status, &job["correlation_id"]),
        (200, &json!("order-1042"))
    );
}

async fn a_webhook_that_fails_is_listed_and_sent_again_on_request() {
    let cloakroom = Deployment::get().await;
    let request = cloakroom
        .request(Method::POST, "/commands/diagnostic.run")
        .header(
            "Callback-Url",
            "https://no-such-host.example/hook?key=secret",
        );
    let answer = request.json(&json!({})).send().await.expect("an answer");
    let path = format!("{}/deliveries", location_of(&answer));
    let mut found = None;
    for _ in 0..120 {
        let (_, listed) = json(cloakroom.get_at(&path).await).await;
        let first = listed["deliveries"][0].clone();
        if first["attempts"][0].is_object() {
            found = Some(first);
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    let delivery = found.expect("an attempt");
    assert_eq!(
        (&delivery["kind"], &delivery["state"], &delivery["target"]),
        (
            &json!("webhook"),
            &json!("pending"),
            &json!("https://no-such-host.example")
        )
    );
    assert!(delivery["attempts"][0]["error"].is_string(), "{delivery}");
    let id = delivery["id"].as_str().expect("an id");
    let again = cloakroom.request(Method::POST, &format!("{path}/{id}/redeliver"));
    assert_eq!(again.send().await.expect("an answer").status(), 202);
}
