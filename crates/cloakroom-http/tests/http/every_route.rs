//! What holds for every route, whatever it does.

use axum::body::Body;
use cloakroom_app::testing::Fault;
use cloakroom_http::Site;
use serde_json::{Value, json};

use crate::service::{Response, Service, service_with};

/// A request: its method, its path, its headers and its body.
type Request = (
    &'static str,
    String,
    &'static [(&'static str, &'static str)],
    String,
);

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const PAGE: &[(&str, &str)] = &[("accept", "text/html")];

/// Returns a service below `/v1` with jobs, an upload and a shared link, and a request to each of its routes.
async fn requests() -> (Service, Vec<Request>) {
    let service = service_with(Site::from_base_url("/v1").callbacks(|_| Ok(())));
    let listened = [
        ("callback-url", "https://hooks.example/x"),
        ("idempotency-key", "order-1042"),
    ];
    let send = async |body: &'static str, headers: &[(&str, &str)]| {
        let headers = [JSON, headers].concat();
        let sent = service.request("POST", "/v1/commands/act", &headers, body);
        sent.await.header("location").to_owned()
    };
    let finished = send(r#"{"act":"large"}"#, &listened).await;
    let failed = send(r#"{"act":"fail"}"#, &[]).await;
    service.room.work_until_idle().await;
    let key = service.room.memory.job_keys();
    let publisher = service.room.jobs.publisher.clone().expect("a publisher");
    for key in key {
        let job = service.room.poll(&key).await;
        publisher.publish(&job).await.expect("published");
    }
    let delivery = format!("{finished}/deliveries");
    let list = service.get(&delivery, &[]).await.json();
    let delivery = list["deliveries"][0]["id"].as_str().expect("a delivery");
    let open = send("{}", &[]).await;
    let terms = json!({ "content_type": "a/b", "content_length": 10 << 20, "parts": 2 });
    let upload = service.request("POST", "/v1/uploads", JSON, terms.to_string());
    let upload = upload.await.header("location").to_owned();
    let scope = json!({ "scope": ["read", "cancel", "signal"] }).to_string();
    let share = async |location: &str| {
        let path = format!("{location}/links");
        let link = service.request("POST", &path, JSON, scope.clone()).await;
        link.json()["url"].as_str().expect("a link").to_owned()
    };
    let (shared, shared_open) = (share(&finished).await, share(&open).await);
    let mut requests: Vec<Request> = [
        ("POST", "/v1/commands/act".to_owned(), "{}".to_owned()),
        ("POST", "/v1/uploads".to_owned(), terms.to_string()),
        ("POST", format!("{finished}/links"), scope.clone()),
        (
            "POST",
            format!("{finished}/deliveries/{delivery}/redeliver"),
            String::new(),
        ),
        ("POST", format!("{shared_open}/signals/go"), "{}".to_owned()),
        ("DELETE", open.clone(), String::new()),
        ("DELETE", shared_open.clone(), String::new()),
    ]
    .map(|(method, path, body)| (method, path, JSON, body))
    .into();
    let read = [
        "/v1/jobs?client_job_id=order-1042".to_owned(),
        upload,
        format!("{finished}/history"),
        format!("{finished}/deliveries"),
        format!("{finished}/events"),
        format!("{finished}/result"),
        format!("{shared}/events"),
        format!("{shared}/result"),
        finished,
        failed,
        open,
        shared,
        shared_open,
    ];
    for path in read {
        requests.push(("GET", path.clone(), &[], String::new()));
        requests.push(("GET", path, PAGE, String::new()));
    }
    (service, requests)
}

async fn send(service: &Service, (method, path, headers, body): &Request) -> Response {
    let body = Body::from(body.clone());
    service.request(method, path, headers, body).await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_never_taken_for_an_answer() {
    let all = requests().await.1.len();
    for at in 0..all {
        for fault in [Fault::Before, Fault::Denied] {
            for n in 0.. {
                let (service, requests) = requests().await;
                let request = &requests[at];
                service.room.memory.calls();
                service.room.memory.fail_nth(n, fault);
                let response = send(&service, request).await;
                if service.room.memory.calls().len() <= n {
                    assert!(response.status < 500, "{request:?}: {}", response.text());
                    break;
                }
                if response.header("content-type") == "text/event-stream" {
                    // It had begun: the client connects again.
                    assert!(!response.text().contains("data:"), "{request:?}");
                    continue;
                }
                let code = response.text().contains("temporarily-unavailable");
                let what = format!("call {n} of {request:?}: {}", response.text());
                assert_eq!((response.status, code), (503, true), "{what}");
            }
        }
    }
}

/// Returns the paths in a document, whatever their members.
fn paths(document: &Value, found: &mut Vec<String>) {
    match document {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| paths(value, found)),
        Value::Object(members) => members.values().for_each(|value| paths(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn every_path_in_a_response_is_below_the_base_path() {
    let (service, requests) = requests().await;
    let mut seen = 0;
    for request in &requests {
        let response = send(&service, request).await;
        let mut found: Vec<_> = ["location", "content-location", "link"]
            .map(|name| response.header(name).to_owned())
            .into();
        match serde_json::from_slice(&response.body) {
            Ok(document) => paths(&document, &mut found),
            // A page, or a stream of events.
            Err(_) => found.extend(response.text().split('"').map(ToOwned::to_owned)),
        }
        let own = |path: &&String| {
            let places = ["/jobs", "/uploads", "/commands", "/shared", "/openapi.json"];
            places.iter().any(|place| path.contains(place)) && path.starts_with(['/', '<'])
        };
        for path in found.iter().filter(own) {
            assert!(
                path.starts_with("/v1/") || path.starts_with("</v1/"),
                "{request:?}: {path}"
            );
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}
