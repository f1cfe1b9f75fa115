//! What every request goes through, whatever it asks for: its id, its log line, CORS, and the end of panics.

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

use crate::problems::{self, Refused};
use crate::trace::Ids;
use crate::{Site, conditional, cors};

pub(crate) async fn around(
    State(site): State<Arc<Site>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let ids = Ids::of(request.headers());
    let asked = cors::Asked::of(request.method(), request.headers());
    let method = request.method().clone();
    let path = format!("{}{}", site.base_path, request.uri().path());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let wanted = conditional::wanted(request.method(), request.headers());
    request.extensions_mut().insert(ids.clone());

    // What is not known yet is recorded by the routes.
    let span = tracing::info_span!(
        "request",
        request_id = ids.request_id,
        trace_id = ids.trace.trace_id(),
        tenant = tracing::field::Empty,
        command = tracing::field::Empty,
        job_id = tracing::field::Empty,
    );
    let served = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let response =
        conditional::if_matched(served.unwrap_or_else(|_| panicked(&span)), wanted.as_ref());
    let mut response = problems::finish(response, &path);

    let headers = response.headers_mut();
    headers.insert(
        "x-request-id",
        HeaderValue::try_from(&ids.request_id).expect("an id is visible ASCII"),
    );
    site.cors.answer(&asked, headers);
    span.in_scope(|| {
        let route = route.as_ref().map_or("none", MatchedPath::as_str);
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        // Polls are most of what is asked, and a line for each would cost more than its answer did.
        if method.is_safe() && status < 400 {
            tracing::debug!(%method, route, status, duration_ms, "answered a request");
        } else {
            tracing::info!(%method, route, status, duration_ms, "answered a request");
        }
    });
    response
}

/// The panic hook logged where, and why.
fn panicked(span: &tracing::Span) -> Response {
    span.in_scope(|| tracing::error!("a request's handler panicked"));
    Refused::new(
        Code::InternalError,
        "the service failed; it is not known what came of the request, so send it again",
    )
    .into_response()
}
