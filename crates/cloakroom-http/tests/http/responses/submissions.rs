//! Responses to commands and uploads that are accepted.

use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::ports::keys;
use cloakroom_core::Tenant;
use serde_json::json;

use super::record::{Record, cors_service};
use crate::service::Service;

pub(super) const ACT: (&str, &str) = ("POST", "/commands/act");
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const KEY: (&str, &str) = ("idempotency-key", "order-1042");
pub(super) const PAGE: (&str, &str) = ("accept", "text/html");

pub(super) async fn commands(record: &mut Record) {
    for act in ["answer", "fail", "refuse"] {
        let service = cors_service();
        let body = &format!("{{\"act\":\"{act}\"}}");
        record
            .request("new", &service, ACT, &[JSON, KEY], body)
            .await;
        record
            .request("again", &service, ACT, &[JSON, KEY], body)
            .await;
        service.room.work_until_idle().await;
        record
            .request(
                &format!("again, over: {act}"),
                &service,
                ACT,
                &[JSON, KEY],
                body,
            )
            .await;
    }
    let service = cors_service();
    record
        .request("a form", &service, ACT, &[JSON, KEY, PAGE], "{}")
        .await;
    record
        .request("a form, again", &service, ACT, &[JSON, KEY, PAGE], "{}")
        .await;
    record
        .request(
            "respond-async",
            &service,
            ACT,
            &[JSON, ("prefer", "respond-async")],
            "{}",
        )
        .await;
    let location = record
        .request("wait=1", &service, ACT, &[JSON, ("prefer", "wait=1")], "{}")
        .await;
    service
        .request("DELETE", location.header("location"), &[], Body::empty())
        .await;
    service.room.work_until_idle().await;
    let waits = [JSON, ("prefer", "wait=5")];
    tokio::join!(
        record.request("wait=5, over", &service, ACT, &waits, "{}"),
        service.work_soon()
    );
    let cancelled = record
        .request(
            "new",
            &service,
            ACT,
            &[JSON, ("idempotency-key", "k")],
            "{}",
        )
        .await;
    service
        .request("DELETE", cancelled.header("location"), &[], Body::empty())
        .await;
    record
        .request(
            "again, cancelled",
            &service,
            ACT,
            &[JSON, ("idempotency-key", "k")],
            "{}",
        )
        .await;
    let id = service.uploaded("image/png", b"png").await;
    record
        .request(
            "an upload",
            &service,
            ("POST", "/commands/image.keep?width=1"),
            &[("upload-id", &id)],
            "",
        )
        .await;
}

pub(super) async fn uploads(record: &mut Record) {
    let service = cors_service();
    let whole = json!({ "content_type": "image/png", "content_length": 3 }).to_string();
    record
        .request("whole", &service, ("POST", "/uploads"), &[JSON], &whole)
        .await;
    let id = in_parts(record, &service).await;
    record
        .request(
            "a part is there",
            &service,
            ("GET", &format!("/uploads/{id}")),
            &[],
            "",
        )
        .await;
}

/// Requests an upload of two parts, and sends the second.
pub(super) async fn in_parts(record: &mut Record, service: &Service) -> String {
    let parts =
        json!({ "content_type": "application/json", "content_length": 10 << 20, "parts": 2 })
            .to_string();
    let response = record
        .request("in parts", service, ("POST", "/uploads"), &[JSON], &parts)
        .await;
    let id = response.json()["upload_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let key = keys::parts(&Tenant::default(), id.parse().expect("an id"));
    assert!(
        service
            .room
            .memory
            .put_part(&key, 2, Bytes::from(vec![b' '; 5 << 20]))
    );
    id
}
