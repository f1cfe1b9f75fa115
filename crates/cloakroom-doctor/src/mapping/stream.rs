//! Checks of the stream's mapping: its filter, and its behaviour after failures.

use serde_json::{Value, json};

use super::facts::{Mapping, update};
use super::link::Link;
use crate::command::Aws;
use crate::finding::Finding;

/// Path of the new status in a filter pattern.
const STATUS: [&str; 4] = ["dynamodb", "NewImage", "status", "S"];

/// Returns the filter of the template.
pub(super) fn criteria(link: Link) -> String {
    let patterns = match link {
        Link::Changes => changes().to_vec(),
        _ => vec![
            STATUS
                .iter()
                .rev()
                .fold(json!(["accepted"]), |inner, name| json!({ *name: inner })),
        ],
    };
    let filters: Vec<_> = patterns
        .iter()
        .map(|pattern| json!({ "Pattern": pattern.to_string() }))
        .collect();
    json!({ "Filters": filters }).to_string()
}

/// Returns the patterns of the publisher: changes of jobs with listeners. Most listeners only want the last change.
fn changes() -> [Value; 2] {
    let pattern = |image: Value| json!({ "dynamodb": { "NewImage": image } });
    [
        pattern(json!({ "notify": { "S": ["all"] } })),
        pattern(json!({
            "notify": { "S": ["terminal"] },
            "status": { "S": ["succeeded", "failed", "cancelled"] },
        })),
    ]
}

/// Checks the filter of the publisher.
pub(super) fn filter_of_changes(mapping: &Mapping, aws: &Aws) -> Finding {
    let check = Link::Changes.check("filter");
    let parsed = mapping
        .filters
        .iter()
        .map(|pattern| serde_json::from_str::<Value>(pattern).unwrap_or_default());
    let parsed: Vec<_> = parsed.collect();
    let finding = if changes().iter().all(|pattern| parsed.contains(pattern)) {
        return check.ok("jobs with listeners");
    } else if parsed.is_empty() {
        check.warn(
            "it does not exist",
            "the publisher runs for every change of every job, at a cost",
        )
    } else {
        check.fail(
            mapping.filters.join(" or "),
            "it may hide changes from the publisher: their listeners are not notified",
        )
    };
    let criteria = criteria(Link::Changes);
    finding.fixed_by(update(mapping, &["--filter-criteria", &criteria], aws))
}

/// Result of matching a record with status `accepted` against a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    Yes,
    No,
    /// The pattern has further conditions, or another form.
    Perhaps,
}

fn passes(pattern: &str) -> Passes {
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    let mut inner = &pattern;
    let mut alone = true;
    for name in STATUS {
        alone &= inner.as_object().is_some_and(|all| all.len() == 1);
        inner = &inner[name];
    }
    match inner.as_array() {
        Some(statuses) if statuses.iter().any(|one| one == "accepted") => {
            if alone {
                Passes::Yes
            } else {
                Passes::Perhaps
            }
        }
        Some(statuses) if statuses.iter().all(Value::is_string) => Passes::No,
        Some(_) | None => Passes::Perhaps,
    }
}

pub(super) fn filter(mapping: &Mapping, aws: &Aws) -> Finding {
    let check = Link::Stream.check("filter");
    let each: Vec<_> = mapping
        .filters
        .iter()
        .map(|pattern| passes(pattern))
        .collect();
    let found = || mapping.filters.join(" or ");
    let finding = if each.contains(&Passes::Yes) {
        return check.ok("accepted");
    } else if each.is_empty() {
        check.warn(
            "it does not exist",
            "the sweeper runs for every change of every job, at a cost",
        )
    } else if each.contains(&Passes::Perhaps) {
        check.warn(
            found(),
            "it may hide accepted jobs from the sweeper: a job whose message is lost never ends",
        )
    } else {
        check.fail(
            found(),
            "it hides all accepted jobs from the sweeper: a job whose message is lost never ends",
        )
    };
    let criteria = criteria(Link::Stream);
    finding.fixed_by(update(mapping, &["--filter-criteria", &criteria], aws))
}

pub(super) fn bisection(link: Link, mapping: &Mapping, aws: &Aws) -> Finding {
    let check = link.check("BisectBatchOnFunctionError");
    if mapping.bisects {
        return check.ok("on");
    }
    let finding = check.warn(
        "it is off",
        "a record that the function can't process blocks the others of its batch with every retry, and records are \
         deleted after a day",
    );
    finding.fixed_by(update(mapping, &["--bisect-batch-on-function-error"], aws))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_asks_for_more_than_the_status_may_keep_jobs_back() {
        for (pattern, want) in [
            (
                r#"{"dynamodb":{"NewImage":{"status":{"S":["accepted"]}}}}"#,
                Passes::Yes,
            ),
            (
                r#"{ "dynamodb": { "NewImage": { "status": { "S": ["accepted", "running"] } } } }"#,
                Passes::Yes,
            ),
            (
                r#"{"eventName":["INSERT"],"dynamodb":{"NewImage":{"status":{"S":["accepted"]}}}}"#,
                Passes::Perhaps,
            ),
            (
                r#"{"dynamodb":{"NewImage":{"status":{"S":[{"prefix":"acc"}]}}}}"#,
                Passes::Perhaps,
            ),
            (r#"{"eventName":["INSERT"]}"#, Passes::Perhaps),
            ("", Passes::Perhaps),
            (
                r#"{"dynamodb":{"NewImage":{"status":{"S":["running"]}}}}"#,
                Passes::No,
            ),
        ] {
            assert_eq!(passes(pattern), want, "{pattern}");
        }
    }
}
