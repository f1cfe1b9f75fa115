//! Cross-origin requests from web pages: the two rules of the bucket in `infra/template.yaml`, for any origin.
//!
//! Implements the CORS protocol of the Fetch standard like S3. A preflight needs no signature. Every response to a
//! method of a rule has the headers, including errors. A sandboxed page, or one that followed a redirect, sends
//! `Origin: null`, which is accepted like any other origin.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, Request, Response, StatusCode};
use s3s::{Body, HttpResponse};

/// Methods of the rules.
const METHODS: [&str; 3] = ["GET", "HEAD", "PUT"];

/// Response headers that pages may read.
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag");

/// Seconds for which a browser may cache a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");

const REJECTED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessForbidden</Code><Message>CORSResponse: \
    This CORS request is not allowed: the bucket's rules have GET, HEAD and PUT</Message></Error>";

/// CORS properties of a request.
pub(super) struct Cors {
    origin: Option<HeaderValue>,
    method: Method,
    /// Method that a page requests in a preflight.
    wanted: Option<HeaderValue>,
    headers: Option<HeaderValue>,
}

impl Cors {
    pub(super) fn new<B>(request: &Request<B>) -> Self {
        let header = |name| request.headers().get(name).cloned();
        Self {
            origin: header(ORIGIN),
            method: request.method().clone(),
            wanted: header(ACCESS_CONTROL_REQUEST_METHOD),
            headers: header(ACCESS_CONTROL_REQUEST_HEADERS),
        }
    }

    /// Returns the response to a preflight; `None` for any other request.
    pub(super) fn preflight(&self) -> Option<HttpResponse> {
        let (_, wanted) = self
            .origin
            .as_ref()
            .zip(self.wanted.as_ref())
            .filter(|_| self.method == Method::OPTIONS)?;
        if !METHODS
            .iter()
            .any(|method| method.as_bytes() == wanted.as_bytes())
        {
            let mut response = Response::new(Body::from(REJECTED.to_owned()));
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            return Some(response);
        }
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        allow(headers);
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, HEAD, PUT"),
        );
        if let Some(wanted) = &self.headers {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(response)
    }

    /// Adds the headers to the response to any other request.
    pub(super) fn answer(&self, headers: &mut HeaderMap) {
        if self.origin.is_some() && METHODS.contains(&self.method.as_str()) {
            allow(headers);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.append(
        VARY,
        HeaderValue::from_static(
            "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
        ),
    );
}
