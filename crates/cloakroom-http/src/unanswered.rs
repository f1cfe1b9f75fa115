//! Answers to requests that no route can answer. The host's HTTP server rejects them, and sends what is made here.

use axum::response::{IntoResponse as _, Response};
use cloakroom_core::Code;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::problems::{self, Refused};
use crate::trace::Ids;
use crate::{Cors, cors};

/// Returns the problem document of a request that the HTTP server did not give to the router: one whose head can't be
/// read (400, 414, 431), or that is not finished at the end of the service (503). `path` is the request's, or `/` if it
/// is not known. The body is in memory.
pub fn unanswered(cors: &Cors, status: StatusCode, path: &str) -> Response {
    let unread = HeaderMap::new();
    let mut response = problems::finish(refused(status).into_response(), path);
    let headers = response.headers_mut();
    let id = Ids::of(&unread).request_id;
    headers.insert(
        "x-request-id",
        HeaderValue::try_from(&id).expect("an id is visible ASCII"),
    );
    cors.answer(&cors::Asked::of(&Method::GET, &unread), headers);
    tracing::info!(
        request_id = id,
        status = status.as_u16(),
        "answered a request that no route can answer"
    );
    response
}

fn refused(status: StatusCode) -> Refused {
    match status {
        StatusCode::URI_TOO_LONG => Refused::new(
            Code::UriTooLong,
            "the URI has more than 65534 bytes; send parameters of this size in the body",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Refused::new(
            Code::HeadersTooLarge,
            "the request has more than 100 headers or a head of more than 400 KB; send fewer and shorter headers",
        ),
        StatusCode::SERVICE_UNAVAILABLE => Refused::new(
            Code::TemporarilyUnavailable,
            "the service is ending; send the request again in a moment",
        )
        .header(RETRY_AFTER, HeaderValue::from_static("2")),
        _ => Refused::invalid(
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
    async fn each_is_a_problem_document_with_what_every_answer_has() {
        for (status, code) in [
            (400, "invalid-request"),
            (414, "uri-too-long"),
            (431, "headers-too-large"),
            (503, "temporarily-unavailable"),
        ] {
            let response = unanswered(
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
