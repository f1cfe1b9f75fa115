//! Events that invoke the functions.

use serde_json::{Value, json};

/// Returns the event of a request through a REST API.
pub(crate) fn request(method: &str, path: &str, key: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let mut headers = json!({
        "Accept": "*/*",
        "CloudFront-Viewer-Country": "DE",
        "Host": "1234567890.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "curl/8.5.0",
        "Via": "2.0 0123456789abcdef.cloudfront.net (CloudFront)",
        "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
        "X-Forwarded-For": "198.51.100.7, 198.51.100.8",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    });
    if body.is_some() {
        headers["Content-Type"] = json!("application/json");
    }
    if let Some(key) = key {
        headers["Idempotency-Key"] = json!(key);
    }
    let listed = headers
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, value)| (name.clone(), json!([value])));
    let event = json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": listed.collect::<serde_json::Map<_, _>>(),
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": {"proxy": path.trim_start_matches('/')},
        "stageVariables": null,
        "requestContext": {
            "resourceId": "abc123",
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "requestTime": "21/Nov/2026:08:00:00 +0000",
            "path": format!("/v1{path}"),
            "accountId": "000000000000",
            "protocol": "HTTP/1.1",
            "stage": "v1",
            "domainPrefix": "1234567890",
            "requestTimeEpoch": 1_795_248_000_120_u64,
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "198.51.100.7", "userAgent": "curl/8.5.0"},
            "domainName": "1234567890.execute-api.us-east-1.amazonaws.com",
            "apiId": "1234567890",
        },
        "body": body,
        "isBase64Encoded": false,
    });
    event.to_string().into_bytes()
}

/// Returns the event of messages from the event source mapping.
pub(crate) fn batch(bodies: &[String]) -> Vec<u8> {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| {
            json!({
                "messageId": format!("059f36b4-87a3-44ab-83d2-6619751{at:05}"),
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a".repeat(8),
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795248000120",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "MessageGroupId": "default",
                    "ApproximateFirstReceiveTimestamp": "1795248000131",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:work",
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records }).to_string().into_bytes()
}
