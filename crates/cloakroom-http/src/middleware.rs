//! Steps around every route: the request's id, its log line, CORS, and the conversion of panics into problems.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cloakroom_core::Code;
use futures::FutureExt as _;
use http::HeaderValue;
use tracing::Instrument as _;

use crate::cors::{self, CorsRequest};
use crate::problems::{self, Rejection};
use crate::request_trace::{RequestIds, X_REQUEST_ID};
use crate::{Site, conditional};

/// Wraps the routes of a site: traces and logs each request, and completes its response.
pub(crate) async fn middleware(
    State(site): State<Arc<Site>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let trace = RequestIds::from_headers(request.headers());
    let cors_request = CorsRequest::new(request.method(), request.headers());
    let method = request.method().clone();
    let path = format!("{}{}", site.settings.base_path, request.uri().path());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let if_match = conditional::if_match_of_read(request.method(), request.headers());
    request.extensions_mut().insert(trace.clone());

    // The routes record the fields that are empty here.
    let span = tracing::info_span!(
        "request",
        request_id = trace.request_id,
        trace_id = trace.context.trace_id(),
        tenant = tracing::field::Empty,
        command = tracing::field::Empty,
        job_id = tracing::field::Empty,
    );
    let response = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await
        .unwrap_or_else(|_| panic_response(&span));
    let response = conditional::if_match(response, if_match.as_ref());
    let mut response = problems::finish(response, &path);

    let headers = response.headers_mut();
    headers.insert(
        X_REQUEST_ID,
        HeaderValue::try_from(&trace.request_id).expect("an id is visible ASCII"),
    );
    cors::add_headers(&site.settings.cors, &cors_request, headers);
    span.in_scope(|| {
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        // Polls are most of the requests, and a line at INFO for each would cost more than its response.
        if method.is_safe() && status < 400 {
            tracing::debug!(%method, route, status, duration_ms, "answered a request");
        } else {
            tracing::info!(%method, route, status, duration_ms, "answered a request");
        }
    });
    response
}

/// Response to a request whose handler panicked. The panic hook has logged the place and the message.
fn panic_response(span: &tracing::Span) -> Response {
    span.in_scope(|| tracing::error!("the handler of a request panicked"));
    Rejection::new(
        Code::InternalError,
        "the service failed, and the outcome of the request is unknown; retry it",
    )
    .into_response()
}
