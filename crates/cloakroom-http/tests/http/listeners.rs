//! Sections 8.4, 8.6 and 8.7: listeners of a submission, deliveries, and responses without a body.

use std::time::Duration;

use axum::body::Body;
use cloakroom_app::Listeners;
use cloakroom_core::delivery::AttemptOutcome;
use cloakroom_core::{DeliveryKind, DeliveryLog};
use cloakroom_http::{Site, router};
use serde_json::json;

use crate::service::{Service, TRACEPARENT, service, service_with};

/// A service that sends webhooks to `https`, and has the reply queue `orders`.
fn listening() -> Service {
    let check = |url: &str| {
        let valid = url.starts_with("https://");
        valid.then_some(()).ok_or_else(|| "use https".to_owned())
    };
    let mut service = service_with(Site::default().callbacks(check));
    let queues = ["orders".parse().expect("a name")];
    service.room.submit.listeners = Listeners {
        reply_queues: queues.into(),
        bus: None,
    };
    service.router = router(
        Site::default().callbacks(check),
        Some((service.room.submit.clone(), service.room.uploads.clone())),
        Some(service.room.jobs.clone()),
    );
    service
}

#[tokio::test(start_paused = true)]
async fn the_listeners_of_a_submission_are_recorded_with_its_job() {
    let service = listening();
    let headers = [
        ("callback-url", "https://hooks.example/x?k=1"),
        ("callback-events", "all"),
        ("reply-to", "orders"),
        ("correlation-id", "order-1042"),
        ("traceparent", TRACEPARENT),
    ];
    let response = service.act("answer", &headers).await;
    assert_eq!(response.status, 202);
    let job = response.json();
    assert_eq!(
        (&job["version"], &job["correlation_id"]),
        (&json!(1), &json!("order-1042"))
    );
    assert!(!response.text().contains("hooks"), "the URL may be secret");
    let context = service.room.memory.only_job().events.expect("listeners");
    let webhook = context.webhook.as_ref().expect("a webhook");
    assert_eq!(webhook.url, "https://hooks.example/x?k=1");
    assert!(context.reply_to.is_some());
    assert_eq!(context.traceparent.as_deref(), Some(TRACEPARENT));
}

#[tokio::test(start_paused = true)]
async fn each_listener_alone_is_told_of_the_trace() {
    for listener in [
        ("callback-url", "https://hooks.example/x"),
        ("reply-to", "orders"),
    ] {
        let service = listening();
        let headers = [listener, ("traceparent", TRACEPARENT)];
        assert_eq!(service.act("answer", &headers).await.status, 202);
        let context = service.room.memory.only_job().events.expect("a listener");
        assert_eq!(context.traceparent.as_deref(), Some(TRACEPARENT));
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_submission_records_nothing_more() {
    let service = listening();
    service
        .act(
            "answer",
            &[("callback-events", "all"), ("traceparent", TRACEPARENT)],
        )
        .await;
    assert_eq!(service.room.memory.only_job().events, None);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_not_permitted_is_rejected_before_anything_is_recorded() {
    let service = listening();
    for (name, value, status, code) in [
        (
            "callback-url",
            "http://hooks.example/",
            400,
            "invalid-callback-url",
        ),
        ("callback-events", "some", 400, "invalid-request"),
        ("correlation-id", "a b", 400, "invalid-correlation-id"),
        ("reply-to", "other", 422, "unknown-reply-queue"),
    ] {
        let response = service.act("answer", &[(name, value)]).await;
        response.problem(status, code);
    }
    assert_eq!(service.room.memory.messages().0, 0);
    let silent = crate::service::service();
    let response = silent
        .act("answer", &[("callback-url", "https://a.example/")])
        .await;
    response.problem(400, "invalid-callback-url");
}

#[tokio::test(start_paused = true)]
async fn a_minimal_response_has_no_body_and_its_job_ends_like_any_other() {
    let service = service();
    let key = [
        ("prefer", "return=minimal, wait=5"),
        ("idempotency-key", "a"),
    ];
    for replayed in ["", "true"] {
        let response = service.act("answer", &key).await;
        assert_eq!((response.status, response.body.len()), (202, 0));
        assert_eq!(response.header("preference-applied"), "return=minimal");
        assert_eq!(response.header("idempotent-replayed"), replayed);
        let location = response.header("location").to_owned();
        service.room.work_until_idle().await;
        assert_eq!(service.get(&location, &[]).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_listed_with_its_attempts_and_the_time_of_the_next() {
    let service = listening();
    let headers = [("callback-url", "https://hooks.example/x?k=1")];
    let accepted = service.act("answer", &headers).await;
    let path = format!("{}/deliveries", accepted.header("location"));
    service.room.work_until_idle().await;
    let job = service.room.memory.only_job();
    let publisher = service.room.jobs.publisher.clone().expect("a publisher");
    let (now, mut log) = (job.updated_at, DeliveryLog::default());
    let (url, version) = ("https://hooks.example", job.version);
    log.add(DeliveryKind::Webhook, url, version, "", now);
    let id = log.deliveries[0].id.clone();
    for outcome in [
        AttemptOutcome::Status(500),
        AttemptOutcome::NoResponse("no response within 15 s".to_owned()),
    ] {
        log.record(&id, &outcome, now, 0.0);
    }
    let key = job.key();
    let saved =
        publisher
            .deliveries
            .save_deliveries(&key, job.created_at, &log, None, job.expires_at);
    assert!(saved.await.expect("saved"));
    let want = json!({ "deliveries": [{
        "id": id, "kind": "webhook", "target": "https://hooks.example", "state": "pending",
        "attempts": [{ "at": now, "status": 500 }, { "at": now, "error": "no response within 15 s" }],
        "next_at": now.after(Duration::from_secs(300)),
    }] });
    assert_eq!(service.get(&path, &[]).await.json(), want);
    service.room.memory.down(&["load_deliveries"]);
    let unread = service.get(&path, &[]).await;
    unread.problem(503, "temporarily-unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_not_ended_has_deliveries_too() {
    let service = listening();
    let headers = [
        ("callback-url", "https://hooks.example/x"),
        ("callback-events", "all"),
    ];
    let accepted = service.act("answer", &headers).await;
    let publisher = service.room.jobs.publisher.clone().expect("a publisher");
    let job = service.room.memory.only_job();
    publisher.publish(&job).await.expect("published");
    let path = format!("{}/deliveries", accepted.header("location"));
    let list = service.get(&path, &[]).await.json();
    assert_eq!(list["deliveries"][0]["id"], "1-webhook");
}

#[tokio::test(start_paused = true)]
async fn deliveries_of_another_tenants_job_are_unknown() {
    let service = service_with(Site::default().tenant(|parts| {
        let name = parts.headers.get("x-tenant")?.to_str().ok()?;
        name.parse().ok()
    }));
    let (one, other) = (("x-tenant", "one"), ("x-tenant", "other"));
    let accepted = service.act("answer", &[one]).await;
    let path = format!("{}/deliveries", accepted.header("location"));
    service.room.memory.calls();
    assert_eq!(service.get(&path, &[one]).await.status, 200);
    assert_eq!(service.room.memory.calls(), ["load"], "it has no listeners");
    service
        .get(&path, &[other])
        .await
        .problem(404, "unknown-job");
    let path = format!("{path}/1-webhook/redeliver");
    let redeliver = async |tenant| {
        let headers = [tenant];
        service
            .request("POST", &path, &headers, Body::empty())
            .await
    };
    redeliver(one).await.problem(404, "unknown-delivery");
    redeliver(other).await.problem(404, "unknown-job");
}

#[tokio::test(start_paused = true)]
async fn a_service_without_listeners_has_no_deliveries() {
    let service = listening();
    let headers = [("callback-url", "https://hooks.example/x?k=1")];
    let accepted = service.act("answer", &headers).await;
    let path = format!("{}/deliveries", accepted.header("location"));
    let mut jobs = service.room.jobs.clone();
    jobs.publisher = None;
    let router = router(Site::default(), None, Some(jobs));
    let service = Service { router, ..service };
    let none = json!({ "deliveries": [] });
    assert_eq!(service.get(&path, &[]).await.json(), none);
    let path = format!("{path}/1-webhook/redeliver");
    let response = service.request("POST", &path, &[], Body::empty()).await;
    response.problem(404, "unknown-delivery");
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_listed_without_what_may_be_secret_and_sent_again() {
    let service = listening();
    let headers = [("callback-url", "https://hooks.example/x?k=1")];
    let accepted = service.act("answer", &headers).await;
    let location = accepted.header("location");
    let path = format!("{location}/deliveries");
    assert_eq!(
        service.get(&path, &[]).await.json(),
        json!({ "deliveries": [] })
    );
    service.room.work_until_idle().await;
    let job = service.room.memory.only_job();
    let publisher = service.room.jobs.publisher.clone().expect("a publisher");
    publisher.publish(&job).await.expect("published");

    let list = service.get(&path, &[]).await;
    assert_eq!(list.header("cache-control"), "private, no-cache");
    let list = list.json();
    let delivery = &list["deliveries"][0];
    assert_eq!(delivery["kind"], "webhook");
    assert_eq!(delivery["target"], "https://hooks.example");
    assert_eq!(delivery["state"], "pending");
    assert_eq!(delivery["attempts"], json!([]));
    let id = delivery["id"].as_str().expect("an id");
    let again = async |id: &str| {
        let path = format!("{path}/{id}/redeliver");
        service.request("POST", &path, &[], Body::empty()).await
    };
    assert_eq!(again(id).await.status, 202);
    again("9-webhook").await.problem(404, "unknown-delivery");

    let (key, mut log) = (job.key(), DeliveryLog::default());
    log.add(
        DeliveryKind::Webhook,
        "https://hooks.example",
        1,
        "",
        job.created_at,
    );
    let stored = publisher.deliveries.load_deliveries(&key, job.created_at);
    let seen = stored.await.expect("read").expect("recorded").revision;
    let saved = publisher.deliveries.save_deliveries(
        &key,
        job.created_at,
        &log,
        Some(seen),
        job.expires_at,
    );
    assert!(saved.await.expect("saved"));
    again("1-webhook").await.problem(409, "delivery-overtaken");
    let unknown = service.get("/jobs/x/deliveries", &[]).await;
    unknown.problem(404, "unknown-job");
}
