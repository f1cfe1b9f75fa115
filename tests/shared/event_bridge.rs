//! Stand-in for `EventBridge`, which the embedded services don't include.

use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Starts a stand-in that accepts each entry, after it was passed to `accept`. Returns its URL.
pub(crate) async fn start(accept: impl Fn(&Value) + Clone + Send + Sync + 'static) -> String {
    let put = async move |headers: HeaderMap, put: String| {
        assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
        let put: Value = serde_json::from_str(&put).expect("JSON");
        let entries = put["Entries"].as_array().expect("entries");
        entries.iter().for_each(&accept);
        let accepted: Vec<_> = entries.iter().map(|_| json!({"EventId": "1"})).collect();
        Json(json!({"FailedEntryCount": 0, "Entries": accepted}))
    };
    serve(Router::new().route("/", post(put))).await
}

/// Serves these routes on a free port. Returns the URL.
pub(crate) async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}
