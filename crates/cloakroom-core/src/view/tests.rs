//! Given a job in any status, when it is shown, then its document contains the current state, and no earlier state.

use std::time::Duration;

use serde_json::{Value, json, to_value};

use super::*;
use crate::job::tests::accepted;
use crate::transition::Claim;
use crate::{
    AttemptEnd, Digest, Failure, Isolation, Lease, LeaseToken, Problem, Progress, Resource,
    RetryPolicy, Success, Transition,
};

const ID: &str = "00000000-0000-0000-0000-000000000001";

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn token() -> LeaseToken {
    LeaseToken::from_uuid(uuid::Uuid::from_u128(1))
}

fn claimed(job: &Job, now: Timestamp) -> Job {
    let lease = Lease {
        token: token(),
        message_id: "m".into(),
        ends_at: None,
        isolation: Isolation::Shared,
    };
    let claim = Claim {
        created_at: job.created_at,
        lease,
        lease_time: Duration::from_secs(30),
        max_attempts: 9,
    };
    Transition::claim(&claim, now)
        .apply(job)
        .expect("it is free")
}

fn ended(job: &Job, end: AttemptEnd, now: Timestamp) -> Job {
    let policy = RetryPolicy {
        max_attempts: 9,
        ..RetryPolicy::default()
    };
    Transition::settle(job, token(), end, &policy, now, 1.0)
        .apply(job)
        .expect("the lease holds")
}

fn out_of_paper() -> Failure {
    Failure::new("out of paper")
        .with_code("no-paper")
        .with_status(409)
}

fn retried(job: &Job, now: Timestamp) -> Job {
    ended(
        job,
        AttemptEnd::Retryable {
            failure: out_of_paper(),
            after: Some(Duration::from_secs(60)),
        },
        now,
    )
}

fn failed(job: &Job, now: Timestamp) -> Job {
    ended(job, AttemptEnd::Terminal(out_of_paper()), now)
}

fn succeeded(job: &Job, success: Success, now: Timestamp) -> Job {
    ended(job, AttemptEnd::Done(success), now)
}

fn half_done(job: &Job, now: Timestamp) -> Job {
    let report = (Progress::new(50.0, Some("half".into())), Some(at(90)));
    Transition::renew(token(), Duration::from_secs(30), Some(report), now)
        .apply(job)
        .expect("the lease holds")
}

/// Returns the document without its version, which is checked here.
fn shown(job: &Job) -> Value {
    let mut document = to_value(JobView::from_job(job, "/v1")).expect("JSON");
    let members = document.as_object_mut().expect("an object");
    assert_eq!(members.remove("version"), Some(json!(job.version)));
    document
}

/// Returns the document of an accepted job with these members replaced; `null` removes one.
fn document(members: &Value) -> Value {
    let mut document = json!({
        "id": ID, "client_job_id": "order-1042", "type": "diagnostic.run", "status": "accepted", "attempt": 0,
        "created_at": at(0), "updated_at": at(0), "expires_at": at(86_400),
        "links": {
            "self": format!("/v1/jobs/{ID}"), "result": format!("/v1/jobs/{ID}/result"),
            "history": format!("/v1/jobs/{ID}/history"), "events": format!("/v1/jobs/{ID}/events"),
            "cancel": format!("/v1/jobs/{ID}"),
        },
    });
    let all = document.as_object_mut().expect("an object");
    for (name, value) in members.as_object().expect("an object") {
        if value.is_null() {
            _ = all.remove(name);
        } else {
            _ = all.insert(name.clone(), value.clone());
        }
    }
    document
}

fn links_of_the_end() -> Value {
    json!({
        "self": format!("/v1/jobs/{ID}"), "result": format!("/v1/jobs/{ID}/result"),
        "history": format!("/v1/jobs/{ID}/history"), "events": format!("/v1/jobs/{ID}/events"),
    })
}

#[test]
fn a_job_that_waits_says_so_and_when_it_may_begin() {
    let mut job = accepted(at(0));
    assert_eq!(shown(&job), document(&json!({})));
    job.client_job_id = None;
    assert_eq!(shown(&job), document(&json!({"client_job_id": null})));
    let mut later = accepted(at(0));
    later.ready_at = at(3600);
    assert_eq!(
        shown(&later),
        document(&json!({"not_before": at(3600), "expires_at": at(90_000)}))
    );
}

#[test]
fn a_job_that_runs_says_since_when_and_how_far_it_is() {
    let running = claimed(&accepted(at(0)), at(5));
    let begun = json!({
        "status": "running", "attempt": 1, "started_at": at(5), "updated_at": at(5), "expires_at": at(86_405),
    });
    assert_eq!(shown(&running), document(&begun));
    let mut half = begun.clone();
    half["progress"] = json!({"percent": 50.0, "message": "half"});
    (half["estimated_finish_at"], half["updated_at"]) = (json!(at(90)), json!(at(10)));
    half["expires_at"] = json!(at(86_410));
    assert_eq!(shown(&half_done(&running, at(10))), document(&half));
}

#[test]
fn a_job_that_is_being_cancelled_has_no_estimate_of_its_end() {
    let half = half_done(&claimed(&accepted(at(0)), at(5)), at(10));
    let cancelling = Transition::ask_to_cancel(at(11))
        .apply(&half)
        .expect("it runs");
    let members = json!({
        "status": "cancelling", "attempt": 1, "started_at": at(5), "updated_at": at(11), "expires_at": at(86_411),
        "progress": {"percent": 50.0, "message": "half"},
    });
    assert_eq!(shown(&cancelling), document(&members));
}

#[test]
fn a_job_that_is_retried_says_when_and_what_went_wrong() {
    let job = retried(
        &half_done(&claimed(&accepted(at(0)), at(5)), at(10)),
        at(20),
    );
    let members = json!({
        "status": "retrying", "attempt": 1, "started_at": at(5), "updated_at": at(20), "expires_at": at(86_420),
        "progress": {"percent": 50.0, "message": "half"}, "retry_at": at(80),
        "error": {"code": "no-paper", "detail": "out of paper", "status": 409},
    });
    assert_eq!(shown(&job), document(&members));
}

#[test]
fn an_attempt_after_a_failed_one_shows_nothing_of_it() {
    let job = claimed(
        &retried(
            &half_done(&claimed(&accepted(at(0)), at(5)), at(10)),
            at(20),
        ),
        at(80),
    );
    let members = json!({
        "status": "running", "attempt": 2, "started_at": at(5), "updated_at": at(80), "expires_at": at(86_480),
    });
    assert_eq!(shown(&job), document(&members));
    let cancelling = Transition::ask_to_cancel(at(81))
        .apply(&job)
        .expect("it runs");
    assert_eq!(shown(&cancelling)["error"], Value::Null);
    let done = succeeded(&job, Success::default(), at(90));
    assert_eq!(
        (&shown(&done)["error"], &shown(&done)["status"]),
        (&Value::Null, &json!("succeeded"))
    );
    let cancelled = Transition::withdraw(at(81))
        .apply(&retried(&job, at(80)))
        .expect("it waits");
    assert_eq!(
        (&shown(&cancelled)["error"], &shown(&cancelled)["retry_at"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_job_that_failed_says_why_and_offers_nothing_to_cancel() {
    let job = failed(&claimed(&accepted(at(0)), at(5)), at(20));
    let members = json!({
        "status": "failed", "attempt": 1, "started_at": at(5), "updated_at": at(20), "finished_at": at(20),
        "expires_at": at(86_420), "error": {"code": "no-paper", "detail": "out of paper", "status": 409},
        "links": links_of_the_end(),
    });
    assert_eq!(shown(&job), document(&members));
}

#[test]
fn a_job_that_was_sent_back_is_as_one_that_was_accepted() {
    let failed = failed(
        &half_done(&claimed(&accepted(at(0)), at(5)), at(10)),
        at(20),
    );
    let job = Transition::redrive(&failed, at(30))
        .apply(&failed)
        .expect("it failed");
    assert_eq!(
        shown(&job),
        document(&json!({"updated_at": at(30), "expires_at": at(86_430)}))
    );
    let again = claimed(&job, at(40));
    assert_eq!(
        (&shown(&again)["attempt"], &shown(&again)["started_at"]),
        (&json!(1), &json!(at(40)))
    );
}

#[test]
fn a_job_that_was_cancelled_says_when() {
    let job = Transition::withdraw(at(7))
        .apply(&accepted(at(0)))
        .expect("it waits");
    let members = json!({
        "status": "cancelled", "updated_at": at(7), "finished_at": at(7), "expires_at": at(86_407),
        "links": links_of_the_end(),
    });
    assert_eq!(shown(&job), document(&members));
}

#[test]
fn a_small_json_result_stands_in_the_document_and_any_other_has_a_link() {
    let url = format!("/v1/jobs/{ID}/result");
    let inline = |content_type: &str, bytes: &[u8]| ResultRef::Inline {
        content_type: content_type.into(),
        bytes: bytes.to_vec(),
    };
    let stored = |retention| ResultRef::Stored {
        content_type: "application/json".into(),
        key: "k".into(),
        length: 40_000,
        sha256: Digest::from_content(b"x"),
        retention,
    };
    let hour = Duration::from_secs(3600);
    for (result, members) in [
        (None, json!({})),
        (
            Some(inline("application/json", b"{\"a\":1}")),
            json!({"result": {"a": 1}}),
        ),
        (
            Some(inline("application/json", b"null")),
            json!({"result": null, "is_null": true}),
        ),
        (
            Some(inline("application/json", b"no JSON")),
            json!({"result_url": url}),
        ),
        (
            Some(inline("text/plain", b"{}")),
            json!({"result_url": url}),
        ),
        (Some(stored(None)), json!({"result_url": url})),
        (
            Some(stored(Some(hour))),
            json!({"result_url": url, "result_expires_at": at(3620)}),
        ),
    ] {
        let success = Success {
            result,
            resource: Some(Resource::parse("/reports/7").expect("a path")),
            published: vec![],
        };
        let shown = shown(&succeeded(
            &claimed(&accepted(at(0)), at(5)),
            success,
            at(20),
        ));
        let mut all = json!({
            "status": "succeeded", "attempt": 1, "started_at": at(5), "updated_at": at(20), "finished_at": at(20),
            "expires_at": at(86_420), "resource": "/reports/7", "links": links_of_the_end(),
        });
        all.as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("an object").clone());
        let mut document = document(&all);
        if document
            .as_object_mut()
            .expect("an object")
            .remove("is_null")
            .is_some()
        {
            document["result"] = Value::Null;
        }
        assert_eq!(shown, document);
    }
}

#[test]
fn a_document_is_read_as_it_was_written() {
    let job = half_done(&claimed(&accepted(at(0)), at(5)), at(10));
    let view = JobView::from_job(&job, "");
    assert_eq!(
        serde_json::from_value::<JobView>(to_value(&view).expect("JSON")).expect("a view"),
        view
    );
    assert_eq!(view.links.this, format!("/jobs/{ID}"));
}

#[test]
fn a_history_numbers_the_attempts_anew_after_a_redrive() {
    let first = retried(&claimed(&accepted(at(0)), at(5)), at(20));
    let second = failed(&claimed(&first, at(80)), at(90));
    let back = Transition::redrive(&second, at(100))
        .apply(&second)
        .expect("it failed");
    let deferred = ended(
        &claimed(&back, at(110)),
        AttemptEnd::Unavailable(Failure::unavailable("away")),
        at(111),
    );
    let job = succeeded(&claimed(&deferred, at(200)), Success::default(), at(201));
    let view = HistoryView::from_job(&job, "/v1");
    let steps: Vec<_> = view
        .history
        .iter()
        .map(|step| {
            (
                step.at.as_millis() / 1000,
                step.event.as_str(),
                step.attempt,
                step.reason.as_deref(),
            )
        })
        .collect();
    let no_paper = Some("no-paper: out of paper");
    let want = [
        (0, "accept", 0, None),
        (5, "claim", 1, None),
        (20, "retry", 1, no_paper),
        (80, "claim", 2, None),
        (90, "fail", 2, no_paper),
        (100, "redrive", 0, None),
        (110, "claim", 1, None),
        (111, "defer", 1, Some("storage-unavailable: away")),
        (200, "claim", 1, None),
        (201, "succeed", 1, None),
    ];
    assert_eq!(steps, want);
    assert_eq!(view.job, JobView::from_job(&job, "/v1"));
    let twice = claimed(&retried(&claimed(&deferred, at(200)), at(201)), at(300));
    let last = HistoryView::from_job(&twice, "")
        .history
        .pop()
        .expect("a step");
    assert_eq!((last.event.as_str(), last.attempt), ("claim", 2));
    let mut swept = deferred;
    swept.status = Status::Failed;
    let again = Transition::redrive(&swept, at(130))
        .apply(&swept)
        .expect("it failed");
    let last = HistoryView::from_job(&claimed(&again, at(140)), "")
        .history
        .pop()
        .expect("a step");
    assert_eq!((last.event.as_str(), last.attempt), ("claim", 1));
}

#[test]
fn a_tag_changes_with_every_change_and_every_incarnation() {
    let job = accepted(at(1));
    assert_eq!(etag(&job), "\"3e8-1\"");
    assert_eq!(etag(&claimed(&job, at(5))), "\"3e8-2\"");
    assert_eq!(etag(&accepted(at(2))), "\"7d0-1\"");
}

#[test]
fn a_job_that_failed_or_was_cancelled_is_a_problem_and_no_other_is() {
    let running = claimed(&accepted(at(0)), at(5));
    let failed = failed(&running, at(20));
    let problem = Problem::from_job(JobView::from_job(&failed, "/v1")).expect("a problem");
    assert_eq!(
        (
            problem.status,
            problem.code.as_str(),
            problem.detail.as_str()
        ),
        (409, "no-paper", "out of paper")
    );
    assert_eq!(
        (problem.title.as_str(), problem.type_uri.as_str()),
        ("The job failed", "urn:cloakroom:problem:job-failed")
    );
    assert_eq!(problem.instance, Some(format!("/v1/jobs/{ID}")));
    let shared = JobView::from_job(&failed, "/v1").shared_at("/shared/t", true);
    let shared = Problem::from_job(shared).expect("a problem");
    assert_eq!(shared.instance, None, "the link contains a ticket");
    assert_eq!(
        problem.job,
        Some(Box::new(JobView::from_job(&failed, "/v1")))
    );
    assert_eq!(problem.errors, []);
    let cancelled = Transition::withdraw(at(7))
        .apply(&accepted(at(0)))
        .expect("it waits");
    let problem = Problem::from_job(JobView::from_job(&cancelled, "/v1")).expect("a problem");
    assert_eq!(
        (problem.status, problem.code.as_str()),
        (410, "job-cancelled")
    );
    assert_eq!(
        (problem.instance.is_some(), problem.job.is_some()),
        (true, true)
    );
    let done = succeeded(&running, Success::default(), at(20));
    let cancelling = Transition::ask_to_cancel(at(11))
        .apply(&running)
        .expect("it runs");
    for job in [
        &accepted(at(0)),
        &running,
        &retried(&running, at(20)),
        &cancelling,
        &done,
    ] {
        assert_eq!(
            Problem::from_job(JobView::from_job(job, "")),
            None,
            "{:?}",
            job.status
        );
    }
}

#[test]
fn a_deferred_job_is_shown_with_the_number_of_its_attempt() {
    let away = AttemptEnd::Unavailable(Failure::unavailable("away"));
    let job = ended(&claimed(&accepted(at(0)), at(5)), away, at(10));
    assert_eq!((job.attempt, JobView::from_job(&job, "").attempt), (0, 1));
}

#[test]
fn a_correlation_id_is_shown_if_the_client_set_one() {
    let mut job = accepted(at(0));
    job.events = Some(Box::default());
    assert_eq!(shown(&job), document(&json!({})));
    job.events = Some(Box::new(crate::EventContext {
        correlation_id: Some("order-1042".parse().expect("an id")),
        ..crate::EventContext::default()
    }));
    assert_eq!(
        shown(&job),
        document(&json!({"correlation_id": "order-1042"}))
    );
}

#[test]
fn the_holder_of_a_link_is_shown_the_paths_that_the_link_opens() {
    let job = accepted(at(0));
    for (cancel, link) in [(true, json!("/shared/t")), (false, Value::Null)] {
        let view = to_value(JobView::from_job(&job, "/v1").shared_at("/shared/t", cancel));
        let links = view.expect("JSON")["links"].take();
        assert_eq!(links["self"], "/shared/t");
        assert_eq!(links["result"], "/shared/t/result");
        assert_eq!(links["events"], "/shared/t/events");
        assert_eq!(links["history"], Value::Null);
        assert_eq!(links["cancel"], link);
    }
}

#[test]
fn the_holder_of_a_link_is_shown_the_place_of_a_result_and_nothing_to_cancel_at_the_end() {
    let large = Success {
        result: Some(ResultRef::Stored {
            content_type: "application/json".to_owned(),
            key: "results/1".to_owned(),
            length: 40_000,
            sha256: Digest::from_content(b""),
            retention: None,
        }),
        ..Success::default()
    };
    for (success, place) in [
        (large, json!("/shared/t/result")),
        (Success::default(), Value::Null),
    ] {
        let job = succeeded(&claimed(&accepted(at(0)), at(5)), success, at(10));
        let view = to_value(JobView::from_job(&job, "/v1").shared_at("/shared/t", true));
        let view = view.expect("JSON");
        assert_eq!(view["links"]["cancel"], Value::Null);
        assert_eq!(view["result_url"], place);
    }
}

#[test]
fn a_delivery_is_shown_with_its_attempts_and_nothing_internal() {
    let mut log = crate::DeliveryLog::default();
    log.add(crate::DeliveryKind::Reply, "orders", 3, "-0", at(60));
    let shown = |log: &crate::DeliveryLog| {
        to_value(DeliveryView::from_delivery(&log.deliveries[0])).expect("JSON")
    };
    let mut want = json!({
        "id": "3-reply-0", "kind": "reply", "target": "orders", "state": "pending", "attempts": [], "next_at": at(60),
    });
    assert_eq!(shown(&log), want);
    log.claim("3-reply-0", at(70));
    let failed = crate::delivery::AttemptOutcome::NoResponse("no response".to_owned());
    log.record("3-reply-0", &failed, at(80), 0.0);
    want["attempts"] = json!([{ "at": at(80), "error": "no response" }]);
    want["next_at"] = json!(at(85));
    assert_eq!(shown(&log), want);
}
