use cloakroom_app::testing::new_job;
use cloakroom_core::listeners::{EventContext, EventScope, PublishedEvent, WebhookListener};
use cloakroom_core::transition::Event;
use cloakroom_core::{Digest, Progress, Resource, Status};

use super::*;

/// Returns an item that version 1 wrote. Never change existing attributes: stored items have them.
fn item_of_version_1() -> Item {
    let attributes = [
        ("pk", text("job#acme#0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11")),
        ("v", number(1)),
        ("tenant", text("acme")),
        ("id", text("0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11")),
        ("client_job_id", text("order-1042")),
        ("type", text("thumbnail.create")),
        ("fingerprint", blob(&[7; 32])),
        ("retention", number(86_400)),
        ("status", text("succeeded")),
        ("version", number(5)),
        ("attempt", number(2)),
        ("lease_token", text("00000000-0000-4000-8000-000000000001")),
        ("lease_message", text("m-1")),
        ("ready_at", number(1_795_248_030_120_i64)),
        ("progress", number(100)),
        ("progress_message", text("done")),
        ("estimated_finish_at", number(1_795_248_008_000_i64)),
        ("created_at", number(1_795_248_000_120_i64)),
        ("started_at", number(1_795_248_001_000_i64)),
        ("updated_at", number(1_795_248_009_500_i64)),
        ("finished_at", number(1_795_248_009_000_i64)),
        ("expires_at", number(1_795_334_409)),
        ("result", text("stored")),
        ("result_type", text("image/png")),
        ("result_key", text("results/acme/1/2")),
        ("result_length", number(1_099_511_627_776_u64)),
        ("result_sha256", blob(&[9; 32])),
        ("result_seconds", number(7200)),
        ("resource", text("/thumbnails/7")),
        ("failure_status", number(422)),
        ("failure_code", text("no-paper")),
        ("failure_detail", text("the printer is out of paper")),
        ("lease_ends_at", number(1_795_248_056_000_i64)),
        (
            "history",
            AttributeValue::L(vec![
                text("1795248001000 claim"),
                text("1795248002000 retry no-paper: the printer is out of paper"),
            ]),
        ),
    ];
    attributes
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn job_of_version_1() -> Job {
    Job {
        tenant: "acme".parse().expect("a good name"),
        id: "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11"
            .parse()
            .expect("an id"),
        client_job_id: Some("order-1042".parse().expect("a good name")),
        command: "thumbnail.create".parse().expect("a good name"),
        fingerprint: Fingerprint::from_digest(Digest::from_bytes([7; 32])),
        retention: Duration::from_secs(86_400),
        status: Status::Succeeded,
        version: 5,
        attempt: 2,
        lease: Some(Lease {
            token: "00000000-0000-4000-8000-000000000001"
                .parse()
                .expect("an id"),
            message_id: "m-1".into(),
            ends_at: Some(Timestamp::from_millis(1_795_248_056_000)),
            isolation: Isolation::Shared,
        }),
        ready_at: Timestamp::from_millis(1_795_248_030_120),
        progress: Some(Progress {
            percent: 100.0,
            message: Some("done".into()),
        }),
        estimated_finish_at: Some(Timestamp::from_millis(1_795_248_008_000)),
        created_at: Timestamp::from_millis(1_795_248_000_120),
        started_at: Some(Timestamp::from_millis(1_795_248_001_000)),
        updated_at: Timestamp::from_millis(1_795_248_009_500),
        finished_at: Some(Timestamp::from_millis(1_795_248_009_000)),
        expires_at: Timestamp::from_seconds(1_795_334_409),
        success: Some(Success {
            result: Some(ResultRef::Stored {
                content_type: "image/png".into(),
                key: "results/acme/1/2".into(),
                length: 1_099_511_627_776,
                sha256: Digest::from_bytes([9; 32]),
                retention: Some(Duration::from_secs(7200)),
            }),
            resource: Some(Resource::parse("/thumbnails/7").expect("a good place")),
            published: vec![],
        }),
        failure: Some(Failure {
            status: 422,
            code: "no-paper".into(),
            detail: "the printer is out of paper".into(),
        }),
        history: vec![
            Step::new(Event::Claim, Timestamp::from_millis(1_795_248_001_000)),
            Step {
                at: Timestamp::from_millis(1_795_248_002_000),
                event: Event::Retry,
                reason: Some("no-paper: the printer is out of paper".into()),
            },
        ],
        events: None,
    }
}

#[test]
fn a_record_of_version_1_is_read() {
    assert_eq!(read(&item_of_version_1()), Ok(job_of_version_1()));
}

#[test]
fn a_lease_of_an_attempt_that_runs_alone_comes_back_as_one() {
    let mut job = job_of_version_1();
    job.lease.as_mut().expect("it ran").isolation = Isolation::Alone;
    let item = write(&job);
    assert_eq!(
        item.get(name::LEASE_ALONE),
        Some(&AttributeValue::Bool(true))
    );
    assert_eq!(read(&item), Ok(job));
}

#[test]
fn a_record_is_written_as_version_1() {
    assert_eq!(write(&job_of_version_1()), item_of_version_1());
}

#[test]
fn a_new_job_comes_back_as_it_was_written() {
    let mut job = new_job(Timestamp::from_millis(1_795_248_000_120), 1);
    assert_eq!(read(&write(&job)), Ok(job.clone()));
    job.client_job_id = None;
    job.success = Some(Success::default());
    assert_eq!(read(&write(&job)), Ok(job.clone()));
    job.success = Some(Success {
        result: None,
        resource: Some(Resource::parse("/thumbnails/7").expect("a good place")),
        published: vec![PublishedEvent {
            kind: "movie.created".to_owned(),
            data: serde_json::json!({ "n": 1 }),
        }],
    });
    assert_eq!(read(&write(&job)), Ok(job));
}

/// The filter of the stream reads the attribute.
#[test]
fn a_job_notifies_of_the_most_that_any_of_its_listeners_wants() {
    let webhook = |scope| {
        let url = "https://a.example/".to_owned();
        Some(WebhookListener { url, scope })
    };
    let (terminal, all) = (EventScope::Terminal, EventScope::All);
    for (bus, webhook, reply_to, notify) in [
        (None, None, None, None),
        (Some(terminal), None, None, Some("terminal")),
        (None, webhook(all), None, Some("all")),
        (None, None, Some("orders"), Some("terminal")),
        (Some(terminal), webhook(all), None, Some("all")),
        (Some(all), webhook(terminal), None, Some("all")),
    ] {
        let mut job = job_of_version_1();
        job.events = Some(Box::new(EventContext {
            bus,
            webhook,
            reply_to: reply_to.map(|name| name.parse().expect("a name")),
            ..EventContext::default()
        }));
        let item = write(&job);
        assert_eq!(item.get(name::NOTIFY), notify.map(text).as_ref());
        assert_eq!(read(&item), Ok(job));
    }
}

#[test]
fn attributes_that_are_not_known_are_passed_over() {
    let mut item = item_of_version_1();
    item.insert("priority".into(), number(3));
    item.insert("labels".into(), AttributeValue::Ss(vec!["blue".into()]));
    assert_eq!(read(&item), Ok(job_of_version_1()));
}

#[test]
fn steps_that_are_not_known_are_passed_over() {
    let mut item = item_of_version_1();
    let Some(AttributeValue::L(steps)) = item.get_mut("history") else {
        panic!("a list")
    };
    steps.extend([text("1795248003000 teleport"), number(7)]);
    assert_eq!(read(&item), Ok(job_of_version_1()));
}

#[test]
fn a_record_of_a_later_version_is_refused_in_clear_words() {
    let mut item = item_of_version_1();
    item.insert("v".into(), number(2));
    let error = read(&item).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the record is of version 2, and this program knows versions up to 1: deploy the later program"
    );
}

#[test]
fn a_record_without_a_part_it_must_have_names_that_part() {
    let may_be_absent = [
        "pk",
        "client_job_id",
        "progress",
        "progress_message",
        "estimated_finish_at",
        "started_at",
        "finished_at",
        "result",
        "result_seconds",
        "resource",
        "failure_code",
        "lease_ends_at",
        "history",
    ];
    for name in item_of_version_1().keys() {
        let mut item = item_of_version_1();
        item.remove(name);
        match read(&item) {
            Ok(_) => assert!(
                may_be_absent.contains(&name.as_str()),
                "{name} may be absent"
            ),
            Err(error) => {
                assert!(
                    error.to_string().contains(&format!("no attribute {name}")),
                    "{error}"
                );
                assert!(!may_be_absent.contains(&name.as_str()), "{error}");
            }
        }
    }
}

#[test]
fn a_part_of_the_wrong_kind_is_named() {
    for name in item_of_version_1().keys().filter(|name| *name != "pk") {
        let mut item = item_of_version_1();
        item.insert(name.clone(), AttributeValue::Bool(true));
        let error = read(&item).expect_err(name).to_string();
        assert!(
            error.starts_with(&format!("attribute {name} of the record is not")),
            "{error}"
        );
    }
    for (name, value) in [
        ("status", text("paused")),
        ("fingerprint", blob(&[7; 31])),
        ("version", number(-1)),
        ("id", text("0D5F1C0E-8A51-8F0B-9C6E-2F4F2F7C9A11")),
        ("result", text("lost")),
        ("failure_status", number(673)),
        ("failure_status", number(200)),
        ("failure_code", text("No paper")),
        ("resource", text("javascript:alert(1)")),
    ] {
        let mut item = item_of_version_1();
        item.insert(name.into(), value);
        let error = read(&item).expect_err(name).to_string();
        assert!(
            error.starts_with(&format!("attribute {name} of the record is not")),
            "{error}"
        );
    }
}

#[test]
fn a_status_that_says_to_ask_again_or_otherwise_is_read_as_a_400() {
    for status in [401, 405, 407, 408, 425, 426, 429] {
        let mut item = item_of_version_1();
        item.insert("failure_status".into(), number(status));
        let job = read(&item).expect("a record that an earlier program wrote");
        assert_eq!(
            job.failure.map(|failure| failure.status),
            Some(400),
            "{status}"
        );
    }
}

#[test]
fn a_percentage_that_is_none_is_brought_into_its_bounds() {
    for (value, read_as) in [
        ("NaN", 0.0),
        ("1e400", 0.0),
        ("101", 100.0),
        ("-1", 0.0),
        ("1e-200", 0.0),
    ] {
        let mut item = item_of_version_1();
        item.insert("progress".into(), AttributeValue::N(value.into()));
        let percent = read(&item)
            .expect("a job")
            .progress
            .map(|progress| progress.percent);
        assert_eq!(percent, Some(read_as), "{value}");
    }
}

#[test]
fn a_percentage_is_a_number_that_dynamodb_takes() {
    for (value, written) in [
        (33.333, "33.333"),
        (100.0, "100"),
        (-0.0, "0"),
        (5e-324, "0"),
        (1e-100, "0"),
        (f64::NAN, "0"),
        (0.1 + 0.2, "0.30000000000000004"),
    ] {
        assert_eq!(percent(value), AttributeValue::N(written.into()));
    }
}
