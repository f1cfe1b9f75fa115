//! The event source mapping: what reads the queue into the worker.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionResponseType};

use super::answer::{Answer, Call, Stop};
use super::command::Aws;
use super::finding::{Finding, check};
use super::functions::{Kind, name};
use super::queue;

/// One mapping of the worker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) uuid: String,
    /// The ARN of what it reads.
    pub(super) source: String,
    pub(super) state: String,
    pub(super) reports_failures: bool,
    pub(super) concurrency: Option<i32>,
}

/// What the template sets.
const CONCURRENCY: &str = "MaximumConcurrency=10";
const REPORTS: &str = "ReportBatchItemFailures";

const LIST: Call = Call { action: "lambda:ListEventSourceMappings", absent: &["ResourceNotFoundException"] };

pub(super) async fn ask(client: &Client, worker: &str) -> Result<Answer<Vec<Mapping>>, Stop> {
    let listed = client.list_event_source_mappings().function_name(worker).send().await;
    let mappings = Answer::of(LIST, listed)?;
    Ok(mappings.map(|it| it.event_source_mappings.unwrap_or_default().into_iter().map(read).collect()))
}

fn read(mapping: EventSourceMappingConfiguration) -> Mapping {
    Mapping {
        reports_failures: mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures),
        concurrency: mapping.scaling_config.and_then(|scaling| scaling.maximum_concurrency),
        uuid: mapping.uuid.unwrap_or_default(),
        source: mapping.event_source_arn.unwrap_or_default(),
        state: mapping.state.unwrap_or_default(),
    }
}

pub(super) fn judge(mappings: &Answer<Vec<Mapping>>, queue: &queue::Facts, aws: &Aws) -> Vec<Finding> {
    let named = check("mapping", "queue to worker");
    let all = match mappings.or_finding(named.clone()) {
        Ok(all) => all.map(Vec::as_slice).unwrap_or_default(),
        Err(finding) => return vec![finding],
    };
    // Without the queue its ARN is not known: its name is.
    let arn = queue.queue.read().map(|queue| queue.arn.as_str());
    let of_the_queue =
        |source: &str| arn.map_or_else(|| queue::name(source) == queue::name(&queue.url), |arn| arn == source);
    let Some(mapping) = all.iter().find(|it| of_the_queue(&it.source) && it.state != "Deleting") else {
        return vec![missing(all, arn, &queue.url, aws)];
    };
    vec![named.ok(mapping.uuid.as_str()), state(mapping, aws), reports(mapping, aws), concurrency(mapping, aws)]
}

fn missing(all: &[Mapping], arn: Option<&str>, url: &str, aws: &Aws) -> Finding {
    let found = match all {
        [] => "there is none".to_owned(),
        [one, ..] if one.state == "Deleting" => "it is being deleted; when it is gone, another can be made".to_owned(),
        [other, ..] => format!("it reads {}, and not {}", queue::name(&other.source), queue::name(url)),
    };
    let finding = check("mapping", "queue to worker")
        .fail(found, "nothing brings messages to the worker: jobs wait until they expire");
    let Some(arn) = arn else { return finding };
    let worker = name(&aws.stack, Kind::Worker);
    let mut words =
        vec!["lambda", "create-event-source-mapping", "--function-name", &worker, "--event-source-arn", arn];
    words.extend(["--batch-size", "5", "--function-response-types", REPORTS, "--scaling-config", CONCURRENCY]);
    finding.mended_by(aws.run(&words))
}

fn state(mapping: &Mapping, aws: &Aws) -> Finding {
    let check = check("mapping", "state");
    let finding = match mapping.state.as_str() {
        "Enabled" => return check.ok("Enabled"),
        state @ ("Creating" | "Enabling" | "Updating") => {
            return check.warn(state, "it is on its way: ask again in a minute");
        }
        other => check.fail(other, "nothing brings messages to the worker: jobs wait until they expire"),
    };
    finding.mended_by(update(mapping, &["--enabled"], aws))
}

fn reports(mapping: &Mapping, aws: &Aws) -> Finding {
    let check = check("mapping", REPORTS);
    if mapping.reports_failures {
        return check.ok("on");
    }
    let finding = check.fail(
        "it is off",
        "Lambda deletes the messages that the worker wants to keep: a job that is to be tried again, or whose worker \
         is gone, never ends",
    );
    finding.mended_by(update(mapping, &["--function-response-types", REPORTS], aws))
}

fn concurrency(mapping: &Mapping, aws: &Aws) -> Finding {
    let check = check("mapping", "maximum concurrency");
    if let Some(most) = mapping.concurrency {
        return check.ok(most.to_string());
    }
    let finding = check.warn(
        "it is not set",
        "a burst takes up the account's concurrency: other functions are throttled, and so is the worker, which uses \
         up its messages' receipts",
    );
    finding.mended_by(update(mapping, &["--scaling-config", CONCURRENCY], aws))
}

fn update(mapping: &Mapping, change: &[&str], aws: &Aws) -> String {
    let mut words = vec!["lambda", "update-event-source-mapping", "--uuid", &mapping.uuid];
    words.extend(change);
    aws.run(&words)
}

#[cfg(test)]
mod tests {
    use super::super::command::somewhere;
    use super::super::finding::State;
    use super::super::queue::tests::facts;
    use super::*;

    fn right() -> Mapping {
        Mapping {
            uuid: "u-1".to_owned(),
            source: "arn:aws:sqs:eu-west-1:1:work".to_owned(),
            state: "Enabled".to_owned(),
            reports_failures: true,
            concurrency: Some(10),
        }
    }

    /// What is not fine.
    fn judged(mappings: Vec<Mapping>) -> Vec<(State, String, Option<String>)> {
        let findings = judge(&Answer::Is(mappings), &facts(), &somewhere());
        let ill = findings.into_iter().filter(|it| it.state != State::Ok);
        ill.map(|it| (it.state, it.found, it.mend)).collect()
    }

    #[test]
    fn a_mapping_as_the_template_makes_it_is_fine() {
        assert_eq!(judged(vec![right()]), []);
    }

    #[test]
    fn without_a_mapping_of_this_queue_nothing_is_done() {
        let mend = "aws lambda create-event-source-mapping --function-name cloakroom-worker --event-source-arn \
                    arn:aws:sqs:eu-west-1:1:work --batch-size 5 --function-response-types ReportBatchItemFailures \
                    --scaling-config MaximumConcurrency=10 --region eu-west-1";
        assert_eq!(judged(vec![]), [(State::Fail, "there is none".to_owned(), Some(mend.to_owned()))]);
        let other = Mapping { source: "arn:aws:sqs:eu-west-1:1:other".to_owned(), ..right() };
        let found = "it reads other, and not work".to_owned();
        assert_eq!(judged(vec![other]), [(State::Fail, found, Some(mend.to_owned()))]);
    }

    #[test]
    fn a_mapping_that_is_off_is_turned_on() {
        let mend = "aws lambda update-event-source-mapping --uuid u-1 --enabled --region eu-west-1".to_owned();
        let off = Mapping { state: "Disabled".to_owned(), ..right() };
        assert_eq!(judged(vec![off]), [(State::Fail, "Disabled".to_owned(), Some(mend))]);
        let soon = Mapping { state: "Enabling".to_owned(), ..right() };
        assert_eq!(judged(vec![soon]), [(State::Warn, "Enabling".to_owned(), None)]);
    }

    #[test]
    fn without_reports_what_was_to_be_kept_is_deleted() {
        let mend = "aws lambda update-event-source-mapping --uuid u-1 --function-response-types \
                    ReportBatchItemFailures --region eu-west-1";
        let mute = Mapping { reports_failures: false, ..right() };
        assert_eq!(judged(vec![mute]), [(State::Fail, "it is off".to_owned(), Some(mend.to_owned()))]);
    }

    #[test]
    fn a_burst_is_bounded() {
        let mend = "aws lambda update-event-source-mapping --uuid u-1 --scaling-config MaximumConcurrency=10 \
                    --region eu-west-1";
        let unbounded = Mapping { concurrency: None, ..right() };
        assert_eq!(judged(vec![unbounded]), [(State::Warn, "it is not set".to_owned(), Some(mend.to_owned()))]);
    }
}
