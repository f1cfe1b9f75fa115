use super::variables::{AUDIENCE, AUTHORIZER, CLAIM, EVENT_BUS, NAMESPACE, REPLY_QUEUES, SERVICE};
use super::*;
use crate::command::somewhere;
use crate::finding::State;

const QUEUE_URL: &str = "https://sqs.eu-west-1.amazonaws.com/1/work";
const DEAD_URL: &str = "https://sqs.eu-west-1.amazonaws.com/1/dead";
const DELIVERIES_URL: &str = "https://sqs.eu-west-1.amazonaws.com/1/deliveries";
const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:1:secret:keys";
const LISTS_URL: &str = "https://sqs.eu-west-1.amazonaws.com/1/lists";

fn function(variables: &[(&str, &str)]) -> Function {
    let all = [(TABLE, "jobs"), (BUCKET, "things")]
        .into_iter()
        .chain(variables.iter().copied());
    let variables = all
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Function {
        timeout: Duration::from_secs(60),
        variables,
    }
}

/// Returns the functions as the template configures them.
fn right() -> Functions {
    let namespace = (NAMESPACE, "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a11");
    let (queue, off, keys) = (
        (QUEUE, QUEUE_URL),
        (DIAGNOSTICS, "off"),
        (AUTHORIZER, "api-key"),
    );
    let till = (AUDIENCE, "till");
    let (deliveries, secret) = ((DELIVERIES, DELIVERIES_URL), (KEYS, SECRET));
    let of_jobs = [keys, till, namespace, deliveries, secret];
    Functions(vec![
        (
            Kind::Submit,
            Answer::Is(function(&[
                queue,
                off,
                keys,
                till,
                namespace,
                ("CLOAKROOM_CORS_ORIGINS", ""),
            ])),
        ),
        (
            Kind::Worker,
            Answer::Is(function(&[queue, off, ("CLOAKROOM_LEASE_SECONDS", "30")])),
        ),
        (Kind::Status, Answer::Is(function(&of_jobs))),
        (Kind::Events, Answer::Is(function(&of_jobs))),
        (
            Kind::DeadLetters,
            Answer::Is(function(&[(DEAD_LETTERS, DEAD_URL)])),
        ),
        (
            Kind::Sweeper,
            Answer::Is(function(&[queue, (LISTS, LISTS_URL)])),
        ),
        (Kind::Publisher, Answer::Is(function(&[deliveries]))),
        (Kind::Deliver, Answer::Is(function(&[deliveries, secret]))),
    ])
}

fn with(changes: &[(Kind, &str, &str)]) -> Functions {
    let mut functions = right();
    for (of, variable, value) in changes {
        let (_, answer) = functions
            .0
            .iter_mut()
            .find(|(kind, _)| kind == of)
            .expect("all are there");
        let Answer::Is(function) = answer else {
            panic!("all are there")
        };
        function
            .variables
            .insert((*variable).to_owned(), (*value).to_owned());
    }
    functions
}

fn ill(functions: &Functions) -> Vec<Finding> {
    let mapped = vec!["arn:aws:sqs:eu-west-1:1:work".to_owned()];
    judge(functions, &mapped, &somewhere())
        .0
        .into_iter()
        .filter(|it| it.state != State::Ok)
        .collect()
}

/// Returns the only finding that is not ok.
fn judged(functions: &Functions) -> (State, String, String, String) {
    let mut ill = ill(functions).into_iter();
    let it = ill.next().expect("something is not fine");
    assert_eq!(ill.next(), None);
    (
        it.state,
        it.check,
        it.found,
        it.fix.expect("it can be fixed"),
    )
}

#[test]
fn functions_as_the_template_makes_them_are_fine() {
    let (findings, known) = judge(&right(), &[], &somewhere());
    assert!(
        findings.iter().all(|it| it.state == State::Ok),
        "{findings:?}"
    );
    assert_eq!(
        (known.table.as_deref(), known.bucket.as_deref()),
        (Some("jobs"), Some("things"))
    );
    assert_eq!(
        (known.queue_url.as_deref(), known.diagnostics),
        (Some(QUEUE_URL), false)
    );
    assert_eq!(
        (
            known.dead_letters_url.as_deref(),
            known.lists_url.as_deref(),
            known.deliveries_url.as_deref()
        ),
        (Some(DEAD_URL), Some(LISTS_URL), Some(DELIVERIES_URL))
    );
    assert_eq!(
        known.lease_and_margin.map(|(lease, _)| lease),
        Some(Duration::from_secs(30))
    );
}

#[test]
fn a_variable_that_is_missing_or_wrong_is_shown_in_the_functions_own_words_and_fixed_by_what_the_others_have()
 {
    let cases = [
        (
            Kind::Submit,
            TABLE,
            "",
            "set CLOAKROOM_TABLE to the name of the DynamoDB table: it is not set",
            "jobs",
        ),
        (
            Kind::Worker,
            BUCKET,
            " ",
            "set CLOAKROOM_BUCKET to the name of the S3 bucket: it is not set",
            "things",
        ),
        (
            Kind::Worker,
            QUEUE,
            "work",
            "set CLOAKROOM_QUEUE_URL to the http(s) URL of the SQS queue: it is \"work\"",
            QUEUE_URL,
        ),
        (
            Kind::Worker,
            "CLOAKROOM_LEASE_SECONDS",
            "1",
            "set CLOAKROOM_LEASE_SECONDS to a number of seconds from 3 to 900: it is \"1\"",
            "30",
        ),
        (
            Kind::Sweeper,
            QUEUE,
            "",
            "set CLOAKROOM_QUEUE_URL to the http(s) URL of the SQS queue: it is not set",
            QUEUE_URL,
        ),
        (
            Kind::DeadLetters,
            BUCKET,
            "",
            "set CLOAKROOM_BUCKET to the name of the S3 bucket: it is not set",
            "things",
        ),
        (
            Kind::Submit,
            DIAGNOSTICS,
            "yes",
            "set CLOAKROOM_DIAGNOSTICS to on or off: it is \"yes\"",
            "off",
        ),
    ];
    for (kind, variable, value, error, right) in cases {
        let (state, check, found, fix) = judged(&with(&[(kind, variable, value)]));
        let function = name("cloakroom", kind);
        assert_eq!(
            (state, check, &*found),
            (State::Fail, format!("{function}: variables"), error)
        );
        assert_eq!(fix, somewhere().set_variable(&function, variable, right));
    }
    for variable in [
        "CLOAKROOM_PUBLIC_BASE_URL",
        "CLOAKROOM_CORS_ORIGINS",
        "CLOAKROOM_INLINE_LIMIT_BYTES",
        NAMESPACE,
        AUTHORIZER,
        CLAIM,
        AUDIENCE,
        "CLOAKROOM_LONGEST_WAIT_SECONDS",
    ] {
        let (state, _, found, _) = judged(&with(&[(Kind::Submit, variable, "no such thing")]));
        assert!(
            state == State::Fail && found.starts_with(&format!("set {variable} to ")),
            "{found}"
        );
    }
}

#[test]
fn every_error_of_a_function_is_found_not_only_the_first() {
    let found = ill(&with(&[
        (Kind::Submit, TABLE, ""),
        (Kind::Submit, QUEUE, ""),
        (Kind::Submit, NAMESPACE, "mine"),
    ]));
    let named: Vec<_> = found
        .iter()
        .filter_map(|it| it.found.split_whitespace().nth(1))
        .collect();
    assert_eq!(named, [TABLE, QUEUE, NAMESPACE]);
}

#[test]
fn what_no_function_has_is_looked_up_in_the_stack() {
    let nowhere = [
        (Kind::Submit, QUEUE, ""),
        (Kind::Worker, QUEUE, ""),
        (Kind::Sweeper, QUEUE, ""),
    ];
    for (changes, output) in [
        (&nowhere[..], "Queue"),
        (&[(Kind::DeadLetters, DEAD_LETTERS, "dead")], "DeadLetters"),
        (&[(Kind::Sweeper, LISTS, "")], "Lists"),
    ] {
        let found = ill(&with(changes));
        assert_eq!(found.len(), changes.len(), "{found:?}");
        for it in found {
            let output = format!("OutputKey=='{output}'");
            assert!(
                it.fix.as_deref().is_some_and(|fix| fix.contains(&output)),
                "{it:?}"
            );
        }
    }
}

#[test]
fn whoever_has_another_value_than_the_others_is_named() {
    let other = "https://sqs.eu-west-1.amazonaws.com/1/other";
    let uuid = "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a12";
    for (kind, variable, value, right) in [
        (Kind::Submit, TABLE, "others", "jobs"),
        (Kind::Status, BUCKET, "others", "things"),
        // The queue that the worker reads is the right one.
        (Kind::Submit, QUEUE, other, QUEUE_URL),
        (Kind::Worker, QUEUE, other, QUEUE_URL),
        (Kind::Sweeper, QUEUE, other, QUEUE_URL),
        (Kind::DeadLetters, TABLE, "others", "jobs"),
        (Kind::Sweeper, TABLE, "others", "jobs"),
        (Kind::DeadLetters, BUCKET, "others", "things"),
        (Kind::Sweeper, SERVICE, "others", "cloakroom"),
        (
            Kind::Status,
            NAMESPACE,
            uuid,
            "0d5f1c0e-8a51-4f0b-9c6e-2f4f2f7c9a11",
        ),
        (Kind::Submit, DIAGNOSTICS, "on", "off"),
        (Kind::Worker, DIAGNOSTICS, "on", "off"),
        (Kind::Submit, AUTHORIZER, "none", "api-key"),
        (Kind::Status, AUTHORIZER, "none", "api-key"),
        (Kind::Status, CLAIM, "custom:tenant", "sub"),
        (Kind::Status, AUDIENCE, "shop", "till"),
        (Kind::Events, AUTHORIZER, "none", "api-key"),
        (Kind::Publisher, DELIVERIES, other, DELIVERIES_URL),
        (Kind::Deliver, DELIVERIES, other, DELIVERIES_URL),
        (Kind::Deliver, KEYS, "others", SECRET),
        (Kind::Publisher, TABLE, "others", "jobs"),
    ] {
        let (state, check, found, fix) = judged(&with(&[(kind, variable, value)]));
        let function = name("cloakroom", kind);
        assert_eq!((state, check), (State::Fail, format!("all: {variable}")));
        assert_eq!(
            found,
            format!("{function} has {value}, and the others have {right}")
        );
        assert_eq!(fix, somewhere().set_variable(&function, variable, right));
    }
}

#[test]
fn listeners_that_one_function_permits_are_those_that_the_other_notifies() {
    for (variable, one, other) in [
        (EVENT_BUS, Kind::Submit, Kind::Publisher),
        (REPLY_QUEUES, Kind::Submit, Kind::Deliver),
    ] {
        let value = "https://sqs.eu-west-1.amazonaws.com/1/replies";
        assert_eq!(
            ill(&with(&[(one, variable, value), (other, variable, value)])),
            []
        );
        let (state, check, ..) = judged(&with(&[(other, variable, value)]));
        assert_eq!((state, check), (State::Fail, format!("all: {variable}")));
    }
}

#[test]
fn a_namespace_is_the_same_however_it_is_written() {
    assert_eq!(
        ill(&with(&[(
            Kind::Status,
            NAMESPACE,
            "0D5F1C0E8A514F0B9C6E2F4F2F7C9A11"
        )])),
        []
    );
}

#[test]
fn diagnostics_that_are_served_are_warned_of() {
    let (state, check, found, fix) = judged(&with(&[
        (Kind::Submit, DIAGNOSTICS, "on"),
        (Kind::Worker, DIAGNOSTICS, "on"),
    ]));
    assert_eq!(
        (state, &*check, &*found),
        (State::Warn, "all: CLOAKROOM_DIAGNOSTICS", "on")
    );
    assert_eq!(fix.matches(r#"{"CLOAKROOM_DIAGNOSTICS":"off"}"#).count(), 2);
}

#[test]
fn a_deployment_that_asks_nobody_is_warned_of() {
    let found = ill(&with(&[
        (Kind::Submit, AUTHORIZER, "none"),
        (Kind::Status, AUTHORIZER, ""),
        (Kind::Events, AUTHORIZER, ""),
    ]));
    assert_eq!(found.len(), 1, "{found:?}");
    let it = (found[0].state, &*found[0].check, &*found[0].found);
    assert_eq!(it, (State::Warn, "all: CLOAKROOM_AUTHORIZER", "none"));
}

#[test]
fn a_function_that_is_not_there_is_one_finding_and_all_of_them_the_last() {
    let mut functions = right();
    functions.0[2].1 = Answer::Absent;
    let (state, check, found, _) = judged(&functions);
    assert_eq!(
        (state, &*check, &*found),
        (
            State::Fail,
            "cloakroom-status: variables",
            "the function does not exist"
        )
    );
    assert!(there_is_one(&functions, &somewhere()).is_ok());
    for (_, answer) in &mut functions.0 {
        *answer = Answer::Absent;
    }
    let Stop(last, _) =
        there_is_one(&functions, &somewhere()).expect_err("nothing else can be asked");
    assert_eq!((last.subject, &*last.check), ("functions", "stack"));
}
