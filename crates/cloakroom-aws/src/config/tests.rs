mod whole;

use cloakroom_app::http_settings::{Authorizer, Cors, HttpSettings};
use cloakroom_app::intake::ProducerTenants;
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_app::work::WorkerSettings;

use super::*;

const ALL: [(&str, &str); 4] = [
    ("CLOAKROOM_TABLE", "jobs"),
    (
        "CLOAKROOM_QUEUE_URL",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/work",
    ),
    ("CLOAKROOM_BUCKET", "payloads"),
    (
        "CLOAKROOM_NAMESPACE",
        "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a11",
    ),
];

/// Looks up these variables. Later ones take precedence.
fn with(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let all: Vec<_> = ALL
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    move |name| {
        all.iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }
}

fn http(name: &str, value: &str) -> Result<HttpSettings, String> {
    http_settings(&with(&[(name, value)])).map_err(|error| error.to_string())
}

#[test]
fn what_must_be_set_is_enough() {
    let submit = SubmitConfig::from_env(&with(&[])).expect("enough");
    assert_eq!(
        (
            submit.table.as_str(),
            submit.bucket.as_str(),
            submit.inline_limit
        ),
        ("jobs", "payloads", INLINE_LIMIT)
    );
    assert_eq!(
        WorkerConfig::from_env(&with(&[])).expect("enough").settings,
        WorkerSettings::default()
    );
    assert_eq!(
        JobsConfig::from_env(&with(&[])).expect("enough").namespace,
        submit.namespace
    );
    assert_eq!(http_settings(&|_| None), Ok(HttpSettings::default()));
}

#[test]
fn jobs_have_the_functions_memory_less_what_the_process_needs() {
    let memory = |mb| {
        WorkerConfig::from_env(&with(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", mb)]))
            .map(|it| it.memory)
    };
    for (mb, mib) in [("128", 64), ("256", 192), ("1024", 896), ("10240", 8960)] {
        assert_eq!(memory(mb), Ok(Some(mib << 20)), "{mb}");
    }
    assert_eq!(
        WorkerConfig::from_env(&with(&[])).map(|it| it.memory),
        Ok(None),
        "not on Lambda"
    );
    assert!(memory("much").is_err());
}

#[test]
fn each_function_reads_only_what_it_needs() {
    let without =
        |left_out: &'static str| move |name: &str| with(&[])(name).filter(|_| name != left_out);
    assert!(WorkerConfig::from_env(&without("CLOAKROOM_NAMESPACE")).is_ok());
    assert!(JobsConfig::from_env(&without("CLOAKROOM_QUEUE_URL")).is_ok());
    for (name, _) in ALL {
        let error = SubmitConfig::from_env(&without(name)).expect_err("not enough");
        assert_eq!(error.name, name);
    }
}

#[test]
fn an_error_is_one_line_that_says_what_to_set() {
    let error = JobsConfig::from_env(&|_| None).expect_err("nothing is set");
    assert_eq!(
        error.to_string(),
        "set CLOAKROOM_TABLE to the name of the DynamoDB table: it is not set"
    );
    let error = SubmitConfig::from_env(&with(&[("CLOAKROOM_INLINE_LIMIT_BYTES", "1 MB")]))
        .expect_err("no number");
    assert_eq!(
        error.to_string(),
        "set CLOAKROOM_INLINE_LIMIT_BYTES to a number of bytes from 0 to 1000000: it is \"1 MB\""
    );
}

#[test]
fn white_space_around_a_value_is_no_part_of_it() {
    let worker = WorkerConfig::from_env(&with(&[
        ("CLOAKROOM_TABLE", "orders\n"),
        ("CLOAKROOM_LEASE_SECONDS", " 61"),
    ]))
    .expect("valid");
    assert_eq!(
        (worker.table.as_str(), worker.settings.lease.as_secs()),
        ("orders", 61)
    );
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let error = JobsConfig::from_env(&with(&[("CLOAKROOM_BUCKET", " ")])).expect_err("nothing");
    assert_eq!(
        (error.name, error.found.as_str()),
        ("CLOAKROOM_BUCKET", "not set")
    );
    assert_eq!(
        http("CLOAKROOM_CORS_ORIGINS", ""),
        Ok(HttpSettings::default())
    );
}

#[test]
fn jobs_have_listeners_where_the_queue_of_deliveries_is_set() {
    let listeners = |url| {
        let jobs = JobsConfig::from_env(&with(&[("CLOAKROOM_DELIVERIES_URL", url)]));
        jobs.map(|jobs| jobs.listeners)
    };
    for unset in ["", " "] {
        assert_eq!(listeners(unset), Ok(None));
    }
    let error = listeners("https://sqs.eu-west-1.amazonaws.com/1/deliveries");
    let error = error.expect_err("there is no secret");
    assert_eq!(error.name, "CLOAKROOM_KEYS_SECRET");
}

#[test]
fn numbers_keep_to_their_bounds() {
    for (text, good) in [
        ("0", true),
        ("1000000", true),
        ("1000001", false),
        ("-1", false),
        ("1e3", false),
    ] {
        assert_eq!(
            SubmitConfig::from_env(&with(&[("CLOAKROOM_INLINE_LIMIT_BYTES", text)])).is_ok(),
            good,
            "{text}"
        );
    }
    for (text, good) in [
        ("3", true),
        ("900", true),
        ("2", false),
        ("901", false),
        ("3.5", false),
    ] {
        let config = WorkerConfig::from_env(&with(&[("CLOAKROOM_LEASE_SECONDS", text)]));
        assert_eq!(config.is_ok(), good, "{text}");
        assert!(
            config.is_err()
                || config.is_ok_and(|config| config.settings.lease.as_secs().to_string() == text)
        );
    }
}

#[test]
fn a_namespace_and_a_queue_are_what_they_say() {
    for (name, value) in [
        ("CLOAKROOM_NAMESPACE", "mine"),
        ("CLOAKROOM_QUEUE_URL", "work"),
        ("CLOAKROOM_QUEUE_URL", "https://"),
    ] {
        assert_eq!(
            SubmitConfig::from_env(&with(&[(name, value)])).map_err(|error| error.name),
            Err(name)
        );
    }
}

#[test]
fn of_the_public_base_url_its_path_is_kept() {
    for (url, path) in [
        ("https://api.example.com", ""),
        ("https://api.example.com/", ""),
        ("https://api.example.com/v1/", "/v1"),
        ("http://localhost:8080/a/b", "/a/b"),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("/", ""),
    ] {
        assert_eq!(
            http("CLOAKROOM_PUBLIC_BASE_URL", url)
                .map(|config| config.base_path)
                .as_deref(),
            Ok(path),
            "{url}"
        );
    }
    for bad in [
        "v1",
        "api.example.com/v1",
        "ftp://api.example.com",
        "//evil.example",
        "https:///x",
        "https://a//evil.example",
        "/a?b",
        "/a b",
    ] {
        assert!(http("CLOAKROOM_PUBLIC_BASE_URL", bad).is_err(), "{bad}");
    }
}

#[test]
fn diagnostics_are_off_unless_they_are_on() {
    for (text, on) in [("on", true), ("off", false), ("", false)] {
        let changed = [("CLOAKROOM_DIAGNOSTICS", text)];
        let lookup = with(&changed);
        assert_eq!(
            SubmitConfig::from_env(&lookup).map(|config| config.diagnostics),
            Ok(on)
        );
        assert_eq!(
            WorkerConfig::from_env(&lookup).map(|config| config.diagnostics),
            Ok(on)
        );
    }
    let error =
        WorkerConfig::from_env(&with(&[("CLOAKROOM_DIAGNOSTICS", "yes")])).expect_err("neither");
    assert_eq!(
        error.to_string(),
        "set CLOAKROOM_DIAGNOSTICS to on or off: it is \"yes\""
    );
}

#[test]
fn metrics_are_the_services_and_as_loud_as_the_log() {
    let read = |name: &'static str, value: &'static str| {
        MeterConfig::from_env(&with(&[(name, value)]))
            .map(|MeterConfig { service, level }| (service, level))
    };
    let (cloakroom, info) = ("cloakroom".to_owned(), "INFO".to_owned());
    assert_eq!(
        read("CLOAKROOM_SERVICE", ""),
        Ok((cloakroom.clone(), info.clone()))
    );
    assert_eq!(
        read("CLOAKROOM_SERVICE", "jobs-2.eu_1"),
        Ok(("jobs-2.eu_1".to_owned(), info))
    );
    assert_eq!(
        read("AWS_LAMBDA_LOG_LEVEL", "Warn"),
        Ok((cloakroom, "WARN".to_owned()))
    );
    let long: &'static str = "x".repeat(129).leak();
    for bad in ["a b", "a:b", "é", long] {
        assert_eq!(
            read("CLOAKROOM_SERVICE", bad).map_err(|error| error.name),
            Err("CLOAKROOM_SERVICE"),
            "{bad}"
        );
    }
}

#[test]
fn origins_are_told_apart_by_commas() {
    let cors = |value| http("CLOAKROOM_CORS_ORIGINS", value).map(|config| config.cors);
    assert_eq!(cors("*"), Ok(Cors::Any));
    let two = vec![
        "https://app.example.com".to_owned(),
        "http://localhost:3000".to_owned(),
    ];
    assert_eq!(
        cors("https://App.example.com , http://localhost:3000"),
        Ok(Cors::Only(two))
    );
    for bad in [
        "app.example.com",
        "https://app.example.com/",
        "https://a.example,",
        "*,https://a.example",
        "https://*.example.com",
        "null",
    ] {
        assert!(cors(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_schedule_is_whole_or_none() {
    assert_eq!(
        SubmitConfig::from_env(&with(&[])).expect("enough").schedule,
        None
    );
    let whole = [
        ("CLOAKROOM_SCHEDULE_GROUP", "jobs"),
        (
            "CLOAKROOM_SCHEDULE_ROLE_ARN",
            "arn:aws:iam::123456789012:role/scheduler",
        ),
        (
            "CLOAKROOM_SCHEDULE_QUEUE_ARN",
            "arn:aws:sqs:eu-west-1:123456789012:work",
        ),
    ];
    let schedule = SubmitConfig::from_env(&with(&whole))
        .expect("enough")
        .schedule
        .expect("a schedule");
    assert_eq!(
        (schedule.group.as_str(), schedule.queue_arn.as_str()),
        (whole[0].1, whole[2].1)
    );
    let error = SubmitConfig::from_env(&with(&whole[..2])).expect_err("no queue");
    assert_eq!(error.name, "CLOAKROOM_SCHEDULE_QUEUE_ARN");
    let error = SubmitConfig::from_env(&with(&[
        whole[0],
        ("CLOAKROOM_SCHEDULE_ROLE_ARN", "scheduler"),
    ]));
    assert_eq!(
        error.expect_err("no ARN").name,
        "CLOAKROOM_SCHEDULE_ROLE_ARN"
    );
}

#[test]
fn the_callers_are_known_by_what_is_said_and_by_nothing_else() {
    let authorizer = |value| http("CLOAKROOM_AUTHORIZER", value).map(|config| config.authorizer);
    for known in Authorizer::ALL {
        assert_eq!(authorizer(known.as_str()), Ok(known));
    }
    assert_eq!(authorizer(""), Ok(Authorizer::None));
    let error = authorizer("cognito").expect_err("none of them");
    assert_eq!(
        error,
        "set CLOAKROOM_AUTHORIZER to none, iam, jwt, api-key or custom: it is \"cognito\""
    );
    let claim = |value| http("CLOAKROOM_TENANT_CLAIM", value).map(|config| config.tenant_claim);
    assert_eq!(
        (claim(""), claim("custom:tenant")),
        (Ok("sub".to_owned()), Ok("custom:tenant".to_owned()))
    );
    assert!(claim("the tenant").is_err());
    let audience = |value| {
        http("CLOAKROOM_TOKEN_AUDIENCE", value).map(|config| config.token_audience.join(" "))
    };
    assert_eq!(
        (audience(""), audience("a1, b2")),
        (Ok(String::new()), Ok("a1 b2".to_owned()))
    );
    assert!(audience("a,,b").is_err() && audience("a b").is_err());
}

#[test]
fn a_response_is_held_for_up_to_25_seconds_or_fewer_where_that_is_configured() {
    let longest = |value| {
        http("CLOAKROOM_LONGEST_WAIT_SECONDS", value).map(|config| config.longest_wait.as_secs())
    };
    assert_eq!(
        [longest(""), longest("0"), longest("7")],
        [Ok(25), Ok(0), Ok(7)]
    );
    assert!(longest("26").is_err() && longest("long").is_err());
}

#[test]
fn producers_are_let_in_where_that_is_said_and_never_into_our_bucket() {
    let producers = |variables: &[(&str, &str)]| {
        WorkerConfig::from_env(&with(variables)).map(|it| it.producers)
    };
    assert_eq!(
        producers(&[("CLOAKROOM_PRODUCER_BUCKETS", "theirs")]),
        Ok(None)
    );
    let on = |value| producers(&[("CLOAKROOM_PRODUCERS", value)]).map(|it| it.map(|it| it.tenants));
    assert_eq!(on("*"), Ok(Some(ProducerTenants::Named)));
    assert_eq!(
        on("warehouse"),
        Ok(Some(ProducerTenants::One(
            "warehouse".parse().expect("a name")
        )))
    );
    assert!(on("a b").is_err());
    for (value, buckets) in [
        ("", Some(vec![])),
        ("a, b", Some(vec!["a", "b"])),
        ("a,,b", None),
        ("a,payloads", None),
    ] {
        let read = producers(&[
            ("CLOAKROOM_PRODUCERS", "*"),
            ("CLOAKROOM_PRODUCER_BUCKETS", value),
        ]);
        let read = read.ok().flatten().map(|it| it.buckets);
        assert_eq!(
            read,
            buckets.map(|all| all.into_iter().map(str::to_owned).collect()),
            "{value}"
        );
    }
    let without = |name: &str| {
        with(&[("CLOAKROOM_PRODUCERS", "*")])(name).filter(|_| name != "CLOAKROOM_NAMESPACE")
    };
    assert_eq!(
        WorkerConfig::from_env(&without).map_err(|error| error.name),
        Err("CLOAKROOM_NAMESPACE")
    );
}

#[test]
fn variables_come_from_the_environment() {
    let path = std::env::var("PATH").expect("cargo was found");
    assert_eq!(environment("PATH"), Some(path));
    assert_eq!(environment("NO_SUCH_VARIABLE"), None);
}
