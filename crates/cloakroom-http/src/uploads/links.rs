//! Links in responses about uploads.

use axum::response::Response;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde_json::{Map, Value};

/// Converts the headers of a link to members of a document.
pub(super) fn header_members(headers: Vec<(String, String)>) -> Map<String, Value> {
    headers
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

/// Forbids caches to store a response with links: each link works for anyone who has it.
pub(super) fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
