use axum::response::IntoResponse as _;
use lambda_http::request::from_str;
use serde_json::{Value, json};

use super::*;

/// Returns an event of a REST API. Its stage is `jobs`, which is the most difficult case.
fn event(path: &str, query: &Value) -> Request {
    let event = json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "POST",
        "headers": { "Host": "abc.execute-api.eu-central-1.amazonaws.com", "X-Forwarded-Proto": "https" },
        "multiValueHeaders": { "Host": ["abc.execute-api.eu-central-1.amazonaws.com"], "X-Forwarded-Proto": ["https"] },
        "queryStringParameters": null,
        "multiValueQueryStringParameters": query,
        "pathParameters": { "proxy": path.trim_start_matches('/') },
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc", "stage": "jobs", "path": format!("/jobs{path}"),
            "httpMethod": "POST", "protocol": "HTTP/1.1", "requestId": "r", "resourcePath": "/{proxy+}",
            "identity": { "sourceIp": "192.0.2.1" }
        },
        "body": null,
        "isBase64Encoded": false
    });
    from_str(&event.to_string()).expect("an event of a REST API")
}

fn target(path: &str, query: &Value) -> String {
    restored(event(path, query)).uri().to_string()
}

#[test]
fn the_stage_is_no_part_of_the_path() {
    for path in [
        "/",
        "/commands/a.b",
        "/jobs",
        "/jobs/1",
        "/jobs/1/result",
        "/jobsworth",
        "/a%20b",
        "/a/jobs/b",
    ] {
        assert_eq!(target(path, &Value::Null), path);
    }
    assert_eq!(
        event("/commands/a", &Value::Null).uri().path(),
        "/jobs/commands/a",
        "a fault of the adapter"
    );
}

#[test]
fn the_query_is_the_same_however_often_the_request_is_sent() {
    let query = json!({ "width": ["10"], "b": ["2", "1", ""], "format": ["a b&c=d"], "height": ["20"], "ü": ["ü"] });
    for _ in 0..20 {
        let want = "/commands/a?%C3%BC=%C3%BC&b=2&b=1&b=&format=a+b%26c%3Dd&height=20&width=10";
        assert_eq!(target("/commands/a", &query), want);
    }
}

#[tokio::test]
async fn the_routes_match_behind_the_gateway() {
    let router = Router::new().route(
        "/jobs/{id}",
        axum::routing::post(|| async { "found".into_response() }),
    );
    let response = router
        .map_request(restored)
        .oneshot(event("/jobs/1", &Value::Null))
        .await;
    assert_eq!(response.map(|response| response.status().as_u16()), Ok(200));
}

/// Returns a router that responds with the number of lines of a header, and the query.
fn echo() -> Router {
    Router::new().fallback(|request: axum::extract::Request| async move {
        let lines = request.headers().get_all("idempotency-key").iter().count();
        format!("{lines} {}", request.uri().query().unwrap_or_default())
    })
}

async fn answer(event: &Value) -> String {
    answer_of(echo(), event).await
}

async fn answer_of(router: Router, event: &Value) -> String {
    let event = serde_json::from_value(event.clone()).expect("an event");
    let response = behind_gateway(router)
        .oneshot(LambdaEvent::new(event, lambda_http::Context::default()))
        .await;
    let response = serde_json::to_value(response.expect("a router does not fail")).expect("JSON");
    response["body"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn each_line_of_a_header_comes_through() {
    let event = json!({
        "resource": "/{proxy+}", "path": "/jobs", "httpMethod": "GET",
        "headers": { "Idempotency-Key": "b" }, "multiValueHeaders": { "Idempotency-Key": ["a", "b"] },
        "requestContext": { "stage": "v1", "httpMethod": "GET", "identity": {} }
    });
    let adapted = from_str(&event.to_string()).expect("an event");
    assert_eq!(
        adapted.headers().get_all("idempotency-key").iter().count(),
        1,
        "a fault of the adapter"
    );
    assert_eq!(answer(&event).await, "2 ");
}

#[tokio::test]
async fn a_query_that_no_uri_has_is_encoded() {
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/jobs", "headers": {},
        "rawQueryString": "k=<a>\"b\"`|^\\{é}%20+/?#",
        "requestContext": { "stage": "$default", "http": { "method": "GET", "path": "/jobs" } }
    });
    let adapted = std::panic::catch_unwind(|| from_str(&event.to_string()).is_ok());
    assert!(adapted.is_err(), "a fault of the adapter");
    assert_eq!(
        answer(&event).await,
        "0 k=%3Ca%3E%22b%22%60|^\\{%C3%A9}%20+/?%23"
    );
}

#[tokio::test]
async fn the_path_is_the_one_that_was_sent() {
    let target = async |event: Value| {
        let echo = Router::new()
            .fallback(|request: axum::extract::Request| async move { request.uri().to_string() });
        answer_of(echo, &event).await
    };
    for (path, served) in [
        ("/a\\b", "/a\\b"),
        ("/a/../b", "/a/../b"),
        ("/a/%2e%2e/b", "/a/%2e%2e/b"),
        ("/a//b", "/a//b"),
        ("/a?b#c \t\"é", "/a%3Fb%23c%20%09%22%C3%A9"),
        ("a", "/a"),
        ("", "/"),
    ] {
        let rest = json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
            "multiValueQueryStringParameters": { "k": ["v"] },
            "requestContext": { "stage": "v1", "httpMethod": "GET", "identity": {} }
        });
        assert_eq!(target(rest).await, format!("{served}?k=v"));
        let http_api = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "headers": {}, "rawQueryString": "k=v",
            "requestContext": { "stage": "$default", "http": { "method": "GET", "path": path } }
        });
        assert_eq!(target(http_api).await, format!("{served}?k=v"));
    }
    assert_eq!(
        event("/a/../b", &Value::Null).uri().path(),
        "/jobs/b",
        "a fault of the adapter"
    );
}
