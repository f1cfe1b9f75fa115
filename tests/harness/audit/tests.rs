use cloakroom_core::Timestamp;
use serde_json::{Value, json};

use super::*;

const ID: &str = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_248_000 + seconds)
}

/// Returns a job one second after its acceptance, with additional members.
fn job(more: Value) -> JobView {
    let mut job = json!({
        "id": ID, "type": "diagnostic.run", "status": "accepted", "attempt": 0, "created_at": seconds(0),
        "updated_at": seconds(1), "expires_at": seconds(90_000), "links": { "self": "", "result": "" },
    });
    let (Value::Object(job), Value::Object(more)) = (&mut job, more) else {
        unreachable!("both are objects")
    };
    job.extend(more);
    serde_json::from_value(Value::from(job.clone())).expect("a job")
}

fn succeeded() -> JobView {
    job(
        json!({"status": "succeeded", "attempt": 1, "result": 7, "updated_at": seconds(3), "finished_at": seconds(3)}),
    )
}

fn failed(code: &str, attempt: u32) -> JobView {
    let error = json!({"code": code, "detail": "", "status": 400});
    job(
        json!({"status": "failed", "attempt": attempt, "error": error, "updated_at": seconds(3), "finished_at": seconds(3)}),
    )
}

fn history(job: JobView, events: &[&str]) -> HistoryView {
    let step = |event: &&str| json!({"at": seconds(0), "event": event, "attempt": 1});
    HistoryView {
        job,
        history: events
            .iter()
            .map(|it| serde_json::from_value(step(it)).expect("a step"))
            .collect(),
    }
}

fn sight(etag: &str, job: JobView) -> Sight {
    Sight {
        etag: etag.to_owned(),
        job,
    }
}

fn story(wish: Wish, sights: Vec<Sight>) -> Story {
    Story {
        key: "k".into(),
        id: ID.into(),
        wish,
        promised: true,
        cancelled: false,
        sights,
        wrongs: vec![],
    }
}

fn noted(lines: &[(&str, u32, i64)]) -> Vec<Entry> {
    let line = |(mark, attempt, at): &(&str, u32, i64)| {
        format!("{mark} {ID} {attempt} 42 {}\n", seconds(*at).as_millis())
    };
    Ledger::read(&lines.iter().map(line).collect::<String>())
        .of(ID)
        .to_vec()
}

fn found(story: &Story, last: &HistoryView, lines: &[(&str, u32, i64)]) -> String {
    wrongs(story, last, &noted(lines), Duration::from_secs(10)).join("; ")
}

#[test]
fn nothing_is_wrong_with_a_job_that_went_well() {
    let sights = vec![sight("a-1", job(json!({}))), sight("a-3", succeeded())];
    let told = history(succeeded(), &["accept", "claim", "succeed"]);
    let ran = [("began", 1, 1), ("did", 1, 2)];
    assert_eq!(
        found(&story(Wish::Result(json!(7)), sights), &told, &ran),
        ""
    );
}

#[test]
fn an_attempt_under_a_live_lease_and_a_job_swept_with_a_message_are_found() {
    for (events, second, is_found) in [
        (["accept", "claim", "claim"], 9, true),
        (["accept", "claim", "give-up"], 9, true),
        (["accept", "claim", "claim"], 10, false),
        (["accept", "claim", "retry"], 1, false),
    ] {
        let mut told = history(job(json!({"status": "failed", "attempt": 2})), &events);
        told.history[2].at = seconds(second);
        let found = found(&story(Wish::Crash, vec![]), &told, &[]);
        assert_eq!(
            found.contains("from a worker with a lease"),
            is_found,
            "{found}"
        );
    }
    let told = history(failed("never-started", 0), &["accept", "sweep"]);
    for promised in [true, false] {
        let found = found(
            &Story {
                promised,
                ..story(Wish::Crash, vec![])
            },
            &told,
            &[],
        );
        assert_eq!(found.contains("was swept"), promised, "{found}");
    }
}

#[test]
fn what_a_client_may_not_see_is_found() {
    let running = |attempt: u32| job(json!({"status": "running", "attempt": attempt}));
    for (before, after) in [
        (sight("a-2", running(1)), sight("a-1", job(json!({})))),
        (sight("a-2", running(1)), sight("b-3", running(1))),
        (sight("a-2", running(2)), sight("a-3", running(1))),
        (
            sight("a-2", running(1)),
            sight("a-3", job(json!({"attempt": 1}))),
        ),
        (sight("a-2", running(1)), sight("a-2", succeeded())),
        (
            sight("a-3", failed("worker-crashed", 1)),
            sight("a-4", succeeded()),
        ),
    ] {
        let told = history(succeeded(), &["accept", "claim", "succeed"]);
        let ran = [("began", 1, 1), ("did", 1, 2)];
        let found = found(
            &story(Wish::Result(json!(7)), vec![before, after]),
            &told,
            &ran,
        );
        assert!(found.contains("went backwards"), "{found}");
    }
}

#[test]
fn an_end_that_changes_or_comes_twice_or_not_at_all_is_found() {
    let seen = story(
        Wish::Result(json!(7)),
        vec![sight("a-3", failed("worker-crashed", 1))],
    );
    let ran = [("began", 1, 1), ("did", 1, 2)];
    let twice = found(
        &seen,
        &history(succeeded(), &["accept", "claim", "give-up", "succeed"]),
        &ran,
    );
    assert!(
        twice.contains("and changed to") && twice.contains("2 ends are recorded"),
        "{twice}"
    );
    let never = found(
        &story(Wish::Crash, vec![]),
        &history(job(json!({})), &["accept"]),
        &[],
    );
    assert!(never.contains("did not end: it is accepted"), "{never}");
}

#[test]
fn what_the_ledger_does_not_bear_out_is_found() {
    let told = history(succeeded(), &["accept", "claim", "succeed"]);
    let well = story(Wish::Result(json!(7)), vec![]);
    for (ran, what) in [
        (&[("began", 1, 1)][..], "did nothing"),
        (
            &[("began", 1, 1), ("began", 1, 1), ("did", 1, 2)],
            "ran twice",
        ),
        (&[("did", 1, 2), ("did", 1, 2)], "ran twice"),
        (&[("did", 1, 2), ("began", 2, 4)], "not recorded"),
        (&[("began", 1, 1), ("did", 1, 17)], "ran on after its end"),
    ] {
        let found = found(&well, &told, ran);
        assert!(found.contains(what), "{what}: {found}");
    }
    let cancelled = job(json!({"status": "cancelled", "finished_at": seconds(3)}));
    let asked = Story {
        cancelled: true,
        ..well
    };
    let found = found(
        &asked,
        &history(cancelled, &["accept", "withdraw"]),
        &[("began", 1, 2)],
    );
    assert!(
        found.contains("not recorded"),
        "a job that was cancelled before it began: {found}"
    );
}

#[test]
fn an_end_that_is_not_the_truth_is_found() {
    let claimed = ["accept", "claim", "fail"];
    for (wish, last, ran, what) in [
        (
            Wish::Result(json!(8)),
            history(succeeded(), &["claim", "succeed"]),
            "did",
            "not asked for",
        ),
        (
            Wish::ResultAfter("no-ink", json!(7)),
            history(succeeded(), &["claim", "succeed"]),
            "did",
            "not asked for",
        ),
        (
            Wish::Crash,
            history(succeeded(), &["claim", "succeed"]),
            "did",
            "not asked for",
        ),
        (
            Wish::Failure("no-paper"),
            history(failed("worker-crashed", 0), &["fail"]),
            "began",
            "nothing makes it",
        ),
        (
            Wish::Failure("no-paper"),
            history(failed("never-started", 1), &claimed),
            "began",
            "nothing makes it",
        ),
        (
            Wish::Failure("no-paper"),
            history(failed("no-pencil", 1), &claimed),
            "began",
            "nothing makes it",
        ),
        (
            Wish::Bytes(1),
            history(failed("no-paper", 1), &claimed),
            "began",
            "nothing makes it",
        ),
        (
            Wish::ResultAfter("no-ink", json!(7)),
            history(failed("no-ink", 1), &claimed),
            "began",
            "nothing makes it",
        ),
        (
            Wish::Bytes(1),
            history(job(json!({"status": "cancelled"})), &["withdraw"]),
            "",
            "nobody asked",
        ),
    ] {
        let ran: Vec<_> = Some((ran, 1, 1))
            .into_iter()
            .filter(|(mark, ..)| !mark.is_empty())
            .collect();
        let found = found(&story(wish, vec![]), &last, &ran);
        assert!(found.contains(what), "{what}: {found}");
    }
    let buried = history(failed("no-ink", 1), &["accept", "claim", "retry", "bury"]);
    assert_eq!(
        found(
            &story(Wish::ResultAfter("no-ink", json!(7)), vec![]),
            &buried,
            &[("began", 1, 1)]
        ),
        ""
    );
    let never = found(
        &story(Wish::Failure("no-paper"), vec![]),
        &history(failed("no-paper", 1), &claimed),
        &[],
    );
    assert!(never.contains("never ran"), "{never}");
    let met = Story {
        wrongs: vec!["a ticket is unknown".into()],
        ..story(Wish::Crash, vec![])
    };
    assert_eq!(
        found(&met, &history(failed("worker-crashed", 1), &claimed), &[]),
        "a ticket is unknown"
    );
}
