//! HTTP server of the API.

use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use cloakroom_embedded::net::{self, RejectionResponse, Stop};
use cloakroom_http::{Cors, unrouted_response};
use futures::FutureExt as _;
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// Serves on all listeners until it is stopped. Requests in progress are completed within a time limit.
pub(crate) async fn serve(listeners: Vec<TcpListener>, app: Router, cors: Cors, stop: Stop) {
    let mut servers = JoinSet::new();
    for listener in listeners {
        let (app, refuse) = (app.clone(), refuse(cors.clone()));
        let service = move |request| {
            let answer = app.clone().oneshot(request);
            async move {
                let answer: Result<Response, Infallible> = answer.await;
                answer.unwrap_or_else(|never| match never {})
            }
        };
        servers.spawn(net::serve(listener, service, refuse, stop.clone()));
    }
    servers.join_all().await;
}

/// Returns the problem document for requests that no route handles.
fn refuse(cors: Cors) -> RejectionResponse {
    std::sync::Arc::new(move |status, path| {
        unrouted_response(&cors, status, path).map(|body: Body| {
            // The body is in memory.
            Full::from(
                to_bytes(body, usize::MAX)
                    .now_or_never()
                    .and_then(Result::ok)
                    .unwrap_or_default(),
            )
        })
    })
}
