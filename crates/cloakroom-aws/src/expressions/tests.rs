use std::time::Duration;

use cloakroom_app::testing::new_job;
use cloakroom_core::transition::Claim;
use cloakroom_core::{
    AttemptEnd, Failure, Lease, LeaseToken, Progress, RetryPolicy, Status, Success,
};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_248_000_120);
const TOKEN: &str = "00000000-0000-4000-8000-000000000001";

fn token() -> LeaseToken {
    TOKEN.parse().expect("an id")
}

/// Returns the expressions with placeholders replaced by their names and values.
fn shown(transition: &Transition) -> String {
    let Update {
        condition,
        changes,
        placeholders,
    } = update(transition);
    let (names, values) = placeholders.into_parts();
    let names = names.unwrap_or_default();
    let mut depth = 0;
    let mut changed = String::new();
    for c in changes.replace(" REMOVE ", "\nREMOVE ").chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        changed.push(c);
        if c == ',' && depth == 0 {
            changed.push_str("\n   ");
        }
    }
    let lines = format!("if {condition}\n{changed}").replace(" AND ", "\nand ");
    let of_a_word = |c: char| c.is_ascii_alphanumeric() || "#:_".contains(c);
    let mut left: Vec<_> = names.keys().chain(values.keys()).collect();
    let mut text = String::new();
    for piece in lines.split_inclusive(|c| !of_a_word(c)) {
        let word = piece.trim_end_matches(|c| !of_a_word(c));
        left.retain(|placeholder| *placeholder != word);
        let shown = match (names.get(word), values.get(word)) {
            (Some(name), _) => name.clone(),
            (_, Some(AttributeValue::S(value))) => format!("'{value}'"),
            (_, Some(AttributeValue::N(value))) => value.clone(),
            (_, Some(AttributeValue::L(steps))) => {
                format!(
                    "{:?}",
                    steps
                        .iter()
                        .map(|step| step.as_s().expect("text"))
                        .collect::<Vec<_>>()
                )
            }
            (_, Some(_)) => "bytes".into(),
            (None, None) => word.to_owned(),
        };
        text.push_str(&shown);
        text.push_str(&piece[word.len()..]);
    }
    assert!(
        left.is_empty(),
        "DynamoDB refuses placeholders that are not used: {left:?}"
    );
    text
}

#[test]
fn each_of_many_values_has_a_placeholder_of_its_own() {
    let mut placeholders = Placeholders::default();
    let mut expression = Expression::new(&mut placeholders);
    for n in 0..40 {
        expression.value(number(n)).text(" ");
    }
    let text = expression.finish();
    let (_, values) = placeholders.into_parts();
    let shown = text
        .split_whitespace()
        .map(|placeholder| &values[placeholder]);
    let want: Vec<_> = (0..40).map(number).collect();
    assert!(shown.eq(&want), "{text}");
}

#[test]
fn a_claim_is_one_update() {
    let claim = Claim {
        created_at: NOW,
        lease: Lease {
            token: token(),
            message_id: "m-1".into(),
            ends_at: Some(NOW),
            isolation: cloakroom_core::Isolation::Shared,
        },
        lease_time: Duration::from_secs(30),
        max_attempts: 3,
    };
    insta::assert_snapshot!(shown(&Transition::claim(&claim, NOW)), @r#"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('accepted', 'retrying')
        and created_at = 1795248000120
        and ready_at <= 1795248000120
        and attempt < 3
        SET version = version + 1,
            updated_at = 1795248000120,
            expires_at = 1796457601 + retention,
            status = 'running',
            history = list_append(if_not_exists(history, []), ["1795248000120 claim"]),
            lease_ends_at = 1795248000120,
            lease_token = '00000000-0000-4000-8000-000000000001',
            lease_message = 'm-1',
            attempt = attempt + 1,
            started_at = if_not_exists(started_at, 1795248000120),
            ready_at = 1795248030120
        REMOVE lease_alone,
            progress,
            progress_message,
            estimated_finish_at
    "#);
}

#[test]
fn a_sign_of_life_leaves_the_progress_as_it_is() {
    insta::assert_snapshot!(shown(&Transition::renew(token(), Duration::from_secs(30), None, NOW)), @"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('running', 'cancelling')
        and lease_token = '00000000-0000-4000-8000-000000000001'
        SET version = version + 1,
            updated_at = 1795248000120,
            expires_at = 1796457601 + retention,
            ready_at = 1795248030120
    ");
}

#[test]
fn a_report_without_message_and_estimate_takes_those_of_the_last_away() {
    let report = (
        Progress {
            percent: 12.5,
            message: None,
        },
        None,
    );
    insta::assert_snapshot!(shown(&Transition::renew(token(), Duration::from_secs(30), Some(report), NOW)), @"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('running', 'cancelling')
        and lease_token = '00000000-0000-4000-8000-000000000001'
        SET version = version + 1,
            updated_at = 1795248000120,
            expires_at = 1796457601 + retention,
            ready_at = 1795248030120,
            progress = 12.5
        REMOVE progress_message,
            estimated_finish_at
    ");
}

#[test]
fn a_success_writes_all_that_is_known_of_the_result() {
    let end = AttemptEnd::Done(Success {
        result: Some(cloakroom_core::ResultRef::Inline {
            content_type: "text/plain".into(),
            bytes: b"x".to_vec(),
        }),
        resource: None,
        published: vec![],
    });
    let job = new_job(NOW, 1);
    insta::assert_snapshot!(shown(&Transition::settle(&job, token(), end, &RetryPolicy::default(), NOW, 0.5)), @r#"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('running', 'cancelling')
        and lease_token = '00000000-0000-4000-8000-000000000001'
        SET version = version + 1,
            updated_at = 1795248000120,
            expires_at = 1795248001 + retention,
            status = 'succeeded',
            history = list_append(if_not_exists(history, []), ["1795248000120 succeed"]),
            finished_at = 1795248000120,
            result = 'inline',
            result_type = 'text/plain',
            result_bytes = bytes
        REMOVE result_key,
            result_length,
            result_sha256,
            result_seconds,
            resource
    "#);
}

#[test]
fn a_failure_is_written_in_its_parts() {
    let end = AttemptEnd::Terminal(
        Failure::new("the printer is out of paper")
            .with_code("no-paper")
            .with_status(422),
    );
    let job = new_job(NOW, 1);
    insta::assert_snapshot!(shown(&Transition::settle(&job, token(), end, &RetryPolicy::default(), NOW, 0.5)), @r#"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('running', 'cancelling')
        and lease_token = '00000000-0000-4000-8000-000000000001'
        SET version = version + 1,
            updated_at = 1795248000120,
            expires_at = 1795248001 + retention,
            status = 'failed',
            history = list_append(if_not_exists(history, []), ["1795248000120 fail no-paper: the printer is out of paper"]),
            finished_at = 1795248000120,
            failure_status = 422,
            failure_code = 'no-paper',
            failure_detail = 'the printer is out of paper'
    "#);
}

#[test]
fn a_job_that_is_sent_back_loses_all_that_its_attempts_left() {
    let mut job = new_job(NOW, 1);
    job.version = 5;
    job.history = vec!["1795248000000 claim".parse().expect("a step")];
    insta::assert_snapshot!(shown(&Transition::redrive(&job, NOW)), @r#"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('failed')
        and version = 5
        SET version = version + 1,
            updated_at = 1795248000120,
            expires_at = 1796457601 + retention,
            status = 'accepted',
            attempt = 0,
            history = ["1795248000000 claim", "1795248000120 redrive"],
            ready_at = 1795248000120
        REMOVE lease_token,
            lease_message,
            lease_ends_at,
            lease_alone,
            progress,
            progress_message,
            estimated_finish_at,
            started_at,
            finished_at,
            failure_status,
            failure_code,
            failure_detail
    "#);
}

/// Returns a transition with every member of guard and patch but one: a restart replaces most of the patch.
fn with_everything() -> Transition {
    let step = |text: &str| text.parse::<cloakroom_core::Step>().expect("a step");
    let at = |second| NOW.after(Duration::from_secs(second));
    let lease = Lease {
        token: "00000000-0000-4000-8000-000000000002"
            .parse()
            .expect("an id"),
        message_id: "m-1".into(),
        ends_at: Some(at(1)),
        isolation: cloakroom_core::Isolation::Alone,
    };
    let guard = Guard {
        alive_at: NOW,
        statuses: vec![Status::Running],
        created_at: Some(at(2)),
        token: Some(token()),
        ready_by: Some(at(3)),
        attempts_below: Some(3),
        version: Some(7),
    };
    let patch = Patch {
        updated_at: at(4),
        status: Some(Status::Succeeded),
        begin: Some(lease),
        uncounted: 1,
        ready_at: Some(at(5)),
        progress: Some((Progress::new(50.0, Some("half".into())), Some(at(6)))),
        finished_at: Some(at(7)),
        success: Some(Success::default()),
        failure: Some(Failure::new("the printer is out of paper")),
        anew: None,
        kept: Some(vec![step("1795248000000 claim")]),
        step: Some(step("1795248000120 defer")),
    };
    Transition { guard, patch }
}

type Removal = fn(&mut Transition);

#[test]
fn every_member_of_guard_and_patch_counts_whatever_the_others_are() {
    let all = shown(&with_everything());
    insta::assert_snapshot!(all, @r#"
        if attribute_exists(pk)
        and v <= 1
        and expires_at > 1795248000
        and status IN ('running')
        and created_at = 1795248002120
        and lease_token = '00000000-0000-4000-8000-000000000001'
        and ready_at <= 1795248003120
        and attempt < 3
        and version = 7
        SET version = version + 1,
            updated_at = 1795248004120,
            expires_at = 1795248005 + retention,
            status = 'succeeded',
            history = ["1795248000000 claim", "1795248000120 defer"],
            lease_ends_at = 1795248001120,
            lease_alone = bytes,
            lease_token = '00000000-0000-4000-8000-000000000002',
            lease_message = 'm-1',
            attempt = attempt - 1,
            started_at = if_not_exists(started_at, 1795248004120),
            progress = 50,
            progress_message = 'half',
            estimated_finish_at = 1795248006120,
            ready_at = 1795248005120,
            finished_at = 1795248007120,
            result = 'none',
            failure_status = 400,
            failure_code = 'job-failed',
            failure_detail = 'the printer is out of paper'
        REMOVE result_type,
            result_bytes,
            result_key,
            result_length,
            result_sha256,
            result_seconds,
            resource
    "#);
    let without: &[(&str, Removal)] = &[
        ("created_at", |it| it.guard.created_at = None),
        ("token", |it| it.guard.token = None),
        ("ready_by", |it| it.guard.ready_by = None),
        ("attempts_below", |it| it.guard.attempts_below = None),
        ("version", |it| it.guard.version = None),
        ("status", |it| it.patch.status = None),
        ("begin", |it| it.patch.begin = None),
        ("uncounted", |it| it.patch.uncounted = 0),
        ("ready_at", |it| it.patch.ready_at = None),
        ("progress", |it| it.patch.progress = None),
        ("finished_at", |it| it.patch.finished_at = None),
        ("success", |it| it.patch.success = None),
        ("failure", |it| it.patch.failure = None),
        ("kept", |it| it.patch.kept = None),
        ("step", |it| it.patch.step = None),
    ];
    for (member, remove) in without {
        let mut transition = with_everything();
        remove(&mut transition);
        assert_ne!(shown(&transition), all, "{member}");
    }
    let mut restart = with_everything();
    restart.patch.anew = Some(vec![]);
    assert_ne!(shown(&restart), all);
}

#[test]
fn a_guard_without_statuses_never_holds() {
    let mut transition = Transition::withdraw(NOW);
    transition.guard.statuses = vec![];
    let condition = update(&transition).condition;
    assert!(
        condition.contains("attribute_exists(pk)")
            && condition.contains("attribute_not_exists(pk)"),
        "{condition}"
    );
    transition.guard.statuses = Status::ALL.to_vec();
    assert!(
        !update(&transition)
            .condition
            .contains("attribute_not_exists")
    );
}

proptest! {
    #[test]
    fn whole_seconds_tell_the_living_from_the_expired_to_the_millisecond(expires_at in -10_i64..10, millis in -12_000_i64..12_000) {
        let mut job = new_job(NOW, 1);
        job.expires_at = Timestamp::from_seconds(expires_at);
        let time = Timestamp::from_millis(millis);
        let AttributeValue::N(second) = expiry_second(time) else { panic!("a number") };
        prop_assert_eq!(expires_at > second.parse::<i64>().expect("a number"), job.is_alive(time));
    }
}
