//! Checks of the sweeper's own queue. It contains lists of open jobs, each hidden until its next look.

use std::time::Duration;

use aws_sdk_sqs::Client;

use crate::answer::{Answer, Stop};
use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::queue::{self, LONGEST_RETENTION, Queue, Reader, name};

const SUBJECT: &str = "lists";

/// Function that reads the queue.
const SWEEPER: Reader = Reader {
    name: "the sweeper",
    early: "a list is received again while the sweeper still processes it: its jobs are checked twice, and Lambda rejects the mapping",
};

/// Timeout of the sweeper in the template.
const USUAL_TIMEOUT: Duration = Duration::from_secs(60);

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

pub(crate) fn judge(facts: &Facts, sweeper: Option<Duration>, aws: &Aws) -> Vec<Finding> {
    let queue = match facts.queue.or_finding(check(SUBJECT, "attributes")) {
        Ok(Some(queue)) => queue,
        Ok(None) => {
            let found = format!("the queue {} does not exist", facts.url);
            let why = "the sweeper can't store the jobs that have not ended at its first check: it fails, and a job whose \
                       message is lost never ends";
            return vec![
                check(SUBJECT, "name")
                    .fail(found, why)
                    .fixed_by(create(&facts.url, sweeper, aws)),
            ];
        }
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![check(SUBJECT, "name").ok(name(&facts.url))];
    let check = check(SUBJECT, "visibility timeout");
    findings.extend(
        sweeper.map(|sweeper| queue::visibility(check, queue, sweeper, SWEEPER, &facts.url, aws)),
    );
    findings.push(redrive(queue, &facts.url, aws));
    findings
}

/// Checks the redrive policy. A list is received until its last job has ended: every five minutes if messages wait.
fn redrive(queue: &Queue, url: &str, aws: &Aws) -> Finding {
    let check = check(SUBJECT, "redrive policy");
    match &queue.redrive {
        None => check.ok("none"),
        Some(it) if it.receipts >= queue::MOST_RECEIPTS => check.ok(format!("after {} receipts", it.receipts)),
        Some(it) => check
            .fail(
                format!("a list is moved to {} after {} receipts", name(&it.arn), it.receipts),
                "a list is received until all of its jobs have ended: the jobs of a list that is moved are not checked \
                 again, and never end if their messages are lost",
            )
            .fixed_by(queue::set(url, r#"{"RedrivePolicy":""}"#, aws)),
    }
}

fn create(url: &str, sweeper: Option<Duration>, aws: &Aws) -> String {
    let visibility = queue::advised(sweeper.unwrap_or(USUAL_TIMEOUT)).as_secs();
    let attributes = format!(
        "VisibilityTimeout={visibility},MessageRetentionPeriod={}",
        LONGEST_RETENTION.as_secs()
    );
    aws.run(&[
        "sqs",
        "create-queue",
        "--queue-name",
        name(url),
        "--attributes",
        &attributes,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::somewhere;
    use crate::finding::State;
    use crate::queue::Redrive;

    const URL: &str = "https://sqs.eu-west-1.amazonaws.com/1/lists";

    /// Returns the queue as the template creates it.
    fn right() -> Queue {
        Queue {
            arn: "arn:aws:sqs:eu-west-1:1:lists".to_owned(),
            visibility: Duration::from_secs(360),
            retention: LONGEST_RETENTION,
            redrive: None,
        }
    }

    /// Returns the findings that are not ok: the state, the check and the command.
    fn judged(queue: Answer<Queue>) -> Vec<(State, String, String)> {
        let facts = Facts {
            url: URL.to_owned(),
            queue,
        };
        let findings = judge(&facts, Some(Duration::from_secs(60)), &somewhere());
        let ill = findings.into_iter().filter(|it| it.state != State::Ok);
        ill.map(|it| (it.state, it.check, it.fix.unwrap_or_default()))
            .collect()
    }

    fn setting(attributes: &str) -> String {
        format!(
            "aws sqs set-queue-attributes --queue-url {URL} --attributes {attributes} --region eu-west-1"
        )
    }

    #[test]
    fn a_queue_as_the_template_makes_it_is_fine() {
        assert_eq!(judged(Answer::Is(right())), []);
    }

    #[test]
    fn a_queue_that_is_not_there_is_made() {
        let fix = "aws sqs create-queue --queue-name lists --attributes \
                    VisibilityTimeout=360,MessageRetentionPeriod=1209600 --region eu-west-1";
        assert_eq!(
            judged(Answer::Absent),
            [(State::Fail, "name".to_owned(), fix.to_owned())]
        );
    }

    #[test]
    fn a_list_stays_hidden_for_as_long_as_the_sweeper_runs() {
        for (seconds, state) in [(59, State::Fail), (60, State::Warn), (359, State::Warn)] {
            let queue = Queue {
                visibility: Duration::from_secs(seconds),
                ..right()
            };
            let want = (
                state,
                "visibility timeout".to_owned(),
                setting("VisibilityTimeout=360"),
            );
            assert_eq!(judged(Answer::Is(queue)), [want], "{seconds}");
        }
    }

    #[test]
    fn a_list_is_received_until_its_jobs_are_over() {
        let after = |receipts| {
            let redrive = Some(Redrive {
                arn: "arn:aws:sqs:eu-west-1:1:dead".to_owned(),
                receipts,
            });
            judged(Answer::Is(Queue { redrive, ..right() }))
        };
        let fix = setting(r#"'{"RedrivePolicy":""}'"#);
        assert_eq!(after(10), [(State::Fail, "redrive policy".to_owned(), fix)]);
        assert_eq!(after(1000), []);
    }
}
