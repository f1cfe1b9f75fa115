//! Responses to requests that never reach the router, because the host's HTTP server rejects them.

use axum::response::{IntoResponse as _, Response};
use cloakroom_app::http_settings::Cors;
use cloakroom_core::Code;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::cors::{self, CorsRequest};
use crate::problems::{self, Rejection};
use crate::request_trace::{RequestIds, X_REQUEST_ID};

/// Returns the problem document of a request that the HTTP server did not pass to the router.
///
/// Its head can't be parsed (400, 414, 431), or the service ends before the request is complete (503). `path` is the
/// request's, or `/` if it is unknown. The body is in memory.
pub fn unrouted_response(cors: &Cors, status: StatusCode, path: &str) -> Response {
    let headers = HeaderMap::new();
    let mut response = problems::finish(rejection(status).into_response(), path);
    let (id, cors_request) = (
        RequestIds::from_headers(&headers).request_id,
        CorsRequest::new(&Method::GET, &headers),
    );
    let headers = response.headers_mut();
    headers.insert(
        X_REQUEST_ID,
        HeaderValue::try_from(&id).expect("an id is visible ASCII"),
    );
    cors::add_headers(cors, &cors_request, headers);
    tracing::info!(
        request_id = id,
        status = status.as_u16(),
        "answered a request that did not reach a route"
    );
    response
}

fn rejection(status: StatusCode) -> Rejection {
    match status {
        StatusCode::URI_TOO_LONG => Rejection::new(
            Code::UriTooLong,
            "the URI has more than 65534 bytes; send parameters of this size in the body",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Rejection::new(
            Code::HeadersTooLarge,
            "the request has more than 100 headers or a head of more than 400 KB; send fewer and shorter headers",
        ),
        StatusCode::SERVICE_UNAVAILABLE => Rejection::new(
            Code::TemporarilyUnavailable,
            "the service is shutting down; send the request again in a moment",
        )
        .header(RETRY_AFTER, HeaderValue::from_static("2")),
        _ => Rejection::invalid(
            "the request line or a header is not well-formed HTTP/1.1; percent-encode quotes, spaces and other special \
            characters in the path and the query, and check the headers",
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
    use http_body_util::BodyExt as _;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn each_is_a_problem_document_with_the_headers_of_every_response() {
        for (status, code) in [
            (400, "invalid-request"),
            (414, "uri-too-long"),
            (431, "headers-too-large"),
            (503, "temporarily-unavailable"),
        ] {
            let response = unrouted_response(
                &Cors::Any,
                StatusCode::from_u16(status).expect("a status"),
                "/jobs",
            );
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
            assert!(!response.headers()["x-request-id"].is_empty());
            let body = response
                .into_body()
                .collect()
                .await
                .expect("in memory")
                .to_bytes();
            let problem: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(
                (problem["status"].as_u64(), problem["code"].as_str()),
                (Some(status.into()), Some(code))
            );
            assert_eq!(problem["instance"], "/jobs");
        }
    }
}
