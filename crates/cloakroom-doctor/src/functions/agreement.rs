//! Checks that the functions use the same table, bucket, queue and namespace, and support the same commands.

use super::kind::{Kind, name};
use super::variables::{
    AUDIENCE, AUTHORIZER, BUCKET, CLAIM, DELIVERIES, DIAGNOSTICS, EVENT_BUS, KEYS, NAMESPACE,
    QUEUE, REPLY_QUEUES, SERVICE, TABLE, Told,
};
use crate::command::Aws;
use crate::finding::{Finding, check};

/// Variables that must be the same in all functions, and the consequence if they are not.
const SHARED: [(&str, &str); 13] = [
    (
        TABLE,
        "jobs are written to one table and read from another: they never run, or are never found",
    ),
    (
        BUCKET,
        "payloads and results are written to one bucket and read from another",
    ),
    (
        QUEUE,
        "messages are sent to one queue and received from another: jobs wait until they expire",
    ),
    (
        NAMESPACE,
        "another id is derived from the same key: GET /jobs?client_job_id=… finds nothing",
    ),
    (
        SERVICE,
        "the metrics of one service have several names, and its alarms watch one of them",
    ),
    (
        DIAGNOSTICS,
        "diagnostic jobs are accepted and never run, or the worker has commands that no client can submit",
    ),
    (
        AUTHORIZER,
        "a job is stored for one tenant and looked up for another, or one function does not identify its callers",
    ),
    (
        CLAIM,
        "a job is stored for one tenant and looked up for another: no caller finds it",
    ),
    (
        AUDIENCE,
        "one function accepts tokens of app clients that the other rejects",
    ),
    (
        DELIVERIES,
        "deliveries are sent to one queue and received from another: webhooks and replies are not sent",
    ),
    (
        KEYS,
        "links are signed with one key and verified with another: all of them are rejected",
    ),
    (
        REPLY_QUEUES,
        "jobs are accepted whose replies can't be sent, or rejected although they could",
    ),
    (
        EVENT_BUS,
        "events are put on the bus of publisher, or on none, whatever submit has",
    ),
];

/// Returns the value that all functions should have.
pub(super) fn right(told: &[Told], variable: &str, mapped: &[String]) -> Option<String> {
    let values: Vec<_> = told
        .iter()
        .filter_map(|one| one.shared.get(variable))
        .collect();
    let of = |kind| {
        told.iter()
            .find(|one| one.kind == kind)
            .and_then(|one| one.shared.get(variable))
    };
    let best = match variable {
        // The queue that the worker reads, or else the queue to which jobs are sent.
        QUEUE => values
            .iter()
            .copied()
            .find(|url| mapped.iter().any(|arn| is_of(url, arn)))
            .or(of(Kind::Submit)),
        // Jobs were accepted with the ids and tenants that these variables determine.
        NAMESPACE | CLAIM | AUDIENCE => of(Kind::Submit),
        // If one function requires identities, requiring them everywhere is safe.
        AUTHORIZER => values.iter().copied().find(|value| *value != "none"),
        // If it is off in one function, off is the safe value.
        DIAGNOSTICS => values.iter().copied().find(|value| *value == "off"),
        _ => {
            let votes = |value: &String| values.iter().filter(|other| **other == value).count();
            // Of equally frequent values, the first: that of the function that accepts jobs.
            values
                .iter()
                .copied()
                .rev()
                .max_by_key(|value| votes(value))
        }
    };
    best.or(values.first().copied()).cloned()
}

/// Returns true if a URL and an ARN belong to the same queue. Both end with account and name.
pub(crate) fn is_of(url: &str, arn: &str) -> bool {
    let mut url = url.trim_end_matches('/').rsplit('/');
    let mut arn = arn.rsplit(':');
    url.next() == arn.next() && url.next() == arn.next()
}

pub(super) fn judge(told: &[Told], mapped: &[String], aws: &Aws) -> Vec<Finding> {
    let mut findings = vec![];
    for (variable, why) in SHARED {
        let Some(right) = right(told, variable, mapped) else {
            continue;
        };
        let check = check("functions", format!("all: {variable}"));
        let dissent = told.iter().filter(|one| {
            one.shared
                .get(variable)
                .is_some_and(|value| *value != right)
        });
        let mut dissent = dissent.peekable();
        if dissent.peek().is_none() {
            findings.push(match (variable, right.as_str()) {
                (DIAGNOSTICS, "on") => diagnosed(aws),
                (AUTHORIZER, "none") => open(),
                (REPLY_QUEUES | EVENT_BUS, "") => check.clone().ok("none"),
                (AUDIENCE, "") => check.clone().ok("every app client of the user pool"),
                (_, right) => check.clone().ok(right),
            });
        }
        for one in dissent {
            let function = name(&aws.stack, one.kind);
            let found = format!(
                "{function} has {}, and the others have {right}",
                one.shared[variable]
            );
            findings.push(
                check
                    .clone()
                    .fail(found, why)
                    .fixed_by(aws.set_variable(&function, variable, &right)),
            );
        }
    }
    findings
}

fn open() -> Finding {
    check("functions", format!("all: {AUTHORIZER}")).warn(
        "none",
        "anyone who knows the URL can submit jobs, and see and cancel all jobs, because all callers are the tenant \
         `default`: use it for trials only; deploy with another value of the parameter Authorizer, which identifies callers",
    )
}

fn diagnosed(aws: &Aws) -> Finding {
    let off = |kind| aws.set_variable(&name(&aws.stack, kind), DIAGNOSTICS, "off");
    let finding = check("functions", format!("all: {DIAGNOSTICS}")).warn(
        "on",
        "any client can block and end workers with diagnostic.run: use it for trials, not for production",
    );
    finding.fixed_by(format!("{} && {}", off(Kind::Submit), off(Kind::Worker)))
}
