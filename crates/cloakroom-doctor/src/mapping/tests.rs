use super::*;
use crate::command::somewhere;
use crate::finding::State;

const WORK: &str = "arn:aws:sqs:eu-west-1:1:work";
const STREAM: &str = "arn:aws:dynamodb:eu-west-1:1:table/jobs/stream/2026-11-21T08:00:00.000";
const ACCEPTED: &str = r#"{"dynamodb":{"NewImage":{"status":{"S":["accepted"]}}}}"#;

/// Returns a mapping as the template creates it.
fn right() -> Mapping {
    Mapping {
        uuid: "u-1".to_owned(),
        source: WORK.to_owned(),
        state: "Enabled".to_owned(),
        reports_failures: true,
        concurrency: Some(10),
        filters: vec![],
        bisects: false,
    }
}

/// Returns the mapping of the table's stream.
fn of_stream() -> Mapping {
    Mapping {
        source: STREAM.to_owned(),
        reports_failures: false,
        concurrency: None,
        filters: vec![ACCEPTED.to_owned()],
        bisects: true,
        ..right()
    }
}

/// Returns the findings that are not ok.
fn ill(
    link: Link,
    mappings: Vec<Mapping>,
    source: Source<'_>,
) -> Vec<(State, String, Option<String>)> {
    let mappings = Mappings(vec![(link.reader(), Answer::Is(mappings))]);
    let findings = judge(link, &mappings, Some(source), &somewhere());
    let ill = findings.into_iter().filter(|it| it.state != State::Ok);
    ill.map(|it| (it.state, it.found, it.fix)).collect()
}

fn judged(mappings: Vec<Mapping>) -> Vec<(State, String, Option<String>)> {
    ill(Link::Queue, mappings, Source::Arn(WORK))
}

fn judged_of_stream(mapping: Mapping) -> Vec<(State, String, Option<String>)> {
    ill(Link::Stream, vec![mapping], Source::Arn(STREAM))
}

const OF_QUEUES: [Link; 4] = [
    Link::Queue,
    Link::DeadLetters,
    Link::Lists,
    Link::Deliveries,
];

fn updating(change: &str) -> String {
    format!("aws lambda update-event-source-mapping --uuid u-1 {change} --region eu-west-1")
}

#[test]
fn mappings_as_the_template_makes_them_are_fine() {
    for link in OF_QUEUES {
        assert_eq!(ill(link, vec![right()], Source::Arn(WORK)), [], "{link:?}");
        assert_eq!(
            ill(link, vec![right()], Source::Url("http://localhost/1/work")),
            [],
            "{link:?}"
        );
    }
    assert_eq!(judged_of_stream(of_stream()), []);
}

#[test]
fn without_a_mapping_of_this_queue_nothing_is_done() {
    for (link, function, batch, concurrency) in [
        (Link::Queue, "worker", 5, 10),
        (Link::DeadLetters, "dead-letters", 10, 2),
        (Link::Lists, "sweeper", 1, 2),
        (Link::Deliveries, "deliver", 10, 10),
    ] {
        let fix = format!(
            "aws lambda create-event-source-mapping --function-name cloakroom-{function} --event-source-arn {WORK} \
             --batch-size {batch} --function-response-types ReportBatchItemFailures --scaling-config \
             MaximumConcurrency={concurrency} --region eu-west-1"
        );
        let none = ill(link, vec![of_stream()], Source::Arn(WORK));
        assert_eq!(
            none,
            [(
                State::Fail,
                "it does not exist".to_owned(),
                Some(fix.clone())
            )]
        );
        let other = Mapping {
            source: "arn:aws:sqs:eu-west-1:1:other".to_owned(),
            ..right()
        };
        let found = "it reads other instead of work".to_owned();
        assert_eq!(
            ill(link, vec![other], Source::Arn(WORK)),
            [(State::Fail, found, Some(fix))]
        );
    }
}

#[test]
fn a_stream_that_was_turned_off_and_on_is_another_one() {
    let old = Mapping {
        source: STREAM.replace("08:00", "07:00"),
        ..of_stream()
    };
    let [(State::Fail, found, Some(fix))] =
        &ill(Link::Stream, vec![right(), old], Source::Arn(STREAM))[..]
    else {
        panic!("one that can be fixed")
    };
    let want = "it reads jobs/stream/2026-11-21T07:00:00.000 instead of jobs/stream/2026-11-21T08:00:00.000";
    assert_eq!(found, want);
    let create = format!(
        "aws lambda create-event-source-mapping --function-name cloakroom-sweeper --event-source-arn {STREAM} \
         --starting-position TRIM_HORIZON --batch-size 1000 --maximum-batching-window-in-seconds 60 \
         --bisect-batch-on-function-error --filter-criteria "
    );
    assert!(fix.starts_with(&create), "{fix}");
}

#[test]
fn a_mapping_that_is_going_is_waited_for() {
    let found = "it is being deleted; wait until it no longer exists, then create another";
    let going = Mapping {
        state: "Deleting".to_owned(),
        ..right()
    };
    let judged = judged(vec![going]);
    assert_eq!(
        judged
            .iter()
            .map(|(state, found, _)| (*state, &**found))
            .collect::<Vec<_>>(),
        [(State::Fail, found)]
    );
}

#[test]
fn a_mapping_that_is_off_is_turned_on() {
    let off = |mapping| Mapping {
        state: "Disabled".to_owned(),
        ..mapping
    };
    let want = [(
        State::Fail,
        "Disabled".to_owned(),
        Some(updating("--enabled")),
    )];
    for link in OF_QUEUES {
        assert_eq!(
            ill(link, vec![off(right())], Source::Arn(WORK)),
            want,
            "{link:?}"
        );
    }
    assert_eq!(judged_of_stream(off(of_stream())), want);
    let soon = Mapping {
        state: "Enabling".to_owned(),
        ..right()
    };
    assert_eq!(
        judged(vec![soon]),
        [(State::Warn, "Enabling".to_owned(), None)]
    );
}

#[test]
fn without_reports_what_was_to_be_kept_is_deleted() {
    let fix = updating("--function-response-types ReportBatchItemFailures");
    let mute = Mapping {
        reports_failures: false,
        ..right()
    };
    for link in OF_QUEUES {
        let want = [(State::Fail, "it is off".to_owned(), Some(fix.clone()))];
        assert_eq!(
            ill(link, vec![mute.clone()], Source::Arn(WORK)),
            want,
            "{link:?}"
        );
    }
}

#[test]
fn a_burst_is_bounded() {
    let fix = updating("--scaling-config MaximumConcurrency=10");
    let unbounded = Mapping {
        concurrency: None,
        ..right()
    };
    assert_eq!(
        judged(vec![unbounded]),
        [(State::Warn, "it is not set".to_owned(), Some(fix))]
    );
}

#[test]
fn jobs_that_were_accepted_are_let_through_to_the_sweeper() {
    let fix = updating(&format!(
        "--filter-criteria '{}'",
        r#"{"Filters":[{"Pattern":"{\"dynamodb\":{\"NewImage\":{\"status\":{\"S\":[\"accepted\"]}}}}"}]}"#
    ));
    let running = ACCEPTED.replace("accepted", "running");
    let some = r#"{"eventName":["INSERT"]}"#.to_owned();
    for (filters, state, found) in [
        (vec![], State::Warn, "it does not exist".to_owned()),
        (vec![running.clone()], State::Fail, running.clone()),
        (
            vec![running.clone(), some.clone()],
            State::Warn,
            format!("{running} or {some}"),
        ),
    ] {
        let want = [(state, found, Some(fix.clone()))];
        assert_eq!(
            judged_of_stream(Mapping {
                filters,
                ..of_stream()
            }),
            want
        );
    }
    assert_eq!(
        judged_of_stream(Mapping {
            filters: vec![running, ACCEPTED.to_owned()],
            ..of_stream()
        }),
        []
    );
}

#[test]
fn a_batch_that_fails_comes_again_in_halves() {
    let whole = Mapping {
        bisects: false,
        ..of_stream()
    };
    let fix = updating("--bisect-batch-on-function-error");
    assert_eq!(
        judged_of_stream(whole),
        [(State::Warn, "it is off".to_owned(), Some(fix))]
    );
}

#[test]
fn what_nobody_can_name_is_not_asked_for() {
    let findings = judge(Link::Lists, &Mappings(vec![]), None, &somewhere());
    assert_eq!(
        findings.iter().map(|it| it.state).collect::<Vec<_>>(),
        [State::Skip]
    );
}

/// Returns the mapping of the publisher.
fn of_changes() -> Mapping {
    let patterns = [
        r#"{"dynamodb":{"NewImage":{"notify":{"S":["all"]}}}}"#,
        r#"{"dynamodb":{"NewImage":{"notify":{"S":["terminal"]},"status":{"S":["succeeded","failed","cancelled"]}}}}"#,
    ];
    Mapping {
        reports_failures: true,
        filters: patterns.map(str::to_owned).to_vec(),
        ..of_stream()
    }
}

#[test]
fn the_publisher_sees_the_changes_of_jobs_with_listeners() {
    let judged = |mapping| ill(Link::Changes, vec![mapping], Source::Arn(STREAM));
    assert_eq!(judged(of_changes()), []);
    let narrow = Mapping {
        filters: vec![ACCEPTED.to_owned()],
        ..of_changes()
    };
    let without = Mapping {
        filters: vec![],
        ..of_changes()
    };
    for (mapping, state) in [(narrow, State::Fail), (without, State::Warn)] {
        let [(found, _, Some(fix))] = &judged(mapping)[..] else {
            panic!("one that can be fixed")
        };
        assert_eq!(*found, state);
        for pattern in of_changes().filters {
            let quoted = pattern.replace('"', "\\\"");
            assert!(fix.contains(&quoted), "{fix}");
        }
    }
    let unreported = Mapping {
        reports_failures: false,
        ..of_changes()
    };
    assert_eq!(judged(unreported)[0].0, State::Fail);
}
