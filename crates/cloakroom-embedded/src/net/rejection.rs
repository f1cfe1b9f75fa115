//! Responses to requests that no service can answer.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};

/// Function from a status and a request's path to the response. 400, 414 and 431 are requests that hyper rejects (for
/// these the path is `/` if it is not known). 503 is a request that did not finish in time before the end.
pub type RejectionResponse = Arc<dyn Fn(StatusCode, &str) -> Response<Full<Bytes>> + Send + Sync>;

/// Response without a body, as the embedded services send it.
pub(crate) fn empty_rejection() -> RejectionResponse {
    Arc::new(|status, _| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    })
}
