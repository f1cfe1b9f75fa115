//! Checks of the queue: its visibility timeout and retention.

use std::time::Duration;

use crate::command::Aws;
use crate::finding::{Check, Finding, check};
use crate::needs::Needs;
use crate::redrive;
use crate::times::seconds;

mod facts;

use facts::USUAL_RETENTION;
pub(crate) use facts::{Facts, LONGEST_RETENTION, MOST_RECEIPTS, Queue, Redrive, ask, name, one};

/// Maximum visibility timeout of SQS.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 3600);

/// Recommended visibility timeout of a queue that Lambda reads, in multiples of the function's timeout.
const ADVISED: u32 = 6;

pub(crate) fn judge(
    facts: &Facts,
    worker: Option<Duration>,
    needs: Needs,
    aws: &Aws,
) -> Vec<Finding> {
    let queue = match facts.queue.or_finding(check("queue", "attributes")) {
        Ok(Some(queue)) => queue,
        Ok(None) => {
            let why = "no job can be accepted: the response to every submission is 503";
            let finding =
                check("queue", "name").fail(format!("the queue {} does not exist", facts.url), why);
            return vec![finding.fixed_by(create(&facts.url, worker, needs, aws))];
        }
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![check("queue", "name").ok(name(&facts.url))];
    let check = check("queue", "visibility timeout");
    findings.extend(worker.map(|worker| visibility(check, queue, worker, WORKER, &facts.url, aws)));
    findings.push(retention(queue, needs, &facts.url, aws));
    findings.extend(redrive::judge(facts, queue, needs, aws));
    findings
}

pub(crate) fn advised(worker: Duration) -> Duration {
    (worker * ADVISED).min(LONGEST_VISIBILITY)
}

fn kept(needs: Needs) -> Duration {
    USUAL_RETENTION.max(needs.retention).min(LONGEST_RETENTION)
}

/// Function that reads a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    /// Consequence of a visibility timeout that is shorter than the function's timeout.
    pub(crate) early: &'static str,
}

const WORKER: Reader = Reader {
    name: "the worker",
    early: "a message is received again while its worker still processes it: receipts are used up, and Lambda rejects the mapping",
};

/// Checks the visibility timeout. `timeout` is that of the function that reads the queue.
pub(crate) fn visibility(
    check: Check,
    queue: &Queue,
    timeout: Duration,
    Reader { name, early }: Reader,
    url: &str,
    aws: &Aws,
) -> Finding {
    let visible = queue.visibility;
    let found = format!(
        "{}, and {name} may run for {}",
        seconds(visible),
        seconds(timeout)
    );
    if visible >= advised(timeout) {
        return check.ok(seconds(visible));
    }
    let finding = if visible < timeout {
        check.fail(found, early)
    } else {
        check.warn(
            format!("{found}; AWS recommends {ADVISED} times that"),
            format!("a batch that Lambda delays, because {name} is throttled, is received again before it is processed"),
        )
    };
    finding.fixed_by(set(
        url,
        &format!("VisibilityTimeout={}", advised(timeout).as_secs()),
        aws,
    ))
}

fn retention(queue: &Queue, needs: Needs, url: &str, aws: &Aws) -> Finding {
    let check = check("queue", "message retention");
    // SQS does not support a longer retention: a longer delay is cut off there.
    if queue.retention >= needs.retention.min(LONGEST_RETENTION) {
        return check.ok(seconds(queue.retention));
    }
    let found = format!(
        "{}, and a job may wait for {}",
        seconds(queue.retention),
        seconds(needs.retention)
    );
    let finding = check.fail(
        found,
        "SQS deletes the message of a job that waits longer: the job was accepted and never runs",
    );
    finding.fixed_by(set(
        url,
        &format!("MessageRetentionPeriod={}", kept(needs).as_secs()),
        aws,
    ))
}

/// Returns a command that sets attributes of a queue.
pub(crate) fn set(url: &str, attributes: &str, aws: &Aws) -> String {
    aws.run(&[
        "sqs",
        "set-queue-attributes",
        "--queue-url",
        url,
        "--attributes",
        attributes,
    ])
}

/// Returns a command that creates the queue with all of its settings.
fn create(url: &str, worker: Option<Duration>, needs: Needs, aws: &Aws) -> String {
    let visibility = advised(worker.unwrap_or(needs.timeout)).as_secs();
    let attributes = format!(
        r#"{{"VisibilityTimeout":"{visibility}","MessageRetentionPeriod":"{}","RedrivePolicy":"{}"}}"#,
        kept(needs).as_secs(),
        redrive::policy(None, needs, aws),
    );
    let name = crate::command::quoted(name(url));
    aws.raw(&format!(
        "sqs create-queue --queue-name {name} --attributes '{attributes}'"
    ))
}

#[cfg(test)]
pub(crate) mod tests;
