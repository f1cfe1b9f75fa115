//! Every variable: where it is stored, its default, and the error for an invalid value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use cloakroom_app::Listeners;
use cloakroom_core::{EventScope, Namespace, ReplyQueue};
use uuid::Uuid;

use super::*;

/// All variables, each with a distinct value.
const SET: [(&str, &str); 28] = [
    ("CLOAKROOM_TABLE", "a-table"),
    ("CLOAKROOM_QUEUE_URL", "https://sqs/a-queue"),
    ("CLOAKROOM_BUCKET", "a-bucket"),
    (
        "CLOAKROOM_NAMESPACE",
        "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a12",
    ),
    ("CLOAKROOM_INLINE_LIMIT_BYTES", "77"),
    ("CLOAKROOM_SCHEDULE_GROUP", "a-group"),
    ("CLOAKROOM_SCHEDULE_ROLE_ARN", "arn:a-role"),
    ("CLOAKROOM_SCHEDULE_QUEUE_ARN", "arn:a-queue"),
    ("CLOAKROOM_DIAGNOSTICS", "on"),
    ("CLOAKROOM_LEASE_SECONDS", "88"),
    ("CLOAKROOM_PRODUCERS", "warehouse"),
    ("CLOAKROOM_PRODUCER_BUCKETS", "theirs"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
    ("CLOAKROOM_DEAD_LETTERS_URL", "https://sqs/dead-letters"),
    ("CLOAKROOM_LISTS_URL", "https://sqs/lists"),
    ("CLOAKROOM_SERVICE", "a-service"),
    ("AWS_LAMBDA_LOG_LEVEL", "debug"),
    ("CLOAKROOM_PUBLIC_BASE_URL", "/a-path"),
    ("CLOAKROOM_CORS_ORIGINS", "https://shop.example"),
    ("CLOAKROOM_AUTHORIZER", "jwt"),
    ("CLOAKROOM_TENANT_CLAIM", "a-claim"),
    ("CLOAKROOM_TOKEN_AUDIENCE", "an-audience"),
    ("CLOAKROOM_DELIVERIES_URL", "https://sqs/deliveries"),
    ("CLOAKROOM_KEYS_SECRET", "a-secret"),
    ("CLOAKROOM_EVENT_BUS", "a-bus"),
    ("CLOAKROOM_EVENT_BUS_EVENTS", "all"),
    ("CLOAKROOM_REPLY_QUEUES", "answers=https://sqs/answers"),
    ("CLOAKROOM_WEBHOOKS", "on"),
];

fn set(name: &str) -> Option<String> {
    SET.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| (*value).to_owned())
}

fn namespace() -> Namespace {
    Namespace::from_uuid(Uuid::from_u128(0x0d5f_1c0e_8a51_4f0b_9c6e_2f4f_2f7c_9a12))
}

fn listeners() -> Listeners {
    Listeners {
        reply_queues: BTreeSet::from([answers()]),
        bus: Some(EventScope::All),
    }
}

fn answers() -> ReplyQueue {
    "answers".parse().expect("a name")
}

#[test]
fn each_variable_of_submit_is_where_it_belongs() {
    let schedule = ScheduleConfig {
        group: "a-group".into(),
        role_arn: "arn:a-role".into(),
        queue_arn: "arn:a-queue".into(),
    };
    let expected = SubmitConfig {
        table: "a-table".into(),
        queue_url: "https://sqs/a-queue".into(),
        bucket: "a-bucket".into(),
        namespace: namespace(),
        inline_limit: 77,
        schedule: Some(schedule),
        diagnostics: true,
        listeners: listeners(),
        webhooks: true,
    };
    assert_eq!(SubmitConfig::from_env(&set), Ok(expected));
}

#[test]
fn each_variable_of_the_worker_is_where_it_belongs() {
    let producers = ProducersConfig {
        tenants: ProducerTenants::One("warehouse".parse().expect("a name")),
        buckets: vec!["theirs".into()],
        namespace: namespace(),
        inline_limit: 77,
        listeners: listeners(),
    };
    let expected = WorkerConfig {
        table: "a-table".into(),
        queue_url: "https://sqs/a-queue".into(),
        bucket: "a-bucket".into(),
        settings: WorkerSettings {
            lease: Duration::from_secs(88),
            ..WorkerSettings::default()
        },
        diagnostics: true,
        producers: Some(producers),
        memory: Some(896 << 20),
    };
    assert_eq!(WorkerConfig::from_env(&set), Ok(expected));
}

#[test]
fn each_variable_of_the_other_functions_is_where_it_belongs() {
    let (table, bucket) = ("a-table".to_owned(), "a-bucket".to_owned());
    let dead_letters_url = "https://sqs/dead-letters".to_owned();
    let expected = DeadLettersConfig {
        table: table.clone(),
        bucket: bucket.clone(),
        dead_letters_url,
    };
    assert_eq!(DeadLettersConfig::from_env(&set), Ok(expected));
    let (queue_url, lists_url) = (
        "https://sqs/a-queue".to_owned(),
        "https://sqs/lists".to_owned(),
    );
    assert_eq!(
        SweeperConfig::from_env(&set),
        Ok(SweeperConfig {
            table: table.clone(),
            queue_url,
            lists_url
        })
    );
    assert_eq!(
        JobsConfig::from_env(&set),
        Ok(JobsConfig {
            table: table.clone(),
            bucket: bucket.clone(),
            namespace: namespace(),
            listeners: Some(JobListenersConfig {
                deliveries_url: "https://sqs/deliveries".into(),
                keys_secret: "a-secret".into(),
                base_path: "/a-path".into(),
            }),
        })
    );
    assert_eq!(
        PublisherConfig::from_env(&set),
        Ok(PublisherConfig {
            table: table.clone(),
            deliveries_url: "https://sqs/deliveries".into(),
            event_bus: Some("a-bus".into()),
            base_path: "/a-path".into(),
        })
    );
    assert_eq!(
        DeliverConfig::from_env(&set),
        Ok(DeliverConfig {
            table,
            bucket,
            deliveries_url: "https://sqs/deliveries".into(),
            keys_secret: "a-secret".into(),
            reply_queues: BTreeMap::from([(answers(), "https://sqs/answers".into())]),
        })
    );
    let expected = MeterConfig {
        service: "a-service".into(),
        level: "DEBUG".into(),
    };
    assert_eq!(MeterConfig::from_env(&set), Ok(expected));
}

#[test]
fn each_variable_of_http_is_where_it_belongs() {
    let expected = HttpSettings {
        base_path: "/a-path".into(),
        cors: Cors::Only(vec!["https://shop.example".into()]),
        authorizer: Authorizer::Jwt,
        tenant_claim: "a-claim".into(),
        token_audience: vec!["an-audience".into()],
        longest_wait: Duration::from_secs(25),
    };
    assert_eq!(http_settings(&set), Ok(expected));
}

#[test]
fn each_authorizer_has_its_word() {
    for (word, authorizer) in [
        ("none", Authorizer::None),
        ("iam", Authorizer::Iam),
        ("jwt", Authorizer::Jwt),
        ("api-key", Authorizer::ApiKey),
        ("custom", Authorizer::Custom),
    ] {
        assert_eq!(
            http("CLOAKROOM_AUTHORIZER", word).map(|config| config.authorizer),
            Ok(authorizer)
        );
    }
}

#[test]
fn what_is_not_set_has_a_default() {
    let submit = SubmitConfig::from_env(&with(&[])).expect("enough");
    assert_eq!(
        (submit.schedule, submit.diagnostics, submit.inline_limit),
        (None, false, INLINE_LIMIT)
    );
    assert_eq!(
        (submit.listeners, submit.webhooks),
        (Listeners::default(), false)
    );
    let jobs = JobsConfig::from_env(&with(&[])).expect("enough");
    assert_eq!(jobs.listeners, None);
    let worker = WorkerConfig::from_env(&with(&[])).expect("enough");
    assert_eq!(
        (worker.producers, worker.diagnostics, worker.memory),
        (None, false, None)
    );
    assert_eq!(worker.settings.lease, WorkerSettings::default().lease);
    let producers = WorkerConfig::from_env(&with(&[("CLOAKROOM_PRODUCERS", "*")]))
        .expect("enough")
        .producers;
    assert_eq!(
        producers.map(|it| (it.buckets, it.inline_limit, it.listeners)),
        Some((vec![], INLINE_LIMIT, Listeners::default()))
    );
    let meter = MeterConfig {
        service: "cloakroom".into(),
        level: "INFO".into(),
    };
    assert_eq!(MeterConfig::from_env(&|_| None), Ok(meter));
    let http = HttpSettings {
        base_path: String::new(),
        cors: Cors::None,
        authorizer: Authorizer::None,
        tenant_claim: "sub".into(),
        token_audience: vec![],
        longest_wait: Duration::from_secs(25),
    };
    assert_eq!(http_settings(&|_| None), Ok(http));
}

/// Asserts that a configuration is not read without any of these variables, and that the error names it.
fn assert_required<T: Debug + PartialEq>(
    read: fn(Lookup<'_>) -> Result<T, ConfigError>,
    names: &[&'static str],
) {
    for left_out in names {
        let lacking = |name: &str| set(name).filter(|_| name != *left_out);
        assert_eq!(read(&lacking).map_err(|error| error.name), Err(*left_out));
    }
}

#[test]
fn each_function_names_the_first_variable_that_it_lacks() {
    const TABLE: &str = "CLOAKROOM_TABLE";
    const QUEUE_URL: &str = "CLOAKROOM_QUEUE_URL";
    const BUCKET: &str = "CLOAKROOM_BUCKET";
    const NAMESPACE: &str = "CLOAKROOM_NAMESPACE";
    const DELIVERIES_URL: &str = "CLOAKROOM_DELIVERIES_URL";
    const KEYS_SECRET: &str = "CLOAKROOM_KEYS_SECRET";
    let submit = [TABLE, QUEUE_URL, BUCKET, NAMESPACE];
    assert_required(SubmitConfig::from_env, &submit);
    assert_required(WorkerConfig::from_env, &submit);
    let schedule = [
        "CLOAKROOM_SCHEDULE_ROLE_ARN",
        "CLOAKROOM_SCHEDULE_QUEUE_ARN",
    ];
    assert_required(SubmitConfig::from_env, &schedule);
    let dead_letters = [TABLE, BUCKET, "CLOAKROOM_DEAD_LETTERS_URL"];
    assert_required(DeadLettersConfig::from_env, &dead_letters);
    let sweeper = [TABLE, QUEUE_URL, "CLOAKROOM_LISTS_URL"];
    assert_required(SweeperConfig::from_env, &sweeper);
    let jobs = [TABLE, BUCKET, NAMESPACE, KEYS_SECRET];
    assert_required(JobsConfig::from_env, &jobs);
    assert_required(PublisherConfig::from_env, &[TABLE, DELIVERIES_URL]);
    let deliver = [TABLE, BUCKET, DELIVERIES_URL, KEYS_SECRET];
    assert_required(DeliverConfig::from_env, &deliver);
}

#[test]
fn a_bad_variable_is_named_with_what_it_should_be() {
    let mut said = vec![];
    // No variable accepts this value, or an empty value if it accepts any text.
    for (name, bad) in SET
        .iter()
        .map(|(name, _)| (*name, "a b"))
        .chain([("CLOAKROOM_LONGEST_WAIT_SECONDS", "a b")])
    {
        let changed = |asked: &str| {
            if asked == name {
                Some(bad.to_owned())
            } else {
                set(asked)
            }
        };
        let blank = |asked: &str| {
            if asked == name {
                Some(" ".to_owned())
            } else {
                set(asked)
            }
        };
        let errors = |lookup: Lookup<'_>| {
            let errors = [
                SubmitConfig::from_env(lookup).err(),
                WorkerConfig::from_env(lookup).err(),
                DeadLettersConfig::from_env(lookup).err(),
                SweeperConfig::from_env(lookup).err(),
                JobsConfig::from_env(lookup).err(),
                PublisherConfig::from_env(lookup).err(),
                DeliverConfig::from_env(lookup).err(),
                MeterConfig::from_env(lookup).err(),
                http_settings(lookup).err(),
            ];
            errors
                .into_iter()
                .flatten()
                .next()
                .map(|error| error.to_string())
        };
        said.push(
            errors(&changed)
                .or_else(|| errors(&blank))
                .unwrap_or_else(|| format!("{name} may be any text")),
        );
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn numbers_and_lengths_end_at_their_bounds() {
    fn check<T>(
        name: &str,
        read: impl Fn(Lookup<'_>) -> Result<T, ConfigError>,
        good: &[&str],
        bad: &[&str],
    ) {
        for (values, is_good) in [(good, true), (bad, false)] {
            for value in values {
                let read = read(&|asked| {
                    if asked == name {
                        Some((*value).to_owned())
                    } else {
                        set(asked)
                    }
                });
                let named = read.err().map(|error| error.name);
                assert_eq!(named, Some(name).filter(|_| !is_good), "{name}={value}");
            }
        }
    }
    let (long, longest) = ("x".repeat(129), "x".repeat(128));
    check(
        "CLOAKROOM_INLINE_LIMIT_BYTES",
        SubmitConfig::from_env,
        &["0", "1000000"],
        &["-1", "1000001", "1e3"],
    );
    check(
        "CLOAKROOM_INLINE_LIMIT_BYTES",
        WorkerConfig::from_env,
        &["0", "1000000"],
        &["-1", "1000001", "1e3"],
    );
    check(
        "CLOAKROOM_LEASE_SECONDS",
        WorkerConfig::from_env,
        &["3", "900"],
        &["2", "901", "3.5"],
    );
    check(
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        WorkerConfig::from_env,
        &["1", "1000000"],
        &["0", "1000001", "1.5"],
    );
    check(
        "CLOAKROOM_LONGEST_WAIT_SECONDS",
        http_settings,
        &["0", "25"],
        &["-1", "26", "1.5"],
    );
    check(
        "CLOAKROOM_SERVICE",
        MeterConfig::from_env,
        &[&longest, "x", "a.b-c_1"],
        &[&long, "a/b"],
    );
}

#[test]
fn a_process_keeps_an_eighth_of_the_memory_at_least_64_mib_and_at_most_half() {
    let memory = |mb: u32| {
        let mb = mb.to_string();
        WorkerConfig::from_env(&with(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &mb)]))
            .expect("good")
            .memory
    };
    for (mb, mib) in [
        (2, 1),
        (100, 50),
        (128, 64),
        (129, 65),
        (512, 448),
        (520, 455),
        (1024, 896),
    ] {
        assert_eq!(memory(mb), Some(mib * 1024 * 1024), "{mb}");
    }
}
