//! AWS JSON 1.0 protocol: `POST /` with the action in `X-Amz-Target`, and errors as `__type` and `message`.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::actions;
use super::error::{Kind, SqsError};
use super::server::Server;
use crate::net::{self, RequestBody, Stop};

const JSON: &str = "application/x-amz-json-1.0";

/// Maximum size of a body: a batch of 1 MiB with every character escaped (`\u000a`), plus some space.
const MAX_BODY_BYTES: usize = 8 << 20;

/// Serves until it is stopped.
pub(crate) async fn serve(listener: TcpListener, server: Arc<Server>, stop: Stop) {
    let service = move |request| {
        let server = Arc::clone(&server);
        async move { answer(&server, request).await }
    };
    net::serve(listener, service, net::empty_rejection(), stop).await;
}

async fn answer(server: &Arc<Server>, request: Request<RequestBody>) -> Response<Full<Bytes>> {
    let answered = match read(request).await {
        Ok((action, body)) => actions::dispatch(server, &action, &body).await,
        Err(error) => Err(error),
    };
    let mut response = match answered {
        Ok(body) => Response::new(Full::from(body)),
        Err(error) => refusal(&error),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// Returns the name of the action and the body of a request.
///
/// Requires the content type: a web page can't send it without a preflight, which fails here.
async fn read(request: Request<RequestBody>) -> Result<(String, Bytes), SqsError> {
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    if request.method() != Method::POST || header("content-type") != Some(JSON) {
        return Err(SqsError::new(
            Kind::InvalidAction,
            format!("Only POST with {JSON} is served."),
        ));
    }
    let action = header("x-amz-target")
        .and_then(|target| target.strip_prefix("AmazonSQS."))
        .ok_or_else(|| SqsError::new(Kind::InvalidAction, "X-Amz-Target names no SQS action."))?
        .to_owned();
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES)
        .collect()
        .await
        .map_err(|error| SqsError::new(Kind::MalformedInput, error.to_string()))?
        .to_bytes();
    Ok((action, body))
}

fn refusal(error: &SqsError) -> Response<Full<Bytes>> {
    let (shape, code) = (error.kind.shape(), error.kind.code());
    let body = json!({ "__type": shape, "message": error.message }).to_string();
    let mut response = Response::new(Full::from(body));
    let (status, fault) = if error.kind.sender_fault() {
        (StatusCode::BAD_REQUEST, "Sender")
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
    };
    *response.status_mut() = status;
    if let Ok(code) = HeaderValue::from_str(&format!("{code};{fault}")) {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}
