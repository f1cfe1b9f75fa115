//! Responses to requests that are rejected.

use cloakroom_http::Site;
use serde_json::json;

use super::record::{Record, cors_service, cors_service_with};
use super::submissions::{ACT, JSON, KEY, in_parts};
use crate::service::Service;

const KEEP: (&str, &str) = ("POST", "/commands/image.keep?width=1");
const STRICT: (&str, &str) = ("POST", "/commands/act.strictly");
const PNG: (&str, &str) = ("content-type", "image/png");
pub(super) const UNKNOWN: &str = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";

pub(super) async fn commands(record: &mut Record) {
    let service = cors_service();
    service.act("answer", &[KEY]).await;
    let long = " ".repeat(21);
    let (small, large) = (
        service.uploaded("image/png", b"x").await,
        service.uploaded("image/png", &[0; 1001]).await,
    );
    let parts = in_parts(record, &service).await;
    for (situation, line, headers, body) in [
        (
            "another type",
            ("POST", "/commands/act.out"),
            &[JSON][..],
            "{}",
        ),
        ("no type", ("POST", "/commands/%FF"), &[JSON], "{}"),
        ("no key", STRICT, &[JSON], "{}"),
        ("a bad key", ACT, &[JSON, ("idempotency-key", "a b")], "{}"),
        (
            "a key in a bad string",
            ACT,
            &[JSON, ("idempotency-key", "\"a")],
            "{}",
        ),
        ("two keys", ACT, &[JSON, KEY, KEY], "{}"),
        (
            "a key that was used",
            ACT,
            &[JSON, KEY],
            "{\"act\":\"fail\"}",
        ),
        ("no time", ACT, &[JSON, ("not-before", "soon")], "{}"),
        (
            "two times",
            ACT,
            &[JSON, ("not-before", "x"), ("not-before", "x")],
            "{}",
        ),
        (
            "too late a time",
            ACT,
            &[JSON, ("not-before", "2027-11-21T08:00:00Z")],
            "{}",
        ),
        (
            "two conditions at once",
            ACT,
            &[JSON, ("if-match", "*, *")],
            "{}",
        ),
        (
            "a condition in bad form",
            ACT,
            &[JSON, ("if-none-match", "x")],
            "{}",
        ),
        (
            "a condition that does not hold",
            ACT,
            &[JSON, KEY, ("if-none-match", "*")],
            "{}",
        ),
        ("malformed", ACT, &[JSON], "{"),
        ("invalid", ACT, &[JSON], "{\"act\":\"dance\"}"),
        (
            "an unknown parameter",
            ("POST", "/commands/act?x=1"),
            &[JSON],
            "{}",
        ),
        (
            "an invalid parameter",
            ("POST", "/commands/image.keep?width=101"),
            &[PNG],
            "x",
        ),
        ("too long", STRICT, &[JSON, KEY], &long),
        ("another media type", ACT, &[PNG], "{}"),
        ("one media type of several", KEEP, &[JSON], "x"),
        (
            "an encoding",
            ACT,
            &[JSON, ("content-encoding", "gzip")],
            "x",
        ),
    ] {
        record
            .request(situation, &service, line, headers, body)
            .await;
    }
    commands_with_uploads(record, &service, [&small, &large, &parts]).await;
}

/// Names uploads of these ids in commands: a small one, one over the limit, and one whose parts are missing.
async fn commands_with_uploads(
    record: &mut Record,
    service: &Service,
    [small, large, parts]: [&str; 3],
) {
    for (situation, line, headers, body) in [
        ("an unknown upload", KEEP, &[("upload-id", UNKNOWN)][..], ""),
        ("an upload without an id", KEEP, &[("upload-id", "x")], ""),
        (
            "two uploads",
            KEEP,
            &[("upload-id", small), ("upload-id", small)],
            "",
        ),
        ("an upload and a body", KEEP, &[("upload-id", small)], "x"),
        (
            "an upload that is too long",
            KEEP,
            &[("upload-id", large)],
            "",
        ),
        ("parts are missing", ACT, &[("upload-id", parts)], ""),
    ] {
        record
            .request(situation, service, line, headers, body)
            .await;
    }
}

pub(super) async fn uploads(record: &mut Record) {
    let service = cors_service();
    let post = ("POST", "/uploads");
    let (of_one_byte, long) = (
        r#"{"content_type":"a/b","content_length":1}"#,
        " ".repeat(16 * 1024 + 1),
    );
    for (situation, headers, body) in [
        ("malformed", &[JSON][..], "{"),
        (
            "invalid",
            &[JSON],
            r#"{"content_type":"b","content_length":0,"sha256":"x","parts":0,"a/b~":1}"#,
        ),
        ("no object", &[JSON], "1"),
        (
            "too many parts",
            &[JSON],
            r#"{"content_type":"a/b","content_length":1,"parts":2}"#,
        ),
        (
            "too few parts",
            &[JSON],
            r#"{"content_type":"a/b","content_length":5368709121,"parts":1}"#,
        ),
        (
            "too long",
            &[JSON],
            r#"{"content_type":"a/b","content_length":5497558138881}"#,
        ),
        ("too long a description", &[JSON], &long),
        ("another media type", &[PNG], "x"),
        (
            "a condition in bad form",
            &[JSON, ("if-match", "x")],
            of_one_byte,
        ),
        (
            "a condition that does not hold",
            &[JSON, ("if-match", "*")],
            of_one_byte,
        ),
    ] {
        record
            .request(situation, &service, post, headers, body)
            .await;
    }
    let id = in_parts(record, &service).await;
    for (situation, query) in [
        ("no part", "from=0"),
        ("two parts", "from=1&from=2"),
        ("no such parameter", "x=1"),
    ] {
        record
            .request(
                situation,
                &service,
                ("GET", &format!("/uploads/{id}?{query}")),
                &[],
                "",
            )
            .await;
    }
    for (situation, query) in [
        ("no key", ""),
        ("two keys", "?client_job_id=a&client_job_id=b"),
        ("a bad key", "?client_job_id=a%20b"),
        ("no such parameter", "?x=1"),
    ] {
        record
            .request(
                situation,
                &service,
                ("GET", &format!("/jobs{query}")),
                &[],
                "",
            )
            .await;
    }
}

/// Tries each route with an unknown id, an unknown caller, another method and preconditions, in an outage and in a panic.
pub(super) async fn every_route(record: &mut Record) {
    let service = cors_service();
    let location = service.finished_job("answer").await;
    let next = service.accepted_job("answer", &[]).await;
    let id = in_parts(record, &service).await;
    let (unknown_caller, panics) = (
        cors_service_with(Site::default().tenant(|_| None)),
        cors_service_with(Site::default().tenant(|_| panic!("x"))),
    );
    let upload =
        json!({ "content_type": "a/b", "content_length": 10 << 20, "parts": 2 }).to_string();
    for (method, path, body) in [
        ("POST", "/commands/act", "{}"),
        ("POST", "/uploads", &upload),
        ("GET", &format!("/uploads/{id}"), ""),
        ("GET", "/jobs?client_job_id=order-1042", ""),
        ("GET", &location, ""),
        ("DELETE", &next, ""),
        ("GET", &format!("{location}/history"), ""),
        ("GET", &format!("{location}/result"), ""),
        ("GET", "/openapi.json", ""),
        ("GET", "/", ""),
        ("GET", "/commands", ""),
    ] {
        record
            .request("of nobody", &unknown_caller, (method, path), &[JSON], body)
            .await;
        record
            .request("a panic", &panics, (method, path), &[JSON], body)
            .await;
        for condition in ["\"stale\"", "x"] {
            let headers = [JSON, ("if-match", condition)];
            record
                .request(
                    &format!("if-match: {condition}"),
                    &service,
                    (method, path),
                    &headers,
                    body,
                )
                .await;
        }
        service
            .room
            .memory
            .down(&["load", "accept", "change", "keep_upload", "upload"]);
        record
            .request(
                "without its services",
                &service,
                (method, path),
                &[JSON],
                body,
            )
            .await;
        service.room.memory.calm();
        record
            .request("another method", &service, ("PUT", path), &[], "")
            .await;
        record
            .request("which methods", &service, ("OPTIONS", path), &[], "")
            .await;
        let preflight = [("access-control-request-method", method)];
        record
            .request("preflight", &service, ("OPTIONS", path), &preflight, "")
            .await;
        let ids = [
            location.trim_start_matches("/jobs/"),
            next.trim_start_matches("/jobs/"),
            &id,
        ];
        let unknown = ids
            .iter()
            .fold(path.to_owned(), |path, id| path.replace(id, UNKNOWN));
        if unknown != path {
            record
                .request("unknown", &service, (method, &unknown), &[], "")
                .await;
        }
    }
    record
        .request("nowhere", &service, ("GET", "/nowhere"), &[], "")
        .await;
    record
        .request("the whole service", &service, ("OPTIONS", "*"), &[], "")
        .await;
}
