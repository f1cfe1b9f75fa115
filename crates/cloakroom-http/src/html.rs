//! Parts that all pages share: the style, the headers, and a policy that allows no script and style but the page's own.

use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_core::Digest;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use maud::Markup;

/// Style of all pages.
pub(crate) const STYLE: &str = include_str!("page/page.css");

/// Returns the policy of a page with this script: it contains the hashes of the script and of [`STYLE`], which are in the page.
pub(crate) fn policy(script: &str) -> HeaderValue {
    let hash = |text: &str| BASE64.encode(Digest::from_content(text.as_bytes()).as_bytes());
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(script),
        hash(STYLE),
    );
    HeaderValue::try_from(policy).expect("base64 is visible ASCII")
}

/// Returns the response with a page.
pub(crate) fn response(status: StatusCode, policy: HeaderValue, page: Markup) -> Response {
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers, page.into_string()).into_response()
}
