//! Problem documents (RFC 9457): every answer of status 400 and over, but the page of a job that came to a bad end.
//!
//! The policy: whatever refuses a request does so by a [`Refused`], which travels in the response's extensions and is
//! written where the path of the request is known ([`finish`]). An error status that anything else makes, axum or a
//! panic, is written there too, so that none gets out bare. What a client may see is the problem's `detail`; what the
//! log says of a failed port is said here, once.

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

/// When to ask again after a port failed, in seconds.
const AFTER_A_FAULT: HeaderValue = HeaderValue::from_static("2");

/// What a path takes, said where something else was sent (W3C Linked Data Platform 1.0, section 7.1).
pub(crate) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// A request that is refused: its problem, and what goes with it.
#[derive(Debug, Clone)]
pub(crate) struct Refused(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    problem: Problem,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Refused {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self::of(Problem::new(code, detail))
    }

    pub(crate) fn of(problem: Problem) -> Self {
        Self(Box::new(Inner {
            problem,
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// The one answer for a job that is unknown, expired, another tenant's, or whose id is none.
    pub(crate) fn unknown_job() -> Self {
        Self::new(
            Code::UnknownJob,
            "no such job is known; it may have expired, so check the id or submit the command again",
        )
    }

    /// A request that can't be read, or is put together wrongly.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// A body that is not JSON, or not what it should be: `what` names the latter.
    pub(crate) fn payload(error: PayloadError, what: &str) -> Self {
        match error {
            PayloadError::Malformed {
                line,
                column,
                detail,
            } => {
                let detail = format!(
                    "the body is not JSON at line {line}, column {column}: {detail}; fix it and send it again"
                );
                Self::new(Code::MalformedJson, detail)
                    .member("line", line)
                    .member("column", column)
            }
            PayloadError::Invalid(errors) => Self::new(
                Code::InvalidPayload,
                format!("{what}; see errors for what to fix"),
            )
            .errors(errors),
        }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    pub(crate) fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.problem.errors = errors;
        self
    }

    /// With an extension member (RFC 9457, section 3.2).
    pub(crate) fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }
}

impl From<PortError> for Refused {
    fn from(error: PortError) -> Self {
        match &error {
            PortError::Unavailable { .. } => tracing::warn!(%error, "a service is away"),
            PortError::Misconfigured { .. } => {
                tracing::error!(%error, "a service is not set up as it should be")
            }
            PortError::Unreadable { .. } => tracing::error!(%error, "a record can't be read"),
        }
        Self::new(
            Code::TemporarilyUnavailable,
            "it is not known what came of the request; send it again in a moment",
        )
        .header(RETRY_AFTER, AFTER_A_FAULT)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        // A problem's status is its code's or its job's, and both are checked where they are made.
        *response.status_mut() = StatusCode::from_u16(self.0.problem.status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().clone_from(&self.0.headers);
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem with its extension members, as it is sent.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// Writes the problem document of an answer of status 400 and over; `path` is the request's.
pub(crate) fn finish(mut response: Response, path: &str) -> Response {
    if !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let refused = match response.extensions_mut().remove::<Refused>() {
        Some(refused) => refused,
        None if is_page(&response) => return response,
        None => {
            let code = if response.status().is_server_error() {
                Code::InternalError
            } else {
                Code::InvalidRequest
            };
            let refused = Refused::new(
                code,
                "the request could not be served; check it, and send it again",
            );
            response = refused.clone().into_response();
            refused
        }
    };
    let Inner {
        mut problem,
        members,
        ..
    } = *refused.0;
    problem.instance.get_or_insert_with(|| reference(path));
    let document = serde_json::to_vec(&Document { problem, members })
        .expect("a problem has nothing that JSON lacks");
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    // A 404 may be true for a moment only, and caches would keep it.
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    *response.body_mut() = Body::from(document);
    response
}

/// A path as a URI reference (RFC 3986, section 4.1). Clients send characters that no URI has, and the server takes them.
fn reference(path: &str) -> String {
    let bytes = path.as_bytes();
    // Two slashes would begin with a host.
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
                reference.push(char::from(*b))
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
    fn an_error_that_nobody_wrote_a_problem_for_gets_one() {
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
                Refused::of(problem.clone())
                    .into_response()
                    .status()
                    .as_u16(),
                shown
            );
        }
    }
}
