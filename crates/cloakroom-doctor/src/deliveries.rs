//! Checks of the queue of deliveries to webhooks and reply queues.

use std::time::Duration;

use aws_sdk_sqs::Client;

use crate::answer::{Answer, Stop};
use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::queue::{self, Queue, Reader, name};

const SUBJECT: &str = "deliveries";

/// Function that reads the queue.
const DELIVER: Reader = Reader {
    name: "deliver",
    early: "a delivery is received again while its attempt is in progress: receivers get it twice, and Lambda rejects the mapping",
};

/// Responses about the queue.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) url: String,
    pub(crate) queue: Answer<Queue>,
}

pub(crate) async fn ask(client: &Client, url: &str) -> Result<Facts, Stop> {
    Ok(Facts {
        url: url.to_owned(),
        queue: queue::one(client, url).await?,
    })
}

pub(crate) fn judge(facts: &Facts, deliver: Option<Duration>, aws: &Aws) -> Vec<Finding> {
    let queue = match facts.queue.or_finding(check(SUBJECT, "attributes")) {
        Ok(Some(queue)) => queue,
        Ok(None) => {
            let found = format!("the queue {} does not exist", facts.url);
            let why = "the publisher fails: no webhook and no reply is sent";
            let create = aws.run(&["sqs", "create-queue", "--queue-name", name(&facts.url)]);
            return vec![check(SUBJECT, "name").fail(found, why).fixed_by(create)];
        }
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![check(SUBJECT, "name").ok(name(&facts.url))];
    let check = check(SUBJECT, "visibility timeout");
    findings.extend(
        deliver.map(|deliver| queue::visibility(check, queue, deliver, DELIVER, &facts.url, aws)),
    );
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::somewhere;
    use crate::finding::State;

    /// Returns the state and the command of each finding that is not ok, for a visibility timeout in seconds.
    fn judged(visibility: Option<u64>) -> Vec<(State, String)> {
        let queue = visibility.map(|seconds| Queue {
            arn: "arn:aws:sqs:eu-west-1:1:deliveries".to_owned(),
            visibility: Duration::from_secs(seconds),
            retention: Duration::from_secs(345_600),
            redrive: None,
        });
        let facts = Facts {
            url: "https://sqs.eu-west-1.amazonaws.com/1/deliveries".to_owned(),
            queue: queue.map_or(Answer::Absent, Answer::Is),
        };
        let findings = judge(&facts, Some(Duration::from_secs(30)), &somewhere());
        let ill = findings.into_iter().filter(|it| it.state != State::Ok);
        ill.map(|it| (it.state, it.fix.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn a_delivery_stays_hidden_while_its_attempt_is_in_progress() {
        assert_eq!(judged(Some(180)), []);
        for (seconds, state) in [(29, State::Fail), (30, State::Warn)] {
            let fix = "aws sqs set-queue-attributes --queue-url https://sqs.eu-west-1.amazonaws.com/1/deliveries \
                       --attributes VisibilityTimeout=180 --region eu-west-1";
            assert_eq!(judged(Some(seconds)), [(state, fix.to_owned())]);
        }
    }

    #[test]
    fn a_queue_that_does_not_exist_is_created() {
        let fix = "aws sqs create-queue --queue-name deliveries --region eu-west-1";
        assert_eq!(judged(None), [(State::Fail, fix.to_owned())]);
    }
}
