//! Requests as events of API Gateway, of a REST API and of an HTTP API, through the adapter between gateway and router.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::request::LambdaRequest;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::contract::{Answer, BASE};
use crate::request::{self, Sent};
use crate::scene::{Scene, play};

/// Sends the requests of an input as events of both kinds of API.
pub fn run(input: &[u8]) {
    play(async || {
        let mut scenes = [Events::new(rest), Events::new(http_api)];
        for (before, text) in request::parts(input) {
            let mut answers = vec![];
            for events in &mut scenes {
                let Some(sent) = request::read(before, text, &events.place, "") else {
                    continue;
                };
                // Skips requests that a gateway would reject.
                if sent.uri.path().starts_with('/') && sent.method != Method::CONNECT {
                    // An HTTP API joins several lines of a header.
                    let once = headers(&sent).values().all(|lines| lines.len() == 1);
                    answers.push((events.ask(&sent).await, once));
                }
            }
            if let [(one, true), (other, true)] = answers[..] {
                assert_eq!(
                    one.is_success(),
                    other.is_success(),
                    "{one} and {other}: {:?}",
                    String::from_utf8_lossy(text)
                );
            }
        }
    });
}

/// A deployment behind a gateway.
struct Events {
    router: axum::Router,
    of: fn(&Sent) -> Value,
    place: String,
}

impl Events {
    fn new(of: fn(&Sent) -> Value) -> Self {
        let room = Scene::new().room;
        let set = |name: &str| match name {
            "CLOAKROOM_AUTHORIZER" => Some("custom".to_owned()),
            "CLOAKROOM_PUBLIC_BASE_URL" => Some(format!("https://api.example{BASE}")),
            _ => None,
        };
        let site = cloakroom_lambda::site(
            cloakroom_aws::http_settings(&set).expect("a good configuration"),
        );
        let submit = Some((room.submit.clone(), room.uploads.clone()));
        let router = cloakroom_http::router(site, submit, Some(room.jobs.clone()));
        Self {
            router,
            of,
            place: format!("{BASE}/jobs/0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"),
        }
    }

    async fn ask(&mut self, sent: &Sent) -> StatusCode {
        let answer = self.send(sent).await;
        answer.check(&sent.method, sent.uri.path());
        if sent.method == Method::POST
            && let Some(place) = answer.location().filter(|place| place.contains("/jobs/"))
        {
            place.clone_into(&mut self.place);
            if sent
                .headers
                .iter()
                .any(|(name, _)| name == "idempotency-key")
            {
                // The same request again: its query is a map with a random order.
                let again = self.send(sent).await;
                assert_eq!(again.location(), Some(self.place.as_str()), "{again:?}");
            }
        }
        answer.status
    }

    async fn send(&self, sent: &Sent) -> Answer {
        let event = (self.of)(sent).to_string();
        let event: LambdaRequest =
            serde_json::from_str(&event).unwrap_or_else(|error| panic!("{error}: {event}"));
        let event = LambdaEvent::new(event, Context::default());
        let Ok(response) = cloakroom_lambda::behind_gateway(self.router.clone())
            .oneshot(event)
            .await;
        read(&serde_json::to_value(response).expect("an answer is written as JSON"))
    }
}

/// Converts the gateway's response.
fn read(response: &Value) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in response["headers"].as_object().into_iter().flatten() {
        add(&mut headers, name, value);
    }
    for (name, values) in response["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        headers.remove(name);
        for value in values.as_array().expect("a list") {
            add(&mut headers, name, value);
        }
    }
    let text = response["body"].as_str().unwrap_or_default();
    let body = match response["isBase64Encoded"].as_bool() {
        Some(true) => BASE64.decode(text).expect("base64"),
        _ => text.as_bytes().to_owned(),
    };
    let status = response["statusCode"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .expect("a status");
    Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers,
        body: body.into(),
    }
}

fn add(headers: &mut HeaderMap, name: &str, value: &Value) {
    let value = HeaderValue::from_str(value.as_str().expect("a text")).expect("a value");
    headers.append(
        http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
        value,
    );
}

/// Returns the headers that a gateway passes on, and its own ones.
fn headers(sent: &Sent) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &sent.headers {
        // An event is text: bytes that are not ASCII are read as Latin-1.
        let value = value.as_bytes().iter().copied().map(char::from).collect();
        headers.entry(name.to_string()).or_default().push(value);
    }
    headers.insert(
        "host".into(),
        vec!["abc.execute-api.eu-central-1.amazonaws.com".into()],
    );
    headers.insert("x-forwarded-proto".into(), vec!["https".into()]);
    headers
}

fn tenant(sent: &Sent) -> Value {
    let name = sent.header("x-tenant").unwrap_or("default");
    json!({ "principalId": name, "integrationLatency": 1 })
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html>
fn rest(sent: &Sent) -> Value {
    let (mut single, mut query) = (BTreeMap::new(), BTreeMap::<String, Vec<String>>::new());
    for (name, value) in url::form_urlencoded::parse(sent.query.as_bytes()) {
        single.insert(name.to_string(), value.to_string());
        query.entry(name.into()).or_default().push(value.into());
    }
    let (path, method) = (sent.uri.path(), sent.method.as_str());
    let headers = headers(sent);
    let last: BTreeMap<_, _> = headers
        .iter()
        .filter_map(|(name, values)| Some((name, values.last()?)))
        .collect();
    json!({
        "resource": "/{proxy+}", "path": path, "httpMethod": method,
        "headers": last, "multiValueHeaders": headers,
        "queryStringParameters": single, "multiValueQueryStringParameters": query,
        "pathParameters": { "proxy": path.trim_start_matches('/') }, "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc", "stage": "v1", "path": format!("/v1{path}"),
            "httpMethod": method, "protocol": "HTTP/1.1", "requestId": "r", "resourcePath": "/{proxy+}",
            "authorizer": tenant(sent), "identity": { "sourceIp": "192.0.2.1" }
        },
        "body": BASE64.encode(&sent.body), "isBase64Encoded": true
    })
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
fn http_api(sent: &Sent) -> Value {
    let (path, method) = (sent.uri.path(), sent.method.as_str());
    let headers: BTreeMap<_, _> = headers(sent)
        .into_iter()
        .map(|(name, values)| (name, values.join(",")))
        .collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path,
        "rawQueryString": sent.query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc", "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "domainPrefix": "abc", "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "21/Nov/2026:08:00:00 +0000", "timeEpoch": 1_795_248_000_000_i64,
            "authorizer": { "lambda": tenant(sent) },
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl" }
        },
        "body": BASE64.encode(&sent.body), "isBase64Encoded": true
    })
}
