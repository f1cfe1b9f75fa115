//! The API over HTTP.

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

/// Serves on every listener until stopped. Requests in progress finish first, within a bound of time.
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

/// A problem document in place of an answer that no route gives.
fn refuse(cors: Cors) -> RejectionResponse {
    std::sync::Arc::new(move |status, path| {
        unrouted_response(&cors, status, path).map(|body: Body| {
            // It is in memory already.
            Full::from(
                to_bytes(body, usize::MAX)
                    .now_or_never()
                    .and_then(Result::ok)
                    .unwrap_or_default(),
            )
        })
    })
}
