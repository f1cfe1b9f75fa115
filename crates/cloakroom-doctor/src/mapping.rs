//! Checks of the event source mappings, which connect queues and the table's stream to functions.

use crate::answer::Answer;
use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::functions::name;
use crate::queue::{self, Queue};

mod facts;
mod link;
mod stream;

use facts::update;
pub(crate) use facts::{Mapping, Mappings, Workers, ask, bounded};
pub(crate) use link::Link;
use link::REPORTS;

/// Source of a mapping, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Arn(&'a str),
    /// URL of a queue whose ARN is not known.
    Url(&'a str),
}

impl<'a> Source<'a> {
    /// Creates the source of a queue.
    pub(crate) fn from_queue(queue: &'a Answer<Queue>, url: &'a str) -> Self {
        queue
            .read()
            .map_or(Self::Url(url), |queue| Self::Arn(&queue.arn))
    }

    fn is(self, source: &str) -> bool {
        match self {
            Self::Arn(arn) => arn == source,
            Self::Url(url) => queue::name(url) == queue::name(source),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Arn(it) | Self::Url(it) => shown(it),
        }
    }
}

/// Returns the name of a queue, or of a table and its stream.
fn shown(source: &str) -> &str {
    source
        .split_once(":table/")
        .map_or_else(|| queue::name(source), |(_, stream)| stream)
}

/// Checks the mapping that must read this source. `None` is an unknown source, which another finding reports.
pub(crate) fn judge(
    link: Link,
    mappings: &Mappings,
    source: Option<Source<'_>>,
    aws: &Aws,
) -> Vec<Finding> {
    let named = check("mapping", link.name());
    let Some(source) = source else {
        return vec![named.skip("not checked: its source is unknown")];
    };
    let all = match mappings.of(link.reader()).or_finding(named.clone()) {
        Ok(all) => all.map(Vec::as_slice).unwrap_or_default(),
        Err(finding) => return vec![finding],
    };
    let Some(mapping) = all
        .iter()
        .find(|it| source.is(&it.source) && it.state != DELETING)
    else {
        return vec![missing(link, all, source, aws)];
    };
    let mut findings = vec![named.ok(mapping.uuid.as_str()), state(link, mapping, aws)];
    findings.extend(
        link.unreported()
            .map(|why| reports(link, why, mapping, aws)),
    );
    match link {
        Link::Queue => findings.push(concurrency(link, mapping, aws)),
        Link::DeadLetters | Link::Lists | Link::Deliveries => {}
        Link::Stream => findings.extend([
            stream::filter(mapping, aws),
            stream::bisection(link, mapping, aws),
        ]),
        Link::Changes => findings.extend([
            stream::filter_of_changes(mapping, aws),
            stream::bisection(link, mapping, aws),
        ]),
    }
    findings
}

const DELETING: &str = "Deleting";

fn missing(link: Link, all: &[Mapping], source: Source<'_>, aws: &Aws) -> Finding {
    // The sweeper has mappings of two services. A mapping of the other service is not a wrong one.
    let other = all
        .iter()
        .find(|it| it.source.contains(link.service()) && it.state != DELETING);
    let found = match other {
        _ if all.iter().any(|it| source.is(&it.source)) => {
            "it is being deleted; wait until it no longer exists, then create another".to_owned()
        }
        Some(other) => format!(
            "it reads {} instead of {}",
            shown(&other.source),
            source.name()
        ),
        None => "it does not exist".to_owned(),
    };
    let finding = check("mapping", link.name()).fail(found, link.unread());
    let Source::Arn(arn) = source else {
        return finding;
    };
    let reader = name(&aws.stack, link.reader());
    let mut words = vec![
        "lambda",
        "create-event-source-mapping",
        "--function-name",
        &reader,
        "--event-source-arn",
        arn,
    ];
    let criteria = stream::criteria(link);
    words.extend(link.options(&criteria));
    finding.fixed_by(aws.run(&words))
}

fn state(link: Link, mapping: &Mapping, aws: &Aws) -> Finding {
    let check = link.check("state");
    let finding = match mapping.state.as_str() {
        "Enabled" => return check.ok("Enabled"),
        state @ ("Creating" | "Enabling" | "Updating") => {
            return check.warn(
                state,
                "the change is in progress: run the doctor again in a minute",
            );
        }
        other => check.fail(other, link.unread()),
    };
    finding.fixed_by(update(mapping, &["--enabled"], aws))
}

fn reports(link: Link, why: &str, mapping: &Mapping, aws: &Aws) -> Finding {
    let check = link.check(REPORTS);
    if mapping.reports_failures {
        return check.ok("on");
    }
    let finding = check.fail("it is off", why);
    finding.fixed_by(update(
        mapping,
        &["--function-response-types", REPORTS],
        aws,
    ))
}

fn concurrency(link: Link, mapping: &Mapping, aws: &Aws) -> Finding {
    let check = link.check("maximum concurrency");
    if let Some(most) = mapping.concurrency {
        return check.ok(most.to_string());
    }
    let finding = check.warn(
        "it is not set",
        "a burst uses up the account's concurrency: other functions are throttled, and so is the worker, which uses up \
         the receive counts of its messages",
    );
    finding.fixed_by(update(
        mapping,
        &["--scaling-config", link::CONCURRENCY],
        aws,
    ))
}

#[cfg(test)]
mod tests;
