//! Facts about the event source mappings, as Lambda reports them.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{EventSourceMappingConfiguration, FunctionResponseType};

use crate::answer::{Answer, Call, Stop};
use crate::command::Aws;
use crate::functions::{Kind, name};

/// An event source mapping of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) uuid: String,
    /// ARN of the source.
    pub(crate) source: String,
    pub(crate) state: String,
    pub(crate) reports_failures: bool,
    pub(crate) concurrency: Option<i32>,
    /// Filter patterns. A record must match one of them. Without patterns, all records match.
    pub(crate) filters: Vec<String>,
    /// True if Lambda splits a failed batch in two.
    pub(crate) bisects: bool,
}

/// Mappings of each function that has mappings.
#[derive(Debug)]
pub(crate) struct Mappings(pub(super) Vec<(Kind, Answer<Vec<Mapping>>)>);

const LIST: Call = Call {
    action: "lambda:ListEventSourceMappings",
    absent: &["ResourceNotFoundException"],
};

pub(crate) async fn ask(client: &Client, stack: &str) -> Result<Mappings, Stop> {
    let mut all = vec![];
    for kind in [
        Kind::Worker,
        Kind::DeadLetters,
        Kind::Sweeper,
        Kind::Publisher,
        Kind::Deliver,
    ] {
        let listed = client
            .list_event_source_mappings()
            .function_name(name(stack, kind))
            .send()
            .await;
        let mappings = Answer::from_result(LIST, listed)?;
        let mappings = mappings.map(|it| {
            it.event_source_mappings
                .unwrap_or_default()
                .into_iter()
                .map(read)
                .collect()
        });
        all.push((kind, mappings));
    }
    Ok(Mappings(all))
}

fn read(mapping: EventSourceMappingConfiguration) -> Mapping {
    let filters = mapping
        .filter_criteria
        .and_then(|criteria| criteria.filters)
        .unwrap_or_default();
    let response = mapping.function_response_types.unwrap_or_default();
    Mapping {
        reports_failures: response.contains(&FunctionResponseType::ReportBatchItemFailures),
        concurrency: mapping
            .scaling_config
            .and_then(|scaling| scaling.maximum_concurrency),
        filters: filters
            .into_iter()
            .filter_map(|filter| filter.pattern)
            .collect(),
        bisects: mapping.bisect_batch_on_function_error.unwrap_or_default(),
        uuid: mapping.uuid.unwrap_or_default(),
        source: mapping.event_source_arn.unwrap_or_default(),
        state: mapping.state.unwrap_or_default(),
    }
}

/// Mapping that limits the number of workers, with its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workers<'a> {
    pub(crate) uuid: &'a str,
    pub(crate) concurrency: i32,
}

/// Returns a command that changes the limit of the workers.
pub(crate) fn bounded(mapping: Workers<'_>, concurrency: i32, aws: &Aws) -> String {
    let bound = format!("MaximumConcurrency={concurrency}");
    aws.run(&[
        "lambda",
        "update-event-source-mapping",
        "--uuid",
        mapping.uuid,
        "--scaling-config",
        &bound,
    ])
}

impl Mappings {
    /// Returns the mapping that limits the workers, if one does.
    pub(crate) fn workers(&self) -> Option<Workers<'_>> {
        let all = self.of(Kind::Worker).read()?.iter();
        let bounds = all.filter_map(|it| {
            Some(Workers {
                uuid: &it.uuid,
                concurrency: it.concurrency?,
            })
        });
        bounds.max_by_key(|it| it.concurrency)
    }

    pub(super) fn of(&self, reader: Kind) -> &Answer<Vec<Mapping>> {
        self.0
            .iter()
            .find(|(kind, _)| *kind == reader)
            .map_or(&Answer::Absent, |(_, mappings)| mappings)
    }

    /// Returns the ARNs of the sources of this function.
    pub(crate) fn sources(&self, reader: Kind) -> Vec<String> {
        self.of(reader)
            .read()
            .map(|all| all.iter().map(|one| one.source.clone()).collect())
            .unwrap_or_default()
    }
}

/// Returns a command that changes a mapping.
pub(super) fn update(mapping: &Mapping, change: &[&str], aws: &Aws) -> String {
    let mut words = vec![
        "lambda",
        "update-event-source-mapping",
        "--uuid",
        &mapping.uuid,
    ];
    words.extend(change);
    aws.run(&words)
}
