//! Responses with a job, and the parts that they share with other responses.
//!
//! `GET /jobs/{id}` returns a job as [`job()`] shows it. Replays, waits and results that are not available yet do the same.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use cloakroom_core::view::{self, JobView};
use cloakroom_core::{Job, Problem, Status, Timestamp, poll};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::accept::Variant;
use crate::conditional::IfNoneMatch;
use crate::problems::Rejection;
use crate::{Site, job_view, page};

/// Returns the job in the requested representation, as of `now`. `view` is its document.
pub(crate) fn job(view: &JobView, job: &Job, now: Timestamp, variant: Variant) -> Response {
    let mut response = match (variant, &view.resource) {
        (Variant::Page, Some(resource)) if job.status == Status::Succeeded => see_other(resource),
        (Variant::Page, _) => page::job(view, &view::etag(job), poll::retry_after(job, now)),
        (Variant::Json, _) => match Problem::from_job(view.clone()) {
            Some(problem) => Rejection::from_problem(problem).into_response(),
            None => json(job_view::status(view), view),
        },
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, header_value(job_view::etag(job, variant)));
    headers.insert(VARY, HeaderValue::from_static("Accept, Prefer"));
    private_cache(headers);
    if !job.status.is_terminal() {
        retry_after(headers, job, now);
    }
    response
}

/// Replaces a successful response by 304 if the client has it already (RFC 9110, section 13.2.1).
pub(crate) fn if_none_match(response: Response, tags: Option<&IfNoneMatch>) -> Response {
    let tag = response
        .headers()
        .get(ETAG)
        .and_then(|tag| tag.to_str().ok());
    match (tags, tag) {
        (Some(tags), Some(tag)) if response.status().is_success() && tags.contains(tag) => {
            let mut headers = response.headers().clone();
            headers.remove(CONTENT_TYPE);
            let mut response = empty(StatusCode::NOT_MODIFIED);
            *response.headers_mut() = headers;
            response
        }
        _ => response,
    }
}

/// Returns a JSON response.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body =
        serde_json::to_vec(body).expect("nothing that is answered lacks a way to say it in JSON");
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Returns a 303 response to a location, which is a URL or a path.
pub(crate) fn see_other(location: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response
        .headers_mut()
        .insert(LOCATION, header_value(location.to_owned()));
    response
}

/// Returns a response without a body for 204 or 304, which must not have `Content-Length: 0`.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::from_stream(futures::stream::empty::<
        Result<bytes::Bytes, Infallible>,
    >()));
    *response.status_mut() = status;
    response
}

/// Adds the time until the next poll.
pub(crate) fn retry_after(headers: &mut HeaderMap, job: &Job, now: Timestamp) {
    headers.insert(RETRY_AFTER, HeaderValue::from(poll::retry_after(job, now)));
}

/// Forbids all caches to store a response, for example one with links that work for anyone who has them.
pub(crate) fn no_store(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Restricts a response to the caller's own cache, which must revalidate it each time; `ETag` makes that cheap.
pub(crate) fn private_cache(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Returns the path of a job.
pub(crate) fn location(site: &Site, job: &Job) -> HeaderValue {
    header_value(format!("{}/jobs/{}", site.settings.base_path, job.id))
}

/// Converts a value whose source has validated it.
fn header_value(value: String) -> HeaderValue {
    HeaderValue::try_from(value).expect("ids, tags and places are visible ASCII")
}
