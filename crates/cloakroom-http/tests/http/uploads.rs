//! Section 7: `POST /uploads`.

use axum::body::Body;
use bytes::Bytes;
use cloakroom_app::ports::keys;
use cloakroom_core::Tenant;
use serde_json::{Value, json};

use crate::service::{Response, Service, service, service_with};

async fn ask(body: impl Into<String>) -> Response {
    service()
        .request(
            "POST",
            "/uploads",
            &[("content-type", "application/json; charset=utf-8")],
            body.into(),
        )
        .await
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_made_ready_with_a_link_that_takes_it() {
    let sha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let response = ask(
        json!({ "content_type": "image/png", "content_length": 73_400_320, "sha256": sha256 })
            .to_string(),
    )
    .await;
    assert_eq!(
        (response.status, response.header("cache-control")),
        (201, "no-store")
    );
    insta::assert_json_snapshot!(response.json());
    for body in [
        json!({ "content_type": "a/b", "content_length": 1, "sha256": null }),
        json!({ "content_type": "a/b", "content_length": 5_368_709_120_u64 }),
    ] {
        assert_eq!(ask(body.to_string()).await.status, 201);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_by_pointers_all_at_once() {
    let response = ask(r#"{"content_type":"png","content_length":0,"sha256":"x","a/b":1}"#).await;
    response.problem(422, "invalid-payload");
    insta::assert_json_snapshot!(response.json());
    for (body, pointer) in [
        (json!([]), ""),
        (json!({ "content_length": 1 }), "/content_type"),
        (
            json!({ "content_type": 1, "content_length": 1 }),
            "/content_type",
        ),
        (json!({ "content_type": "a/b" }), "/content_length"),
        (
            json!({ "content_type": "a/b", "content_length": -1 }),
            "/content_length",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1.5 }),
            "/content_length",
        ),
        (
            json!({ "content_type": "a/b", "content_length": "1" }),
            "/content_length",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "sha256": 1 }),
            "/sha256",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "sha256": "AAAA" }),
            "/sha256",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "parts": 0 }),
            "/parts",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "parts": 1.5 }),
            "/parts",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "parts": "1" }),
            "/parts",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "parts": 10_001 }),
            "/parts",
        ),
        (
            json!({ "content_type": "a/b", "content_length": 1, "parts": 2 }),
            "/parts",
        ),
    ] {
        let problem = ask(body.to_string()).await.problem(422, "invalid-payload");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_at_most_5_tib_and_described_in_a_little_json() {
    for length in ["5497558138881", "1e30", "99999999999999999999999"] {
        let body = format!(r#"{{"content_type":"a/b","content_length":{length}}}"#);
        assert_eq!(
            ask(body).await.problem(413, "payload-too-large")["limit"],
            5_497_558_138_880_u64
        );
    }
    ask(" ".repeat(20_000))
        .await
        .problem(413, "payload-too-large");
    let malformed: Value = ask("{\n?").await.problem(400, "malformed-json");
    assert_eq!(
        (&malformed["line"], &malformed["column"]),
        (&json!(2), &json!(1))
    );
    let other = service()
        .request("POST", "/uploads", &[("content-type", "image/png")], "png")
        .await;
    other.problem(415, "unsupported-media-type");
    assert_eq!(other.header("accept-post"), "application/json");
}

const MIB: u64 = 1024 * 1024;

/// Asks for an upload in parts.
async fn ask_for_parts(service: &Service, terms: &Value) -> Response {
    service
        .request(
            "POST",
            "/uploads",
            &[("content-type", "application/json")],
            terms.to_string(),
        )
        .await
}

/// Returns the number and the length of each part, and true if it is uploaded.
fn parts(response: &Response) -> Vec<(u64, u64, bool)> {
    let response = response.json();
    let parts = response["parts"].as_array().expect("parts").iter();
    parts
        .map(|part| {
            let uploaded = part["uploaded"].as_bool().expect("whether");
            assert_eq!(
                (part["url"].is_string(), part["headers"].is_object()),
                (!uploaded, !uploaded),
                "{part}"
            );
            let number = |name: &str| part[name].as_u64().expect("a number");
            (number("number"), number("content_length"), uploaded)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_has_a_link_for_each_and_can_be_looked_at() {
    let service = service_with(cloakroom_http::Site::from_base_url("/v1"));
    let terms = json!({ "content_type": "image/png", "content_length": 10 * MIB + 1, "parts": 2 });
    let response = ask_for_parts(&service, &terms).await;
    assert_eq!(
        (response.status, response.header("cache-control")),
        (201, "no-store")
    );
    insta::assert_json_snapshot!(response.json());
    let id = response.json()["upload_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let place = response.header("location").to_owned();
    assert_eq!(place, format!("/v1/uploads/{id}"));
    let key = keys::parts(&Tenant::default(), id.parse().expect("an id"));
    assert!(
        service
            .room
            .memory
            .put_part(&key, 2, Bytes::from(vec![0; 5 << 20]))
    );
    let looked = service.get(&place, &[]).await;
    assert_eq!(
        (looked.status, looked.header("cache-control")),
        (200, "no-store")
    );
    assert_eq!(
        parts(&looked),
        [(1, 5 * MIB + 1, false), (2, 5 * MIB, true)]
    );
    assert_eq!(
        parts(&service.get(&format!("{place}?from=2"), &[]).await),
        [(2, 5 * MIB, true)]
    );
    assert_eq!(
        service
            .request("HEAD", &place, &[], Body::empty())
            .await
            .status,
        200
    );
    service
        .get(&format!("{place}?from=0"), &[])
        .await
        .problem(400, "invalid-request");
    let early = service
        .request(
            "POST",
            "/v1/commands/image.keep?width=1",
            &[("upload-id", &id)],
            Body::empty(),
        )
        .await;
    let problem = early.problem(413, "payload-too-large");
    assert_eq!(
        problem["detail"],
        "the payload has more than 1000 bytes, the limit of this command's uploads (POST /v1/uploads); send a smaller one"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_in_parts_keeps_the_checksum_that_its_client_declared() {
    let service = service();
    let digest = cloakroom_core::Digest::from_content(b"");
    // In base64.
    let sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let terms = json!({ "content_type": "image/png", "content_length": 10 * MIB, "sha256": sha256, "parts": 2 });
    let id = ask_for_parts(&service, &terms).await.json()["upload_id"].clone();
    let id = id.as_str().and_then(|id| id.parse().ok()).expect("an id");
    let store = &service.room.submit.shared.store;
    let record = store.upload(&Tenant::default(), id).await;
    let kept = record.expect("memory").expect("a record").terms.sha256;
    assert_eq!(kept, Some(digest));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_comes_before_all_parts_is_rejected_with_the_missing_ones() {
    let service = service_with(cloakroom_http::Site::from_base_url("/v1"));
    let terms =
        json!({ "content_type": "application/json", "content_length": 40 * MIB, "parts": 8 });
    let response = ask_for_parts(&service, &terms).await;
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
    let early = service
        .request(
            "POST",
            "/commands/act",
            &[("upload-id", &id)],
            Body::empty(),
        )
        .await;
    let problem = early.problem(422, "upload-not-found");
    assert_eq!(
        problem["detail"],
        "of the 8 parts of this upload, these are missing: 1, 3, 4, 5, 6 and 2 more; GET /v1/uploads/{id} has links for them"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_over_5_gib_comes_in_parts_which_are_listed_page_by_page() {
    let service = service_with(cloakroom_http::Site::from_base_url("/v1"));
    let terms = |length: u64| json!({ "content_type": "a/b", "content_length": length });
    let response = ask_for_parts(&service, &terms(5 * 1024 * MIB + 1)).await;
    assert_eq!(
        (
            response.status,
            parts(&response).len(),
            &response.json()["next"]
        ),
        (201, 81, &Value::Null)
    );
    let response = ask_for_parts(&service, &terms(5 * 1024 * 1024 * MIB)).await;
    assert!(
        response.body.len() < 1_000_000,
        "{} bytes",
        response.body.len()
    );
    let (mut listed, mut page) = (parts(&response), response);
    while let Some(next) = page.json()["next"].as_str() {
        assert!(next.starts_with("/v1/uploads/"), "{next}");
        page = service.get(next, &[]).await;
        listed.extend(parts(&page));
    }
    assert_eq!(
        listed.iter().map(|(_, length, _)| length).sum::<u64>(),
        5 * 1024 * 1024 * MIB
    );
    assert!(
        listed.iter().map(|(number, ..)| *number).eq(1..=9_987),
        "{}",
        listed.len()
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_comes_in_as_many_parts_as_are_asked_for() {
    let service = service();
    for (asked, count) in [(json!(1), 1), (json!(2), 2), (json!(2.0), 2)] {
        let terms = json!({ "content_type": "a/b", "content_length": 10 * MIB, "parts": asked });
        let response = ask_for_parts(&service, &terms).await;
        assert_eq!(
            (response.status, parts(&response).len()),
            (201, count),
            "{asked}"
        );
        let looked = service.get(response.header("location"), &[]).await;
        assert_eq!((looked.status, parts(&looked).len()), (200, count));
    }
    let terms = json!({ "content_type": "a/b", "content_length": 10 * MIB, "parts": null });
    let whole = ask_for_parts(&service, &terms).await;
    assert_eq!((whole.status, whole.json().get("parts")), (201, None));
}

#[tokio::test(start_paused = true)]
async fn an_upload_of_5_gib_comes_in_one_part_and_any_has_at_most_10_000() {
    let service = service();
    let whole = ask_for_parts(
        &service,
        &json!({ "content_type": "a/b", "content_length": 5 * 1024 * MIB }),
    )
    .await;
    assert_eq!(
        (
            whole.status,
            whole.json().get("parts"),
            whole.header("location")
        ),
        (201, None, "")
    );
    let terms =
        json!({ "content_type": "a/b", "content_length": 10_000 * 5 * MIB, "parts": 10_000 });
    let response = ask_for_parts(&service, &terms).await;
    assert_eq!(
        (response.status, response.json()["part_length"].as_u64()),
        (201, Some(5 * MIB))
    );
}

#[tokio::test(start_paused = true)]
async fn a_number_of_parts_that_is_impossible_is_rejected_with_the_limit() {
    let ask = async |length: u64, parts: u32| {
        let terms = json!({ "content_type": "a/b", "content_length": length, "parts": parts });
        let problem = ask(terms.to_string()).await.problem(422, "invalid-payload");
        assert_eq!(problem["errors"][0]["pointer"], "/parts");
        problem["errors"][0]["detail"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let small = ask(100 * MIB, 21).await;
    assert_eq!(
        small,
        "must be at most 20: each part but the last has at least 5242880 bytes"
    );
    let large = ask(20 * 1024 * MIB, 3).await;
    assert_eq!(
        large,
        "must be at least 4: a part has at most 5368709120 bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_can_not_be_looked_at_is_unknown() {
    let service = service();
    let whole = ask_for_parts(
        &service,
        &json!({ "content_type": "a/b", "content_length": 1 }),
    )
    .await;
    assert_eq!(whole.header("location"), "");
    let whole = whole.json()["upload_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for id in [
        whole.as_str(),
        "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11",
        "x",
        "%FF",
    ] {
        service
            .get(&format!("/uploads/{id}"), &[])
            .await
            .problem(404, "unknown-upload");
    }
    service
        .get("/uploads/", &[])
        .await
        .problem(404, "not-found");
}

#[tokio::test(start_paused = true)]
async fn a_description_is_read_as_every_json_is() {
    let service = service();
    let headers = [("content-type", "application/json")];
    for (body, line, column) in [
        ("", 1, 1),
        ("{\n", 2, 1),
        ("{\"content_type\":\"日本語\", x}", 1, 24),
        ("\u{feff}x", 1, 1),
    ] {
        let problem = service
            .request("POST", "/uploads", &headers, body)
            .await
            .problem(400, "malformed-json");
        assert_eq!(
            (&problem["line"], &problem["column"]),
            (&json!(line), &json!(column)),
            "{body:?}"
        );
    }
    let body = "\u{feff}{\"content_type\":\"image/png\",\"content_length\":3.0}";
    for content_type in ["application/json", "Application/JSON ; charset=utf-8"] {
        let headers = [("content-type", content_type)];
        let response = service.request("POST", "/uploads", &headers, body).await;
        assert_eq!(response.status, 201, "{content_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_matches_nothing_before_it_is_there() {
    let service = service();
    let body = r#"{"content_type":"image/png","content_length":3}"#;
    for matched in ["*", "\"x\""] {
        let response = service
            .request("POST", "/uploads", &[("if-match", matched)], body)
            .await;
        response.problem(412, "precondition-failed");
    }
    service
        .request("POST", "/uploads", &[("if-match", "*")], "{}")
        .await
        .problem(422, "invalid-payload");
    assert_eq!(
        service
            .request("POST", "/uploads", &[("if-none-match", "*")], body)
            .await
            .status,
        201
    );
}
