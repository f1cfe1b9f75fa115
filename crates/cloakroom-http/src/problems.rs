//! Problem documents (RFC 9457): every response of status 400 and over, except the page of a job without success.
//!
//! The policy: code that rejects a request returns a [`Rejection`], which travels in the response's extensions.
//! [`finish`] writes the document, as it knows the path of the request. It also replaces error responses by axum and by
//! panics, so that each error response has a document. The problem's `detail` is for the client. The failure of a port is
//! logged here, once.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use cloakroom_app::payload::PayloadError;
use cloakroom_app::ports::PortError;
use cloakroom_core::problem::FieldError;
use cloakroom_core::{Code, Problem};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

/// Time in seconds until the next try after a port failed.
const RETRY_AFTER_FAULT: HeaderValue = HeaderValue::from_static("2");

/// Media types that a path accepts, sent with the rejection of others (W3C Linked Data Platform 1.0, section 7.1).
pub(crate) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Rejection of a request: its problem, extension members and headers.
#[derive(Debug, Clone)]
pub(crate) struct Rejection(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    problem: Problem,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Rejection {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::from_problem(Problem::new(code, detail))
    }

    pub(crate) fn from_problem(problem: Problem) -> Self {
        Self(Box::new(Inner {
            problem,
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// Returns the same rejection for jobs that are unknown, expired or another tenant's, and for malformed ids.
    pub(crate) fn unknown_job() -> Self {
        Self::new(
            Code::UnknownJob,
            "the job is unknown or has expired; check the id, or submit the command again",
        )
    }

    /// Rejects a request that can't be parsed, or whose parts contradict each other.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// Rejects a body that is not JSON, or not valid: `invalid` describes the latter.
    pub(crate) fn from_payload_error(error: PayloadError, invalid: &str) -> Self {
        match error {
            PayloadError::Malformed {
                line,
                column,
                detail,
            } => {
                let detail = format!(
                    "the body is not JSON at line {line}, column {column}: {detail}; correct it and send it again"
                );
                Self::new(Code::MalformedJson, detail)
                    .member("line", line)
                    .member("column", column)
            }
            PayloadError::Invalid(errors) => Self::new(
                Code::InvalidPayload,
                format!("{invalid}; see errors for what to fix"),
            )
            .errors(errors),
        }
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.0.problem.code
    }

    #[cfg(test)]
    pub(crate) fn detail(&self) -> &str {
        &self.0.problem.detail
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    pub(crate) fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.problem.errors = errors;
        self
    }

    /// Adds an extension member (RFC 9457, section 3.2).
    pub(crate) fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }
}

impl From<PortError> for Rejection {
    fn from(error: PortError) -> Self {
        match &error {
            PortError::Unavailable { .. } => tracing::warn!(%error, "a service is unavailable"),
            PortError::Misconfigured { .. } => {
                tracing::error!(%error, "a service is misconfigured");
            }
            PortError::Unreadable { .. } => tracing::error!(%error, "a record can't be read"),
        }
        Self::new(
            Code::TemporarilyUnavailable,
            "the outcome of the request is unknown; retry it in a moment",
        )
        .header(RETRY_AFTER, RETRY_AFTER_FAULT)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        // The status is the code's or the job's, and both are validated at their source.
        *response.status_mut() = StatusCode::from_u16(self.0.problem.status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().clone_from(&self.0.headers);
        response.extensions_mut().insert(self);
        response
    }
}

/// Problem document with its extension members.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// Writes the problem document of a response of status 400 and over. `path` is the request's.
pub(crate) fn finish(mut response: Response, path: &str) -> Response {
    if !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let rejection = match response.extensions_mut().remove::<Rejection>() {
        Some(rejection) => rejection,
        None if is_page(&response) => return response,
        None => {
            let code = if response.status().is_server_error() {
                Code::InternalError
            } else {
                Code::InvalidRequest
            };
            let rejection = Rejection::new(
                code,
                "the request could not be processed; check it and send it again",
            );
            response = rejection.clone().into_response();
            rejection
        }
    };
    let Inner {
        mut problem,
        members,
        ..
    } = *rejection.0;
    problem
        .instance
        .get_or_insert_with(|| uri_reference(without_ticket(path)));
    let document = serde_json::to_vec(&Document { problem, members })
        .expect("a problem has nothing that JSON lacks");
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    // A 404 may be temporary, and caches would store it.
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    *response.body_mut() = Body::from(document);
    response
}

/// Returns the path without what follows `/shared`: a ticket is a secret.
fn without_ticket(path: &str) -> &str {
    let shared = path.find("/shared/");
    shared.map_or(path, |at| &path[..at + "/shared".len()])
}

/// Encodes a path as a URI reference (RFC 3986, section 4.1). The server accepts paths with characters that no URI has.
fn uri_reference(path: &str) -> String {
    let bytes = path.as_bytes();
    // Two leading slashes would be followed by a host.
    let mut reference = String::from(if path.starts_with("//") { "/." } else { "" });
    for (at, byte) in bytes.iter().enumerate() {
        let is_escape = || {
            bytes
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        };
        match byte {
            b'%' if is_escape() => reference.push('%'),
            b if b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(b) => {
                reference.push(char::from(*b));
            }
            b => _ = write!(reference, "%{b:02X}"),
        }
    }
    reference
}

fn is_page(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_response_without_a_problem_gets_one() {
        for (status, code) in [
            (StatusCode::BAD_REQUEST, 400),
            (StatusCode::IM_A_TEAPOT, 400),
            (StatusCode::BAD_GATEWAY, 500),
        ] {
            let response = finish((status, "inside story").into_response(), "/x");
            assert_eq!(response.status().as_u16(), code);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        }
        let bare = finish(StatusCode::BAD_REQUEST.into_response(), "/x");
        assert_eq!(
            bare.headers()[CONTENT_TYPE],
            "application/problem+json",
            "without a body, too"
        );
        let page = finish(
            (
                StatusCode::GONE,
                [(CONTENT_TYPE, "text/html; charset=utf-8")],
            )
                .into_response(),
            "/x",
        );
        assert_eq!(page.status(), StatusCode::GONE);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let untouched = finish((StatusCode::OK, "body").into_response(), "/x");
        assert_eq!(
            untouched.headers()[CONTENT_TYPE],
            "text/plain; charset=utf-8"
        );
    }

    #[test]
    fn a_problem_of_no_status_of_http_is_a_fault_of_the_service() {
        let mut problem = Problem::new(Code::JobFailed, "x");
        for (status, shown) in [(422, 422), (99, 500), (1000, 500)] {
            problem.status = status;
            assert_eq!(
                Rejection::from_problem(problem.clone())
                    .into_response()
                    .status()
                    .as_u16(),
                shown
            );
        }
    }
}
