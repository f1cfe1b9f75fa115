//! The queue: how long it hides what was received, and how long it keeps what was not.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::answer::{Answer, Call, Stop};
use crate::command::Aws;
use crate::finding::{Check, Finding, check};
use crate::needs::Needs;
use crate::redrive::{self, Redrive};
use crate::times::seconds;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) url: String,
    pub(crate) queue: Answer<Queue>,
    /// How long the dead-letter queue keeps messages, if the queue names one.
    pub(crate) dead_letters: Option<Answer<Duration>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) visibility: Duration,
    pub(crate) retention: Duration,
    pub(crate) redrive: Option<Redrive>,
}

/// The longest that SQS keeps a message.
pub(crate) const LONGEST_RETENTION: Duration = Duration::from_secs(14 * 24 * 3600);

/// What the template sets, and SQS by itself.
const USUAL_RETENTION: Duration = Duration::from_secs(4 * 24 * 3600);

/// The longest that SQS hides a message.
const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 3600);

/// The most that a redrive policy's receive count can be.
pub(crate) const MOST_RECEIPTS: u32 = 1000;

/// What AWS advises for a queue that Lambda reads: so many times the function's timeout.
const ADVISED: u32 = 6;

pub(crate) const NOT_THERE: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NonExistentQueue",
];

const GET: Call = Call {
    action: "sqs:GetQueueAttributes",
    absent: NOT_THERE,
};

pub(crate) async fn ask(client: &Client, url: &str) -> Result<Facts, Stop> {
    let queue = one(client, url).await?;
    let dead_letters = match queue.read().and_then(|queue| queue.redrive.as_ref()) {
        Some(redrive) => Some(redrive::ask(client, redrive).await?),
        None => None,
    };
    Ok(Facts {
        url: url.to_owned(),
        queue,
        dead_letters,
    })
}

pub(crate) async fn one(client: &Client, url: &str) -> Result<Answer<Queue>, Stop> {
    Ok(attributes(client, url)
        .await?
        .map(|attributes| read(&attributes)))
}

pub(crate) type Attributes = HashMap<QueueAttributeName, String>;

pub(crate) async fn attributes(client: &Client, url: &str) -> Result<Answer<Attributes>, Stop> {
    let got = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await;
    Ok(Answer::of(GET, got)?.map(|got| got.attributes.unwrap_or_default()))
}

fn read(attributes: &Attributes) -> Queue {
    Queue {
        arn: attributes
            .get(&QueueAttributeName::QueueArn)
            .cloned()
            .unwrap_or_default(),
        visibility: time(attributes, &QueueAttributeName::VisibilityTimeout, 30),
        retention: time(
            attributes,
            &QueueAttributeName::MessageRetentionPeriod,
            USUAL_RETENTION.as_secs(),
        ),
        redrive: attributes
            .get(&QueueAttributeName::RedrivePolicy)
            .and_then(|text| Redrive::read(text)),
    }
}

pub(crate) fn time(attributes: &Attributes, name: &QueueAttributeName, default: u64) -> Duration {
    Duration::from_secs(
        attributes
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default),
    )
}

/// The last part of a URL or an ARN.
pub(crate) fn name(of: &str) -> &str {
    of.rsplit(['/', ':']).next().unwrap_or(of)
}

pub(crate) fn judge(
    facts: &Facts,
    worker: Option<Duration>,
    needs: Needs,
    aws: &Aws,
) -> Vec<Finding> {
    let queue = match facts.queue.or_finding(check("queue", "attributes")) {
        Ok(Some(queue)) => queue,
        Ok(None) => {
            let why = "no job can be accepted: every submission is answered 503";
            let finding =
                check("queue", "name").fail(format!("there is no queue {}", facts.url), why);
            return vec![finding.mended_by(create(&facts.url, worker, needs, aws))];
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

/// Whose function reads a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    /// What comes of it when a message is hidden for a shorter time than the function may take.
    pub(crate) early: &'static str,
}

const WORKER: Reader = Reader {
    name: "the worker",
    early: "a message comes back while its worker is still at it: receipts are used up, and Lambda refuses the mapping",
};

/// `timeout`: of the function that reads it.
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
        "{}, and {name} may take {}",
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
            format!("{found}; AWS advises {ADVISED} times that"),
            format!("a batch that Lambda holds back, because {name} is throttled, comes back before it was tried"),
        )
    };
    finding.mended_by(set(
        url,
        &format!("VisibilityTimeout={}", advised(timeout).as_secs()),
        aws,
    ))
}

fn retention(queue: &Queue, needs: Needs, url: &str, aws: &Aws) -> Finding {
    let check = check("queue", "message retention");
    // More than the most can't be asked for: such a job waits for as long as SQS lets it.
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
        "the message of a job that waits longer is gone: the job was answered 202 and never runs",
    );
    finding.mended_by(set(
        url,
        &format!("MessageRetentionPeriod={}", kept(needs).as_secs()),
        aws,
    ))
}

/// Sets attributes of a queue.
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

/// The queue as it must be, whole.
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
