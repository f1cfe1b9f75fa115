use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, LifecycleExpiration, LifecycleRuleAndOperator,
    LifecycleRuleFilter, Tag,
};

use super::*;
use crate::command::somewhere;
use crate::finding::State;
use crate::needs::USUAL;

fn expiring(prefix: &str, days: u64) -> Rule {
    let id = if prefix.is_empty() {
        "everything"
    } else {
        prefix.trim_end_matches('/')
    };
    let (id, prefix) = (id.replace('/', "-"), prefix.to_owned());
    Rule {
        id,
        enabled: true,
        prefix,
        expires: Some(days),
        ..Rule::default()
    }
}

/// Returns the rules that the template creates.
fn right() -> Vec<Rule> {
    let unfinished = Rule {
        id: "unfinished".to_owned(),
        enabled: true,
        aborts: true,
        ..Rule::default()
    };
    let results = RESULT_DAYS.map(|days| expiring(&keys::results_prefix(days), days.into()));
    [
        expiring("payloads/", 3),
        expiring("uploads/", 1),
        unfinished,
    ]
    .into_iter()
    .chain(results)
    .collect()
}

/// Returns the findings that are not ok.
fn judged(rules: &[Rule], needs: Needs) -> Vec<(State, String)> {
    let ill = judge(rules, "things", needs, &somewhere())
        .into_iter()
        .filter(|it| it.state != State::Ok);
    ill.map(|it| (it.state, it.check.replace("lifecycle of ", "")))
        .collect()
}

fn failed(prefixes: &[&str]) -> Vec<(State, String)> {
    prefixes
        .iter()
        .map(|prefix| (State::Fail, (*prefix).to_owned()))
        .collect()
}

#[test]
fn the_rules_of_the_template_are_fine_and_so_is_one_for_all() {
    assert_eq!(judged(&right(), USUAL), []);
    let all = Rule {
        aborts: true,
        ..expiring("", 7)
    };
    let unused: Vec<_> = right()
        .into_iter()
        .filter(|rule| rule.prefix != "results/512d/")
        .collect();
    assert_eq!(judged(&unused, USUAL), []);
    assert_eq!(judged(&[all], USUAL), []);
}

#[test]
fn each_prefix_needs_a_rule_that_is_on_and_for_all_of_it() {
    for (at, prefix) in [(0, "payloads/"), (1, "uploads/"), (4, "results/2d/")] {
        let changed = |change: fn(&mut Rule)| {
            let mut rules = right();
            change(&mut rules[at]);
            judged(&rules, USUAL)
        };
        assert_eq!(changed(|rule| rule.enabled = false), failed(&[prefix]));
        assert_eq!(changed(|rule| rule.narrowed = true), failed(&[prefix]));
        assert_eq!(changed(|rule| rule.expires = None), failed(&[prefix]));
        assert_eq!(
            changed(|rule| rule.prefix.push_str("default/")),
            failed(&[prefix])
        );
    }
    let without: Vec<_> = right().into_iter().filter(|rule| !rule.aborts).collect();
    assert_eq!(
        judged(&without, USUAL),
        [(State::Warn, "unfinished uploads".to_owned())]
    );
}

#[test]
fn nothing_is_deleted_while_it_is_needed() {
    let mut rules = right();
    rules[0].expires = Some(1);
    assert_eq!(judged(&rules, USUAL), failed(&["payloads/"]));
    // By any rule that applies to an object, including filtered rules and rules with a date.
    for early in [
        Rule {
            narrowed: true,
            ..expiring("results/2d/one/", 1)
        },
        expiring("res", 1),
        expiring("results/", 0),
    ] {
        let rules: Vec<_> = right().into_iter().chain([early]).collect();
        assert_eq!(judged(&rules, USUAL), failed(&["results/2d/"]));
    }
    let all: Vec<_> = right().into_iter().chain([expiring("", 1)]).collect();
    assert_eq!(judged(&all, USUAL), failed(&["payloads/", "results/2d/"]));
    let long = Needs {
        objects_life: Duration::from_secs(73 * 3600),
        ..USUAL
    };
    assert_eq!(judged(&right(), long), failed(&["payloads/"]));
}

#[test]
fn the_fixing_command_puts_all_the_rules() {
    let command = put(&right()[..1], "things", USUAL, &somewhere());
    let json = command.split('\'').nth(1).expect("a quoted word");
    let rules: Value = serde_json::from_str(json).expect("JSON");
    let prefixes: Vec<_> = rules["Rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|it| &it["Filter"]["Prefix"])
        .collect();
    let results = RESULT_DAYS.map(keys::results_prefix);
    let all: Vec<_> = ["payloads/", "uploads/"]
        .into_iter()
        .chain(results.iter().map(String::as_str))
        .chain([""])
        .collect();
    assert_eq!(prefixes, all);
    assert!(
        command.starts_with("aws s3api put-bucket-lifecycle-configuration --bucket things "),
        "{command}"
    );
}

#[test]
fn rules_that_are_about_something_else_are_kept_as_they_are() {
    let other = Rule {
        id: "logs".to_owned(),
        ..expiring("logs/", 1)
    };
    let early = expiring("", 1);
    let command = put(
        &[right()[0].clone(), other, early],
        "things",
        USUAL,
        &somewhere(),
    );
    let query = r#"{Rules: [Rules[?!contains(`["payloads","everything"]`, ID)], `["#;
    assert!(command.contains(query), "{command}");
    assert!(
        command.contains("\"$(aws s3api get-bucket-lifecycle-configuration --bucket things "),
        "{command}"
    );
}

#[test]
fn a_rule_is_read_from_all_of_its_shapes() {
    let status = ExpirationStatus::Enabled;
    let days = |days| LifecycleExpiration::builder().days(days).build();
    let tag = || {
        Tag::builder()
            .key("a")
            .value("b")
            .build()
            .expect("both are set")
    };
    let rule = |filter| {
        let rule = LifecycleRule::builder()
            .id("payloads")
            .status(status.clone())
            .expiration(days(2))
            .filter(filter);
        Rule::read(&rule.build().expect("its status is set"))
    };
    let prefixed = LifecycleRuleFilter::builder().prefix("payloads/").build();
    assert_eq!(rule(prefixed), expiring("payloads/", 2));
    let and = LifecycleRuleAndOperator::builder()
        .prefix("payloads/")
        .tags(tag())
        .build();
    let narrowed = Rule {
        narrowed: true,
        ..expiring("payloads/", 2)
    };
    assert_eq!(
        rule(LifecycleRuleFilter::builder().and(and).build()),
        narrowed
    );
    assert!(rule(LifecycleRuleFilter::builder().tag(tag()).build()).narrowed);
    let abort = AbortIncompleteMultipartUpload::builder()
        .days_after_initiation(1)
        .build();
    let bare = LifecycleRule::builder()
        .id("unfinished")
        .status(status)
        .abort_incomplete_multipart_upload(abort);
    assert_eq!(
        Rule::read(&bare.build().expect("its status is set")),
        right()[2]
    );
}
