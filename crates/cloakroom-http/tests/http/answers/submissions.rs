//! Answers to commands and uploads that are accepted.

use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::ports::{Objects as _, keys};
use cloakroom_core::Tenant;
use serde_json::json;

use super::record::{Record, house};
use crate::house::House;

pub(super) const ACT: (&str, &str) = ("POST", "/commands/act");
pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const KEY: (&str, &str) = ("idempotency-key", "order-1042");
pub(super) const PAGE: (&str, &str) = ("accept", "text/html");

pub(super) async fn commands(record: &mut Record) {
    for act in ["answer", "fail", "refuse"] {
        let house = house();
        let body = &format!("{{\"act\":\"{act}\"}}");
        record.ask("new", &house, ACT, &[JSON, KEY], body).await;
        record.ask("again", &house, ACT, &[JSON, KEY], body).await;
        house.room.work_until_idle().await;
        record
            .ask(
                &format!("again, over: {act}"),
                &house,
                ACT,
                &[JSON, KEY],
                body,
            )
            .await;
    }
    let house = house();
    record
        .ask("a form", &house, ACT, &[JSON, KEY, PAGE], "{}")
        .await;
    record
        .ask("a form, again", &house, ACT, &[JSON, KEY, PAGE], "{}")
        .await;
    record
        .ask(
            "respond-async",
            &house,
            ACT,
            &[JSON, ("prefer", "respond-async")],
            "{}",
        )
        .await;
    let location = record
        .ask("wait=1", &house, ACT, &[JSON, ("prefer", "wait=1")], "{}")
        .await;
    house
        .ask("DELETE", location.header("location"), &[], Body::empty())
        .await;
    house.room.work_until_idle().await;
    let waits = [JSON, ("prefer", "wait=5")];
    tokio::join!(
        record.ask("wait=5, over", &house, ACT, &waits, "{}"),
        house.room.work_until_idle()
    );
    let cancelled = record
        .ask("new", &house, ACT, &[JSON, ("idempotency-key", "k")], "{}")
        .await;
    house
        .ask("DELETE", cancelled.header("location"), &[], Body::empty())
        .await;
    record
        .ask(
            "again, cancelled",
            &house,
            ACT,
            &[JSON, ("idempotency-key", "k")],
            "{}",
        )
        .await;
    let id = uploaded(&house, "image/png", b"png").await;
    record
        .ask(
            "an upload",
            &house,
            ("POST", "/commands/image.keep?width=1"),
            &[("upload-id", &id)],
            "",
        )
        .await;
}

pub(super) async fn uploads(record: &mut Record) {
    let house = house();
    let whole = json!({ "content_type": "image/png", "content_length": 3 }).to_string();
    record
        .ask("whole", &house, ("POST", "/uploads"), &[JSON], &whole)
        .await;
    let id = in_parts(record, &house).await;
    record
        .ask(
            "a part is there",
            &house,
            ("GET", &format!("/uploads/{id}")),
            &[],
            "",
        )
        .await;
}

/// Asks for an upload of two parts, and sends the second.
pub(super) async fn in_parts(record: &mut Record, house: &House) -> String {
    let parts =
        json!({ "content_type": "application/json", "content_length": 10 << 20, "parts": 2 })
            .to_string();
    let answer = record
        .ask("in parts", house, ("POST", "/uploads"), &[JSON], &parts)
        .await;
    let id = answer.json()["upload_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let key = keys::parts(&Tenant::default(), id.parse().expect("an id"));
    assert!(
        house
            .room
            .memory
            .put_part(&key, 2, Bytes::from(vec![b' '; 5 << 20]))
    );
    id
}

/// Uploads these bytes; the id.
pub(super) async fn uploaded(house: &House, content_type: &str, bytes: &'static [u8]) -> String {
    let asked = json!({ "content_type": content_type, "content_length": bytes.len() });
    let upload = house
        .ask("POST", "/uploads", &[JSON], asked.to_string())
        .await
        .json();
    let url = upload["url"]
        .as_str()
        .expect("a url")
        .trim_start_matches("https://objects.example/")
        .to_owned();
    house
        .room
        .memory
        .put(&url, content_type, Bytes::from_static(bytes))
        .await
        .expect("put");
    upload["upload_id"].as_str().expect("an id").to_owned()
}
