//! Proxy on loopback between the functions, the clients and the emulator, which causes [`Troubles`].
//!
//! Requests are forwarded byte for byte with their `Host` header, so that signatures remain valid.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use reqwest::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::troubles::{Service, Trouble, Troubles};

/// A request that has been read completely.
#[derive(Clone)]
struct Call {
    head: hyper::http::request::Parts,
    body: Bytes,
}

/// Reason for a missing response.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is broken")
    }
}

impl std::error::Error for Broken {}

type Answer = Result<Response<Full<Bytes>>, Broken>;

/// Starts the proxy on a free port, for the lifetime of the program. Returns its URL.
pub(crate) async fn start(endpoint: &str, troubles: Arc<Troubles>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let to = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let endpoint: Arc<str> = endpoint.trim_end_matches('/').into();
    tokio::spawn(async move {
        loop {
            // At worst, there are no file handles left: the caller retries.
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            tokio::spawn(serve(
                stream,
                to.clone(),
                Arc::clone(&endpoint),
                Arc::clone(&troubles),
            ));
        }
    });
    url
}

async fn serve(stream: TcpStream, to: Client, endpoint: Arc<str>, troubles: Arc<Troubles>) {
    // Without this option, the proxy is only slower.
    _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (to, endpoint, troubles) = (to.clone(), Arc::clone(&endpoint), Arc::clone(&troubles));
        async move {
            let call = read(request).await?;
            // Runs in its own task, so that the request takes effect even if the caller disconnects.
            tokio::spawn(answer(to, endpoint, troubles, call))
                .await
                .map_err(|_| Broken)?
        }
    });
    // Broken connections are intended.
    _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(request: Request<Incoming>) -> Result<Call, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    Ok(Call { head, body })
}

async fn answer(to: Client, endpoint: Arc<str>, troubles: Arc<Troubles>, call: Call) -> Answer {
    let Some(service) = service(&call) else {
        return forward(&to, &endpoint, call).await;
    };
    let sends = header(&call, "x-amz-target") == "AmazonSQS.SendMessage";
    match troubles.draw(service, sends) {
        Trouble::None => forward(&to, &endpoint, call).await,
        Trouble::Throttled => Ok(throttled(service)),
        Trouble::Refused => Err(Broken),
        Trouble::AnswerLost => {
            _ = forward(&to, &endpoint, call).await;
            Err(Broken)
        }
        Trouble::Delayed(time) => {
            sleep(time).await;
            forward(&to, &endpoint, call).await
        }
        Trouble::SentTwice => {
            _ = forward(&to, &endpoint, call.clone()).await;
            forward(&to, &endpoint, call).await
        }
    }
}

/// Returns the service that a request is for, from its signature, or from the query of a presigned URL.
fn service(call: &Call) -> Option<Service> {
    let path = call.head.uri.path();
    if path.starts_with("/_aws/execute-api/") {
        return Some(Service::Api);
    }
    let query = call.head.uri.query().unwrap_or_default();
    let signed_for = |name: &str| {
        let authorization = header(call, AUTHORIZATION.as_str());
        authorization.contains(&format!("/{name}/aws4_request"))
            || query.contains(&format!("%2F{name}%2Faws4_request"))
    };
    [
        ("dynamodb", Service::DynamoDb),
        ("sqs", Service::Sqs),
        ("s3", Service::S3),
    ]
    .into_iter()
    .find_map(|(name, service)| signed_for(name).then_some(service))
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.head
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

async fn forward(to: &Client, endpoint: &str, call: Call) -> Answer {
    let Call { head, body } = call;
    let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut headers = head.headers;
    for of_the_connection in [CONNECTION, TRANSFER_ENCODING, CONTENT_LENGTH] {
        headers.remove(of_the_connection);
    }
    let is_head = head.method == Method::HEAD;
    let request = to
        .request(head.method, format!("{endpoint}{path}"))
        .headers(headers)
        .body(body);
    let answer = request.send().await.map_err(|_| Broken)?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.map_err(|_| Broken)?;
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    if !is_head {
        headers.remove(CONTENT_LENGTH);
    }
    let mut answer = Response::new(Full::new(body));
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    Ok(answer)
}

/// Returns the service's response to too many requests.
fn throttled(service: Service) -> Response<Full<Bytes>> {
    let (status, content_type, body) = match service {
        Service::DynamoDb => (
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.0",
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded."}"#,
        ),
        Service::Sqs => (
            StatusCode::BAD_REQUEST,
            "application/x-amz-json-1.0",
            r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"The request was denied due to request throttling."}"#,
        ),
        Service::S3 | Service::Api => (
            StatusCode::SERVICE_UNAVAILABLE,
            "application/xml",
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"#,
        ),
    };
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
