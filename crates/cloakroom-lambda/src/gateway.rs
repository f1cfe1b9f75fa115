//! Between API Gateway's REST API and the router.
//!
//! The event has no request as it was sent, and `lambda_http` makes one of what there is. Four things are put right here:
//! - it writes the stage before the path, which no route knows, nor the client behind a domain of one's own; and reads the
//!   path as a browser does, for which `\` is `/`, and `..` goes up: what was sent is what is served;
//! - of several lines of a header it takes the last, where the event has a list of all and the last beside it;
//! - it panics at a query that no URI has, and an HTTP API passes on what was sent;
//! - query parameters come as a map, and in another order each time. The query string is part of what tells one command
//!   from another under the same `Idempotency-Key`, so it must be the same at every retry: by name, then as they came.

use std::fmt::Write as _;

use axum::Router;
use axum::http::Uri;
use axum::http::header::HOST;
use axum::response::Response;
use cloakroom_http::{HttpSettings, Site};
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use lambda_http::tower::util::MapRequest;
use lambda_http::{Adapter, Error, LambdaEvent, Request, RequestExt as _};

use crate::start::answer;
use crate::tenant::Callers;

/// Answers requests by this router until the function ends.
pub(crate) async fn serve(router: Router) -> Result<(), Error> {
    answer(behind_gateway(router)).await
}

/// The router, for events.
pub fn behind_gateway(router: Router) -> BehindGateway {
    let served = Adapter::from(router.map_request(mended as fn(Request) -> Request));
    served.map_request(legible as fn(Event) -> Event)
}

type Event = LambdaEvent<LambdaRequest>;

/// What serves events.
type BehindGateway = MapRequest<
    Adapter<'static, Response, MapRequest<Router, fn(Request) -> Request>>,
    fn(Event) -> Event,
>;

/// An event that `lambda_http` makes a request of without losing or breaking over anything.
fn legible(mut event: Event) -> Event {
    match &mut event.payload {
        LambdaRequest::ApiGatewayV1(request) => {
            request.path = request.path.as_deref().map(path);
            // The host is made a URL of, where it is beside the list.
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
        // No other events come to these functions.
        _ => {}
    }
    event
}

/// A path that begins with a slash, and is no more than a path.
fn path(text: &str) -> String {
    let slash = if text.starts_with('/') { "" } else { "/" };
    slash.to_owned() + &encoded(text).replace('?', "%3F")
}

/// A path or a query with all characters percent-encoded that no URI has.
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

/// Creates the site with these settings, whose tenants are the callers that the gateway names.
pub fn site(settings: HttpSettings) -> Site {
    let callers = Callers::new(&settings);
    Site::new(settings).tenant(move |request| callers.tenant(request))
}

fn mended(mut request: Request) -> Request {
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
