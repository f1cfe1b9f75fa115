//! A whole run in this process.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use cloakroom_app::{Command, HandlerError, JobContext};
use cloakroom_client::Client;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::*;

/// Longest time that a test waits for a part of the run.
const PATIENCE: Duration = Duration::from_secs(60);

/// Receives webhooks until it is stopped. Returns its URL.
async fn receiver(events: mpsc::UnboundedSender<Value>, stop: Stop) -> String {
    let receive = move |body: String| async move {
        let event = serde_json::from_str(&body).expect("an event is JSON");
        events.send(event).expect("the test waits");
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let app = Router::new().route("/", post(receive));
    tokio::spawn(serve::serve(vec![listener], app, Cors::Any, stop));
    url
}

/// Returns a service whose `order.place` submits `order.pack`. The events of both go to this URL.
fn commands(receiver: String, service: &'static OnceLock<String>) -> Registry {
    let place = move |_: Value, job: JobContext| {
        let receiver = receiver.clone();
        async move {
            let url = service.get().expect("the service has started");
            let client =
                Client::new(url).map_err(|error| HandlerError::terminal(error.to_string()))?;
            client
                .submit::<()>("order.pack", &json!({}))
                .key(job.idempotency_token())
                .callback_url(&receiver)
                .caused_by(&job)
                .await
                .map_err(|error| HandlerError::retryable(error.to_string()))?;
            Ok::<_, HandlerError>(())
        }
    };
    let pack = |_: Value| async { Ok::<_, HandlerError>(()) };
    Registry::new(vec![
        Command::json("order.place", place),
        Command::json("order.pack", pack),
    ])
}

#[tokio::test]
async fn the_events_of_what_a_handler_submits_name_their_cause() {
    static SERVICE: OnceLock<String> = OnceLock::new();
    let (sender, mut events) = mpsc::unbounded_channel();
    let (_stopper, stop) = Stop::channel();
    let receiver = receiver(sender, stop).await;
    let settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        data: Data::Memory,
        workers: 2,
        worker_memory: None,
        reply_queues: vec![],
    };
    let (started, start) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let greet = move |text: String| {
        let url = text
            .lines()
            .find_map(|line| line.strip_prefix("listening on "));
        let url = url.expect("the greeting names the URL");
        SERVICE.set(url.to_owned()).expect("one run");
        started.send(()).expect("the test waits");
    };
    let commands = commands(receiver.clone(), &SERVICE);
    let run = tokio::spawn(async move {
        let end = async { drop(ended.await) };
        run(&settings, commands, greet, end).await
    });
    timeout(PATIENCE, start)
        .await
        .expect("in time")
        .expect("it starts");

    let client = Client::new(SERVICE.get().expect("it has started")).expect("a URL");
    let order = client
        .submit::<()>("order.place", &json!({}))
        .correlation_id("cart-7")
        .callback_url(&receiver)
        .await
        .expect("accepted");
    let (mut placed, mut packed) = (None, None);
    while placed.is_none() || packed.is_none() {
        let event = timeout(PATIENCE, events.recv()).await.expect("in time");
        let event = event.expect("the receiver runs");
        match event["data"]["type"].as_str() {
            Some("order.place") => placed = Some(event),
            _ => packed = Some(event),
        }
    }
    let (placed, packed) = (placed.expect("received"), packed.expect("received"));
    let cause = order.submitted.job.id;
    assert_eq!(
        (&placed["correlationid"], &placed["causationid"]),
        (&json!("cart-7"), &Value::Null)
    );
    assert_eq!(
        (&packed["correlationid"], &packed["causationid"]),
        (&json!("cart-7"), &json!(cause))
    );
    assert_eq!(packed["data"]["correlation_id"], "cart-7");
    let trace = |event: &Value| event["traceparent"].as_str().map(|it| it[..35].to_owned());
    assert!(trace(&placed).is_some());
    assert_eq!(trace(&placed), trace(&packed));

    end.send(()).expect("it runs");
    run.await.expect("no panic").expect("it ends");
}
