//! Cross-origin requests from browsers: the Fetch standard's CORS protocol.

use cloakroom_app::http_settings::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

/// Time in seconds for which a browser may cache a preflight: the longest that Chromium accepts.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Headers that a page may send.
pub const REQUEST_HEADERS: &str = "Idempotency-Key, Content-Type, Prefer, Not-Before, Upload-Id, Callback-Url, Callback-Events, \
    Reply-To, Correlation-Id, Causation-Id, Last-Event-ID, If-Match, If-None-Match, \
    X-Request-Id, traceparent, tracestate, Authorization, X-Api-Key, X-Amz-Date, X-Amz-Security-Token";

/// Headers that a page may read.
pub const EXPOSED_HEADERS: &str =
    "Location, Retry-After, Idempotent-Replayed, Preference-Applied, ETag, X-Request-Id";

/// Adds the CORS headers to the response.
pub(crate) fn add_headers(cors: &Cors, request: &CorsRequest, headers: &mut HeaderMap) {
    let allowed_origin = match (cors, &request.origin) {
        (Cors::None, _) => return,
        (Cors::Any, _) => HeaderValue::from_static("*"),
        (Cors::Only(origins), origin) => {
            headers.append(VARY, HeaderValue::from_static("Origin"));
            match origin {
                Some(origin)
                    if origins
                        .iter()
                        .any(|known| known.as_bytes() == origin.as_bytes()) =>
                {
                    origin.clone()
                }
                _ => return,
            }
        }
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin);
    match headers.get(ALLOW).cloned().filter(|_| request.preflight) {
        Some(methods) => {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::from_static(REQUEST_HEADERS),
            );
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        None => {
            headers.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(EXPOSED_HEADERS),
            );
        }
    }
}

/// CORS part of a request: its origin, if a browser sent one.
pub(crate) struct CorsRequest {
    origin: Option<HeaderValue>,
    preflight: bool,
}

impl CorsRequest {
    pub(crate) fn new(method: &Method, headers: &HeaderMap) -> Self {
        Self {
            origin: headers.get(ORIGIN).cloned(),
            preflight: method == Method::OPTIONS
                && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
        }
    }
}
