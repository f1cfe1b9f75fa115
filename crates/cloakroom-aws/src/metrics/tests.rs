use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn config() -> MeterConfig {
    MeterConfig {
        service: "jobs".into(),
        level: "WARN".into(),
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_248_000_120)
}

/// Returns a fact of every kind.
fn facts() -> Vec<Fact> {
    let (time, code) = (Duration::from_millis(1_234), || "no-such-paper".to_owned());
    vec![
        Fact::Accepted,
        Fact::Replayed,
        Fact::Started { queue_delay: time },
        Fact::Retried { run_time: time },
        Fact::StorageUnavailable,
        Fact::Succeeded {
            run_time: Duration::MAX,
        },
        Fact::Failed {
            code: code(),
            run_time: Some(time),
        },
        Fact::Failed {
            code: String::new(),
            run_time: None,
        },
        Fact::Cancelled {
            run_time: Some(Duration::ZERO),
        },
        Fact::Cancelled { run_time: None },
        Fact::Dead { code: code() },
        Fact::Swept,
        Fact::Unreadable,
    ]
}

fn written(fact: Fact, command: Option<&str>) -> Value {
    let command = command.map(|name| name.parse().expect("a good name"));
    let mut sums = vec![];
    assert!(add(&mut sums, &Measure { command, fact }).is_none());
    let [sum] = &sums[..] else { panic!("{sums:?}") };
    document(sum)
}

fn document(sum: &Sum) -> Value {
    let line = line(&config(), sum, now());
    assert_eq!(
        (line.matches('\n').count(), line.ends_with('\n')),
        (1, true),
        "one line"
    );
    serde_json::from_str(&line).expect("JSON")
}

/// Checks a document against the specification.
fn check(document: &Value) {
    let root = document.as_object().expect("an object");
    let metadata = root["_aws"].as_object().expect("metadata");
    assert_eq!(
        metadata.keys().collect::<Vec<_>>(),
        ["CloudWatchMetrics", "Timestamp"]
    );
    assert!(
        metadata["Timestamp"]
            .as_u64()
            .is_some_and(|millis| millis > 1_000_000_000_000),
        "milliseconds"
    );
    let directives = metadata["CloudWatchMetrics"]
        .as_array()
        .expect("directives");
    assert!(!directives.is_empty());
    for directive in directives {
        let directive = directive.as_object().expect("an object");
        assert_eq!(
            directive.keys().collect::<Vec<_>>(),
            ["Dimensions", "Metrics", "Namespace"]
        );
        assert!((1..=1024).contains(&directive["Namespace"].as_str().expect("a name").len()));
        for set in directive["Dimensions"].as_array().expect("sets") {
            let set = set.as_array().expect("a set");
            assert!(set.len() <= 30);
            for name in set {
                let name = name.as_str().expect("a name");
                let value = root[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("{name} is no text: {document}"));
                assert!(
                    (1..=1024).contains(&value.len()) && !value.starts_with(':'),
                    "{name}: {value:?}"
                );
            }
        }
        let metrics = directive["Metrics"].as_array().expect("metrics");
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            assert!(["Count", "Milliseconds"].contains(&metric["Unit"].as_str().expect("a unit")));
            let name = metric["Name"].as_str().expect("a name");
            assert!((1..=1024).contains(&name.len()));
            let values = root[name]
                .as_array()
                .map_or_else(|| std::slice::from_ref(&root[name]), Vec::as_slice);
            assert!((1..=100).contains(&values.len()), "{document}");
            assert!(
                values.iter().all(Value::is_number),
                "{name} is no number: {document}"
            );
        }
    }
}

#[test]
fn every_fact_is_written_as_the_specification_says() {
    for command in [Some("thumbnail.create"), None] {
        for fact in facts() {
            let document = written(fact, command);
            check(&document);
            // Lambda's own filter treats it as a line of the configured level.
            assert_eq!(
                (&document["level"], &document["timestamp"]),
                (&json!("WARN"), &json!("2026-11-21T08:00:00.120Z"))
            );
        }
    }
}

#[test]
fn the_names_of_all_metrics_are_known() {
    let (mut counts, mut times) = (BTreeSet::new(), BTreeSet::new());
    let facts = facts();
    let names = facts.iter().map(|fact| {
        let (name, _, time) = parts(fact);
        (name, time.map(|(name, _)| name))
    });
    let names: Vec<_> = names.collect();
    let want = [
        ("Accepted", None),
        ("Replayed", None),
        ("Started", Some("QueueDelay")),
        ("Retried", Some("RunTime")),
        ("StorageUnavailable", None),
        ("Succeeded", Some("RunTime")),
        ("Failed", Some("RunTime")),
        ("Failed", None),
        ("Cancelled", Some("RunTime")),
        ("Cancelled", None),
        ("Dead", None),
        ("Swept", None),
        ("Unreadable", None),
    ];
    assert_eq!(names, want);
    for (name, time) in names {
        counts.insert(name);
        times.extend(time);
    }
    assert_eq!((counts, times), (METRICS.0.into(), METRICS.1.into()));
}

#[test]
fn a_failure_is_counted_for_the_service_the_command_and_the_code() {
    let fact = Fact::Failed {
        code: "no-such-paper".into(),
        run_time: Some(Duration::from_millis(1_234)),
    };
    let want = json!({
        "_aws": {
            "Timestamp": 1_795_248_000_120_u64,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Cloakroom",
                    "Dimensions": [["Service"], ["Service", "Command"]],
                    "Metrics": [{"Name": "Failed", "Unit": "Count"}, {"Name": "RunTime", "Unit": "Milliseconds"}],
                },
                {
                    "Namespace": "Cloakroom",
                    "Dimensions": [["Service", "Command", "Code"]],
                    "Metrics": [{"Name": "Failed", "Unit": "Count"}],
                },
            ],
        },
        "timestamp": "2026-11-21T08:00:00.120Z",
        "level": "WARN",
        "Service": "jobs",
        "Command": "thumbnail.create",
        "Code": "no-such-paper",
        "Failed": 1,
        "RunTime": 1_234,
    });
    assert_eq!(written(fact, Some("thumbnail.create")), want);
}

#[test]
fn a_message_that_can_not_be_read_is_counted_for_the_service_alone() {
    let document = written(
        Fact::Dead {
            code: "unreadable".into(),
        },
        None,
    );
    assert_eq!(
        document["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
        json!([["Service"]])
    );
    assert_eq!(
        document["_aws"]["CloudWatchMetrics"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn facts_whose_dimensions_are_alike_are_one_line() {
    let of = |command: &str, fact| Measure {
        command: Some(command.parse().expect("a good name")),
        fact,
    };
    let time = Duration::from_millis;
    let failed = |code: &str, time| Fact::Failed {
        code: code.into(),
        run_time: Some(time),
    };
    let mut sums = vec![];
    for measure in [
        of("a.b", failed("no-paper", time(9))),
        of(
            "a.b",
            Fact::Started {
                queue_delay: time(5),
            },
        ),
        of("a.b", Fact::Succeeded { run_time: time(7) }),
        of("c.d", Fact::Succeeded { run_time: time(8) }),
        of("a.b", failed("no-ink", time(11))),
        of(
            "a.b",
            Fact::Started {
                queue_delay: time(6),
            },
        ),
        of("a.b", Fact::Retried { run_time: time(10) }),
    ] {
        assert!(add(&mut sums, &measure).is_none());
    }
    let documents: Vec<_> = sums.iter().map(document).collect();
    documents.iter().for_each(check);
    let [paper, ours, others, ink] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert_eq!(
        (&ours["Started"], &ours["QueueDelay"]),
        (&json!(2), &json!([5, 6]))
    );
    assert_eq!(
        (&ours["Succeeded"], &ours["Retried"], &ours["RunTime"]),
        (&json!(1), &json!(1), &json!([7, 10]))
    );
    assert_eq!(
        (&others["Command"], &others["Succeeded"], &others["RunTime"]),
        (&json!("c.d"), &json!(1), &json!(8))
    );
    for (failed, code, time) in [(paper, "no-paper", 9), (ink, "no-ink", 11)] {
        assert_eq!(
            (&failed["Code"], &failed["Failed"], &failed["RunTime"]),
            (&json!(code), &json!(1), &json!(time))
        );
    }
}

#[test]
fn a_line_has_no_more_values_than_the_specification_lets_it() {
    let mut sums = vec![];
    let mut full = vec![];
    for millis in 0..250 {
        let fact = Fact::Started {
            queue_delay: Duration::from_millis(millis),
        };
        full.extend(add(
            &mut sums,
            &Measure {
                command: None,
                fact,
            },
        ));
    }
    let documents: Vec<_> = full.iter().chain(&sums).map(document).collect();
    documents.iter().for_each(check);
    assert_eq!(
        documents
            .iter()
            .map(|it| it["Started"].as_u64().expect("a count"))
            .collect::<Vec<_>>(),
        [100, 100, 50]
    );
    assert_eq!(documents[1]["QueueDelay"][0], 100);
}

#[test]
fn facts_are_written_once() {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let keep = |line: &str| LINES.lock().expect("no panic").push(line.to_owned());
    let meter = EmbeddedMetrics::new(config(), keep);
    for _ in 0..2 {
        meter.record(&Measure {
            command: None,
            fact: Fact::Swept,
        });
    }
    assert_eq!(LINES.lock().expect("no panic").len(), 0);
    meter.write();
    meter.write();
    assert_eq!(LINES.lock().expect("no panic").len(), 1, "a sum of both");
}

#[test]
fn a_full_line_is_written_at_once_and_the_rest_later() {
    static LINES: Mutex<Vec<Value>> = Mutex::new(Vec::new());
    let keep = |line: &str| {
        let line = serde_json::from_str(line).expect("JSON");
        LINES.lock().expect("no panic").push(line);
    };
    let started = || {
        LINES
            .lock()
            .expect("no panic")
            .iter()
            .map(|line| line["Started"].clone())
            .collect::<Vec<_>>()
    };
    let meter = EmbeddedMetrics::new(config(), keep);
    for _ in 0..101 {
        let queue_delay = Duration::from_secs(1);
        meter.record(&Measure {
            command: None,
            fact: Fact::Started { queue_delay },
        });
    }
    assert_eq!(started(), [100]);
    meter.write();
    assert_eq!(started(), [100, 1]);
}
