use axum::response::IntoResponse as _;
use lambda_http::request::from_str;
use serde_json::{Value, json};

use super::*;

/// An event as a REST API sends it, its stage being `jobs`, to make it hard.
fn event(path: &str, query: &Value, authorizer: &Value) -> Request {
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
            "identity": { "sourceIp": "192.0.2.1" }, "authorizer": authorizer
        },
        "body": null,
        "isBase64Encoded": false
    });
    from_str(&event.to_string()).expect("an event of a REST API")
}

fn target(path: &str, query: &Value) -> String {
    mended(event(path, query, &Value::Null)).uri().to_string()
}

fn tenant_by(authorizer: &Value) -> Tenant {
    let (parts, _) = event("/x", &Value::Null, authorizer).into_parts();
    tenant(&parts)
}

#[test]
fn the_stage_is_no_part_of_the_path() {
    for path in ["/", "/commands/a.b", "/jobs", "/jobs/1", "/jobs/1/result", "/jobsworth", "/a%20b", "/a/jobs/b"] {
        assert_eq!(target(path, &Value::Null), path);
    }
    assert_eq!(
        event("/commands/a", &Value::Null, &Value::Null).uri().path(),
        "/jobs/commands/a",
        "what is to be mended"
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

#[test]
fn the_tenant_is_whoever_the_authorizer_says() {
    assert_eq!(tenant_by(&Value::Null), Tenant::default());
    assert_eq!(tenant_by(&json!({})), Tenant::default());
    assert_eq!(tenant_by(&json!({ "principalId": "acme", "integrationLatency": 3 })).as_str(), "acme");
    assert_eq!(tenant_by(&json!({ "claims": { "sub": "0d5f1c0e", "aud": "x" } })).as_str(), "0d5f1c0e");
}

#[test]
fn names_that_are_no_tenants_stay_apart() {
    let (a, b) = (tenant_of("Grüße an alle"), tenant_of("Grüße an beide"));
    assert_ne!(a, b);
    assert_ne!(tenant_of(a.as_str()), a, "nobody becomes another by calling himself its digest");
    assert_ne!(tenant_of(&"x".repeat(129)), tenant_of(&"x".repeat(130)));
}

#[tokio::test]
async fn the_routes_match_behind_the_gateway() {
    let router = Router::new().route("/jobs/{id}", axum::routing::post(|| async { "found".into_response() }));
    let response = router.map_request(mended).oneshot(event("/jobs/1", &Value::Null, &Value::Null)).await;
    assert_eq!(response.map(|response| response.status().as_u16()), Ok(200));
}
