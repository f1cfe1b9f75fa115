//! Rules of every route, whatever it does.

use axum::body::Body;
use cloakroom_app::testing::Fault;
use cloakroom_core::Tenant;
use cloakroom_http::Site;
use http::request::Parts;
use serde_json::Value;

use crate::service::{Response, Service, service_with};

/// A request: its method, its path, its headers and its body.
type Request = (
    &'static str,
    String,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const PAGE: &[(&str, &str)] = &[("accept", "text/html")];

const UPLOAD: &str = r#"{"content_type":"a/b","content_length":10485760,"parts":2}"#;
const SCOPE: &str = r#"{"scope":["read","cancel","signal"]}"#;

/// Paths of a service below `/v1`.
struct Places {
    /// A finished job with a large result and a webhook.
    finished: String,
    failed: String,
    /// A job that waits.
    open: String,
    /// Delivery of the finished job.
    delivery: String,
    /// Links to the finished job and to the one that waits.
    shared: [String; 2],
    /// An upload in parts.
    upload: String,
}

/// The tenant of requests without `Authorization`.
fn shop() -> Tenant {
    "shop-1".parse().expect("a tenant")
}

async fn post(service: &Service, path: &str, body: &'static str) -> Response {
    service.request("POST", path, JSON, body).await
}

async fn start() -> (Service, Places) {
    let tenant = |parts: &Parts| {
        let other = parts.headers.contains_key("authorization");
        Some(if other { Tenant::default() } else { shop() })
    };
    let site = Site::from_base_url("/v1").tenant(tenant);
    let service = service_with(site.callbacks(|_| Ok(())));
    let command = "/v1/commands/act";
    let location = |response: Response| response.header("location").to_owned();
    let listened = [
        JSON[0],
        ("callback-url", "https://hooks.example/x"),
        ("idempotency-key", "order-1042"),
    ];
    let large = r#"{"act":"large"}"#;
    let finished = location(service.request("POST", command, &listened, large).await);
    let failed = location(post(&service, command, r#"{"act":"fail"}"#).await);
    service.room.work_until_idle().await;
    let publisher = service.room.jobs.publisher.clone().expect("a publisher");
    for key in service.room.memory.job_keys() {
        let job = service.room.poll(&key).await;
        publisher.publish(&job).await.expect("published");
    }
    let deliveries = format!("{finished}/deliveries");
    let list = service.get(&deliveries, &[]).await.json();
    let delivery = list["deliveries"][0]["id"].as_str().expect("a delivery");
    let open = location(post(&service, command, "{}").await);
    let share = async |location: &str| {
        let link = post(&service, &format!("{location}/links"), SCOPE).await;
        link.json()["url"].as_str().expect("a link").to_owned()
    };
    let places = Places {
        delivery: format!("{deliveries}/{delivery}"),
        shared: [share(&finished).await, share(&open).await],
        upload: location(post(&service, "/v1/uploads", UPLOAD).await),
        finished,
        failed,
        open,
    };
    (service, places)
}

/// Returns a service, and a request to each of its routes.
async fn requests() -> (Service, Vec<Request>) {
    let (service, places) = start().await;
    let Places {
        finished,
        failed,
        open,
        delivery,
        shared: [shared, shared_open],
        upload,
    } = places;
    let mut requests: Vec<Request> = vec![
        ("POST", "/v1/commands/act".to_owned(), JSON, "{}"),
        ("POST", "/v1/uploads".to_owned(), JSON, UPLOAD),
        ("POST", format!("{finished}/links"), JSON, SCOPE),
        ("POST", format!("{delivery}/redeliver"), &[], ""),
        ("POST", format!("{shared_open}/signals/go"), JSON, "{}"),
        ("DELETE", open.clone(), &[], ""),
        ("DELETE", shared_open.clone(), &[], ""),
    ];
    for path in [
        "/v1/jobs?client_job_id=order-1042".to_owned(),
        upload,
        format!("{finished}/history"),
        format!("{finished}/deliveries"),
        format!("{finished}/events"),
        format!("{finished}/result"),
        format!("{shared}/events"),
        format!("{shared}/result"),
        format!("{shared_open}/result"),
        finished,
        failed,
        open,
        shared,
        shared_open,
    ] {
        requests.push(("GET", path.clone(), &[], ""));
        requests.push(("GET", path, PAGE, ""));
    }
    (service, requests)
}

async fn send(service: &Service, (method, path, headers, body): &Request) -> Response {
    service
        .request(method, path, headers, Body::from(*body))
        .await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_never_taken_for_an_answer() {
    let all = requests().await.1.len();
    for at in 0..all {
        for fault in [Fault::Before, Fault::Denied] {
            for n in 0.. {
                let (service, requests) = requests().await;
                let request = &requests[at];
                service.room.memory.fail_nth(n, fault);
                let response = send(&service, request).await;
                if !service.room.memory.has_failed() {
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
                assert!(!response.header("retry-after").is_empty(), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_route_serves_its_tenant_and_no_other() {
    let (service, requests) = requests().await;
    for request in &requests {
        let (method, path, headers, body) = request;
        let headers = [headers, &[("authorization", "x")][..]].concat();
        let other = service
            .request(method, path, &headers, Body::from(*body))
            .await;
        let own = send(&service, request).await;
        assert!(own.status != 404, "{request:?}: {}", own.text());
        if path.starts_with("/v1/jobs?") {
            let found = [&own, &other].map(|it| it.json()["jobs"].as_array().map(Vec::len));
            assert_eq!(found, [Some(1), Some(0)]);
        } else if path.starts_with("/v1/jobs") || path.starts_with("/v1/uploads/") {
            assert_eq!(other.status, 404, "{request:?}: {}", other.text());
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
            let by_ticket = request.1.starts_with("/v1/shared/");
            let own = path.starts_with("/v1/jobs");
            assert!(
                !by_ticket || !own,
                "{request:?}: {path} is not the holder's"
            );
            seen += 1;
        }
    }
    assert!(seen > 80, "{seen}");
}
