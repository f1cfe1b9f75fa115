//! Section 7: `POST /uploads`.

use serde_json::{Value, json};

use crate::house::{Answer, house};

async fn ask(body: impl Into<String>) -> Answer {
    house().ask("POST", "/uploads", &[("content-type", "application/json; charset=utf-8")], body.into()).await
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_made_ready_with_a_link_that_takes_it() {
    let sha256 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let answer =
        ask(json!({ "content_type": "image/png", "content_length": 73_400_320, "sha256": sha256 }).to_string()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"));
    insta::assert_json_snapshot!(answer.json());
    for body in [
        json!({ "content_type": "a/b", "content_length": 1, "sha256": null }),
        json!({ "content_type": "a/b", "content_length": 5_368_709_120_u64 }),
    ] {
        assert_eq!(ask(body.to_string()).await.status, 201);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_by_pointers_all_at_once() {
    let answer = ask(r#"{"content_type":"png","content_length":0,"sha256":"x","a/b":1}"#).await;
    answer.problem(422, "invalid-payload");
    insta::assert_json_snapshot!(answer.json());
    for (body, pointer) in [
        (json!([]), ""),
        (json!({ "content_length": 1 }), "/content_type"),
        (json!({ "content_type": 1, "content_length": 1 }), "/content_type"),
        (json!({ "content_type": "a/b" }), "/content_length"),
        (json!({ "content_type": "a/b", "content_length": -1 }), "/content_length"),
        (json!({ "content_type": "a/b", "content_length": 1.5 }), "/content_length"),
        (json!({ "content_type": "a/b", "content_length": "1" }), "/content_length"),
        (json!({ "content_type": "a/b", "content_length": 1, "sha256": 1 }), "/sha256"),
        (json!({ "content_type": "a/b", "content_length": 1, "sha256": "AAAA" }), "/sha256"),
    ] {
        let problem = ask(body.to_string()).await.problem(422, "invalid-payload");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_at_most_5_gib_and_described_in_a_little_json() {
    for length in ["5368709121", "1e30", "99999999999999999999999"] {
        let body = format!(r#"{{"content_type":"a/b","content_length":{length}}}"#);
        assert_eq!(ask(body).await.problem(413, "payload-too-large")["limit"], 5_368_709_120_u64);
    }
    ask(" ".repeat(20_000)).await.problem(413, "payload-too-large");
    let malformed: Value = ask("{\n?").await.problem(400, "malformed-json");
    assert_eq!((&malformed["line"], &malformed["column"]), (&json!(2), &json!(1)));
    let other = house().ask("POST", "/uploads", &[("content-type", "image/png")], "png").await;
    other.problem(415, "unsupported-media-type");
    assert_eq!(other.header("accept-post"), "application/json");
}
