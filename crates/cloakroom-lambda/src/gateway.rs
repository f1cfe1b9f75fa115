//! Adapter between API Gateway and the router.
//!
//! The event does not contain the request as it was sent, so `lambda_http` reconstructs it. This module corrects four
//! things:
//! - `lambda_http` adds the stage to the path, which neither routes nor clients behind a custom domain know. It also
//!   parses the path like a browser, which treats `\` as `/` and resolves `..`. Here, the path is served as it was
//!   sent.
//! - It uses the last of several lines of a header if the event contains both the list and the last line.
//! - It panics for a query that is invalid in a URI, which an HTTP API passes on.
//! - Query parameters are a map with a random order. The query string is part of the fingerprint under an
//!   `Idempotency-Key`, so it must be the same in every retry: sorted by name, and in the sent order for each name.

use std::fmt::Write as _;

use axum::Router;
use axum::http::Uri;
use axum::http::header::HOST;
use axum::response::Response;
use cloakroom_http::{HttpSettings, Site};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::util::MapRequest;
use lambda_http::tower::{Service, ServiceExt as _};
use lambda_http::{Adapter, Error, LambdaEvent, Request, RequestExt as _, StreamAdapter};

use crate::start::answer;
use crate::tenant::Callers;

/// Serves requests with this router until the function ends.
pub(crate) async fn serve(router: Router) -> Result<(), Error> {
    answer(behind_gateway(router)).await
}

/// Serves requests with this router until the function ends, and streams the responses.
pub(crate) async fn stream(router: Router) -> Result<(), Error> {
    lambda_http::lambda_runtime::run(corrected(router, StreamAdapter::from)).await
}

/// Wraps a router as a service for events.
pub fn behind_gateway(router: Router) -> BehindGateway {
    corrected(router, Adapter::from)
}

type Event = LambdaEvent<LambdaRequest>;

/// Router whose requests are as they were sent.
type Restored = MapRequest<Router, fn(Request) -> Request>;

/// Service for events.
type BehindGateway = MapRequest<Adapter<'static, Response, Restored>, fn(Event) -> Event>;

/// Wraps a router by an adapter, and corrects the events before it and the requests after it.
fn corrected<S: Service<Event>>(
    router: Router,
    adapter: impl FnOnce(Restored) -> S,
) -> MapRequest<S, fn(Event) -> Event> {
    adapter(router.map_request(restored)).map_request(legible)
}

/// Changes an event so that `lambda_http` can reconstruct the request completely and without a panic.
fn legible(mut event: Event) -> Event {
    match &mut event.payload {
        LambdaRequest::ApiGatewayV1(request) => {
            request.path = request.path.as_deref().map(path);
            // `lambda_http` reads the host from here for the URL.
            for name in request
                .multi_value_headers
                .keys()
                .filter(|name| *name != HOST)
            {
                request.headers.remove(name);
            }
        }
        LambdaRequest::ApiGatewayV2(request) => {
            request.raw_path = request.raw_path.as_deref().map(path);
            if let Some(query) = &mut request.raw_query_string {
                *query = encoded(query);
            }
        }
        // These functions receive no other events.
        _ => {}
    }
    event
}

/// Returns a path that starts with a slash, and contains no query.
fn path(text: &str) -> String {
    let slash = if text.starts_with('/') { "" } else { "/" };
    slash.to_owned() + &encoded(text).replace('?', "%3F")
}

/// Percent-encodes the characters of a path or a query that are invalid in a URI.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'~' => encoded.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

/// Creates the site with these settings. Its tenants are the callers that the gateway identifies.
pub fn site(settings: HttpSettings) -> Site {
    let callers = Callers::new(&settings);
    Site::new(settings).tenant(move |request| callers.tenant(request))
}

fn restored(mut request: Request) -> Request {
    let path = request.raw_http_path();
    let query = request
        .uri()
        .query()
        .map(in_order)
        .filter(|query| !query.is_empty());
    let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    *request.uri_mut() = Uri::try_from(target).expect("parts of a good URI make one");
    request
}

fn in_order(query: &str) -> String {
    let mut pairs: Vec<_> = query.split('&').collect();
    pairs.sort_by_key(|pair| pair.split('=').next());
    pairs.join("&")
}

#[cfg(test)]
mod tests;
