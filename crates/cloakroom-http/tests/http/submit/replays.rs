//! Keys and conditions: which submission is a new job, which one is answered by an earlier one, and which is rejected.

use axum::body::Body;

use super::{JSON, KEY, PNG, WAIT};
use crate::service::service;

#[tokio::test(start_paused = true)]
async fn the_same_again_is_answered_as_a_poll_and_makes_no_second_job() {
    for (act, status, code) in [
        ("answer", 200, ""),
        ("fail", 400, "job-failed"),
        ("refuse", 422, "out-of-paper"),
    ] {
        let service = service();
        let first = service.act(act, &[KEY]).await;
        let again = service
            .act(act, &[("idempotency-key", "\"order-1042\"")])
            .await;
        assert_eq!(
            (
                again.status,
                again.header("idempotent-replayed"),
                again.json()
            ),
            (202, "true", first.json())
        );
        service.room.work_until_idle().await;
        let (polled, again) = (
            service.get(first.header("location"), &[]).await,
            service.act(act, &[KEY]).await,
        );
        assert_eq!(
            (again.status, polled.status, polled.json()),
            (status, status, again.json())
        );
        assert_eq!(
            (
                again.header("idempotent-replayed"),
                again.header("location")
            ),
            ("true", first.header("location"))
        );
        if !code.is_empty() {
            assert_eq!(again.problem(status, code)["job"]["id"], first.json()["id"]);
        }
        service.room.memory.only_job();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_replayed_as_gone() {
    let service = service();
    let location = service.accepted_job("answer", &[KEY]).await;
    service
        .request("DELETE", &location, &[], Body::empty())
        .await;
    let again = service.act("answer", &[KEY]).await;
    again.problem(410, "job-cancelled");
    assert_eq!(
        (
            again.header("idempotent-replayed"),
            again.header("location")
        ),
        ("true", location.as_str())
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_used_for_another_command_is_rejected() {
    let service = service();
    service.act("answer", &[KEY]).await;
    service
        .act("fail", &[KEY])
        .await
        .problem(422, "idempotency-key-reused");
    let image = ("idempotency-key", "image-1");
    assert_eq!(
        service
            .request("POST", "/commands/image.keep?width=1", &[PNG, image], "x")
            .await
            .status,
        202
    );
    let response = service
        .request("POST", "/commands/image.keep?width=2", &[PNG, image], "x")
        .await;
    response.problem(422, "idempotency-key-reused");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_key_or_a_missing_required_one_is_rejected() {
    let service = service();
    for bad in ["", "a b", "\"", "\"\"", &"k".repeat(256)] {
        service
            .act("answer", &[("idempotency-key", bad)])
            .await
            .problem(400, "invalid-idempotency-key");
    }
    service
        .act("answer", &[KEY, KEY])
        .await
        .problem(400, "invalid-idempotency-key");
    service
        .request("POST", "/commands/act.strictly", &[JSON], "{}")
        .await
        .problem(400, "idempotency-key-required");
    assert_eq!(
        service
            .request("POST", "/commands/act.strictly", &[JSON, KEY], "{}")
            .await
            .status,
        202
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_must_be_new_is_not_replayed() {
    let service = service();
    let star = ("if-none-match", "*");
    let first = service.act("answer", &[KEY, star]).await;
    assert_eq!(first.status, 202);
    service.room.memory.calls();
    service
        .act("answer", &[KEY, star])
        .await
        .problem(412, "precondition-failed");
    service
        .act("answer", &[KEY, ("if-none-match", first.header("etag"))])
        .await
        .problem(412, "precondition-failed");
    assert_eq!(
        service.room.memory.calls(),
        ["accept", "accept"],
        "no second message"
    );
    assert_eq!(
        service
            .act("answer", &[KEY, ("if-none-match", "\"other\"")])
            .await
            .header("idempotent-replayed"),
        "true"
    );
    service
        .act("fail", &[KEY, star])
        .await
        .problem(422, "idempotency-key-reused");
    assert_eq!(
        service.act("answer", &[star]).await.status,
        202,
        "without a key there is no job"
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_must_match_is_replayed_and_never_accepted() {
    let service = service();
    for headers in [
        &[("if-match", "*")][..],
        &[KEY, ("if-match", "*")],
        &[KEY, ("if-match", "\"x\"")],
        &[KEY, ("if-match", "\"é\"")],
    ] {
        service
            .act("answer", headers)
            .await
            .problem(412, "precondition-failed");
    }
    assert!(
        !service.room.memory.calls().contains(&"accept"),
        "nothing was recorded"
    );
    let first = service.act("answer", &[KEY]).await;
    for matched in ["*", first.header("etag")] {
        let again = service.act("answer", &[KEY, ("if-match", matched)]).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (202, "true"),
            "{matched}"
        );
    }
    service
        .act("answer", &[KEY, ("if-match", "\"x\"")])
        .await
        .problem(412, "precondition-failed");
    service
        .act("fail", &[KEY, ("if-match", "*")])
        .await
        .problem(422, "idempotency-key-reused");
    service.room.work_until_idle().await;
    service
        .act("answer", &[KEY, ("if-match", first.header("etag"))])
        .await
        .problem(412, "precondition-failed");
    service.room.memory.only_job();
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_rejected_before_any_condition_is_checked() {
    let service = service();
    service
        .act("dance", &[KEY, ("if-match", "*")])
        .await
        .problem(422, "invalid-payload");
    service
        .act("answer", &[KEY, ("if-match", "x")])
        .await
        .problem(400, "invalid-request");
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_is_skipped_and_belongs_to_the_fingerprint() {
    let service = service();
    assert_eq!(
        service
            .request("POST", "/commands/act", &[JSON, KEY], "\u{feff}{}")
            .await
            .status,
        202
    );
    service
        .request("POST", "/commands/act", &[JSON, KEY], "{}")
        .await
        .problem(422, "idempotency-key-reused");
    assert_eq!(
        service
            .request("POST", "/commands/act", &[JSON, KEY], "\u{feff}{}")
            .await
            .header("idempotent-replayed"),
        "true"
    );
    service.room.work_until_idle().await;
    assert_eq!(service.room.memory.only_job().status.as_str(), "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_replay_of_a_finished_job_is_no_asynchronous_response() {
    let headers = [("prefer", "respond-async"), KEY];
    for (act, finished) in [("answer", 200), ("fail", 400), ("refuse", 422)] {
        let service = service();
        for (status, applied) in [(202, "respond-async"), (finished, "")] {
            let response = service.act(act, &headers).await;
            assert_eq!(response.status, status);
            assert_eq!(response.header("preference-applied"), applied);
            service.room.work_until_idle().await;
        }
    }
    let service = service();
    let accepted = service.act("answer", &[KEY]).await;
    let location = accepted.header("location");
    service
        .request("DELETE", location, &[], Body::empty())
        .await;
    let cancelled = service.act("answer", &headers).await;
    cancelled.problem(410, "job-cancelled");
    assert_eq!(cancelled.header("preference-applied"), "");
}

#[tokio::test(start_paused = true)]
async fn a_replay_waits_for_the_end_as_a_new_command_does() {
    let service = service();
    let wait = [KEY, WAIT[0]];
    assert_eq!(service.act("answer", &[KEY]).await.status, 202);
    let (again, ()) = tokio::join!(service.act("answer", &wait), service.work_soon());
    let headers = ["idempotent-replayed", "preference-applied"].map(|name| again.header(name));
    assert_eq!((again.status, headers), (200, ["true", "wait=10"]));
}
