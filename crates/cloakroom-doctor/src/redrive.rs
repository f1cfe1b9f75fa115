//! Checks of the dead letters: the redrive policy and the dead-letter queue.

use std::time::Duration;

use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::functions::{DEAD_LETTERS, Kind, is_of, name as function};
use crate::needs::Needs;
use crate::queue::{Facts, LONGEST_RETENTION, MOST_RECEIPTS, Queue, Redrive, name};
use crate::times::seconds;

/// Minimum receive count that AWS recommends, because throttling can use up fewer.
const LEAST_RECEIPTS: u32 = 5;

pub(crate) fn judge(facts: &Facts, queue: &Queue, needs: Needs, aws: &Aws) -> Vec<Finding> {
    let policy_check = check("queue", "redrive policy");
    let Some(redrive) = &queue.redrive else {
        let why = "a message that can't be read, or whose command is not deployed, is received again until its retention ends";
        let attributes = format!(r#"'{{"RedrivePolicy":"{}"}}'"#, policy(None, needs, aws));
        return vec![policy_check.fail("it is not set", why).fixed_by(set_raw(
            &facts.url,
            &attributes,
            aws,
        ))];
    };
    let mut findings = vec![
        policy_check.ok(name(&redrive.arn)),
        receipts(redrive, needs, &facts.url, aws),
    ];
    let letters_check = check("queue", "dead letters");
    let letters = facts
        .dead_letters
        .as_ref()
        .map(|letters| letters.or_finding(letters_check.clone()));
    findings.extend(letters.map(|letters| match letters {
        Ok(Some(retention)) => kept(*retention, queue, redrive, aws),
        Ok(None) => {
            let found = format!("the queue {} does not exist", name(&redrive.arn));
            let why =
                "messages that are received too often can't be moved, and are received again and again";
            letters_check
                .fail(found, why)
                .fixed_by(create(redrive, aws))
        }
        Err(finding) => finding,
    }));
    findings
}

/// Checks that dead-letters is configured with the queue in the redrive policy.
pub(crate) fn told(facts: &Facts, url: Option<&str>, aws: &Aws) -> Option<Finding> {
    let (redrive, url) = (facts.queue.read()?.redrive.as_ref()?, url?);
    let check = check("queue", format!("dead letters: {DEAD_LETTERS}"));
    let right = name(&redrive.arn);
    if is_of(url, &redrive.arn) {
        return Some(check.ok(right));
    }
    let dead_letters = function(&aws.stack, Kind::DeadLetters);
    let finding = check.fail(
        format!("{dead_letters} has {url}, and the redrive policy names {right}"),
        "the function can't delay dead letters that it could not store yet, because they are in another queue: they are \
         received again at once, or are never processed",
    );
    Some(finding.fixed_by(aws.set_variable_to(
        &dead_letters,
        DEAD_LETTERS,
        &aws.url_of_queue(right),
    )))
}

/// Checks the maximum receive count. Each attempt is a receipt, as is each look at a job that is not ready.
fn receipts(redrive: &Redrive, needs: Needs, url: &str, aws: &Aws) -> Finding {
    let check = check("queue", "receive count");
    let Redrive { arn, receipts } = redrive;
    let finding = if *receipts <= needs.attempts {
        let found = format!(
            "{receipts}, and a command has up to {} attempts",
            needs.attempts
        );
        check.fail(found, "every attempt is a receipt: the message of a job becomes a dead letter before the last attempt")
    } else if *receipts < LEAST_RECEIPTS {
        let found = format!("{receipts}, which is less than {LEAST_RECEIPTS}");
        check.warn(found, "a throttled worker uses up receipts: messages become dead letters before an attempt starts")
    } else {
        return check.ok(receipts.to_string());
    };
    let attributes = format!(
        r#"'{{"RedrivePolicy":"{}"}}'"#,
        policy(Some(arn), needs, aws)
    );
    finding.fixed_by(set_raw(url, &attributes, aws))
}

fn kept(retention: Duration, queue: &Queue, redrive: &Redrive, aws: &Aws) -> Finding {
    let check = check("queue", "dead letters");
    if retention >= queue.retention {
        return check.ok(format!("retained for {}", seconds(retention)));
    }
    let finding = check.fail(
        format!("retained for {}, and the queue retains messages for {}", seconds(retention), seconds(queue.retention)),
        "the retention counts from the first send: a message may be deleted as soon as it becomes a dead letter",
    );
    // Looks up the URL, which may differ from the queue's in more than the name.
    let url = aws.url_of_queue(name(&redrive.arn));
    let longest = LONGEST_RETENTION.as_secs();
    finding.fixed_by(aws.raw(&format!(
        "sqs set-queue-attributes --queue-url \"$({url})\" --attributes MessageRetentionPeriod={longest}"
    )))
}

/// Returns a redrive policy for this queue, or for the stack's queue, as a JSON string within a single-quoted word.
pub(crate) fn policy(arn: Option<&str>, needs: Needs, aws: &Aws) -> String {
    let arn = arn.map_or_else(
        || {
            let url = aws.output_of_stack("DeadLetters");
            let arn = format!(
                "sqs get-queue-attributes --queue-url \"$({url})\" --attribute-names QueueArn --query Attributes.QueueArn --output text"
            );
            format!("'\"$({})\"'", aws.raw(&arn))
        },
        str::to_owned,
    );
    let receipts = (2 * LEAST_RECEIPTS)
        .max(needs.attempts.saturating_mul(2))
        .min(MOST_RECEIPTS);
    format!(r#"{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"{receipts}\"}}"#)
}

fn set_raw(url: &str, attributes: &str, aws: &Aws) -> String {
    aws.raw(&format!(
        "sqs set-queue-attributes --queue-url {} --attributes {attributes}",
        crate::command::quoted(url)
    ))
}

fn create(redrive: &Redrive, aws: &Aws) -> String {
    let attributes = format!("MessageRetentionPeriod={}", LONGEST_RETENTION.as_secs());
    aws.run(&[
        "sqs",
        "create-queue",
        "--queue-name",
        name(&redrive.arn),
        "--attributes",
        &attributes,
    ])
}
