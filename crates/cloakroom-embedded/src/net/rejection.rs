//! Responses to requests that no service can handle.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

/// Function that returns the response for a status and a request's path. hyper rejects requests with 400, 414 and 431;
/// their path is `/` if it is not known. 503 is for a request that did not finish before the server stopped.
pub type RejectionResponse = Arc<dyn Fn(StatusCode, &str) -> Response<Full<Bytes>> + Send + Sync>;

/// Returns a response without a body, as the embedded services send it.
pub(crate) fn empty_rejection() -> RejectionResponse {
    Arc::new(|status, _| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    })
}
