//! Checks of the functions: whether each starts with its variables, and whether all of them use the same resources.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;

use crate::answer::{Answer, Call, End, Stop};
use crate::command::Aws;
use crate::finding::{Finding, check};
use cloakroom_aws::config::ConfigError;

mod agreement;
mod kind;
mod variables;

pub(crate) use agreement::is_of;
pub(crate) use kind::{KINDS, Kind, name};
pub(crate) use variables::DEAD_LETTERS;
use variables::{
    BUCKET, DELIVERIES, DIAGNOSTICS, KEYS, LISTS, QUEUE, TABLE, Told, default_of, parse,
};

/// Configuration of a function in Lambda.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Function {
    /// Timeout of the function.
    pub(crate) timeout: Duration,
    pub(crate) variables: BTreeMap<String, String>,
}

/// Responses about the functions.
#[derive(Debug)]
pub(crate) struct Functions(pub(super) Vec<(Kind, Answer<Function>)>);

const GET: Call = Call {
    action: "lambda:GetFunctionConfiguration",
    absent: &["ResourceNotFoundException"],
};

pub(crate) async fn ask(client: &Client, stack: &str) -> Result<Functions, Stop> {
    let mut functions = vec![];
    for kind in KINDS {
        let got = client
            .get_function_configuration()
            .function_name(name(stack, kind))
            .send()
            .await;
        functions.push((kind, Answer::from_result(GET, got)?.map(read)));
    }
    Ok(Functions(functions))
}

fn read(got: GetFunctionConfigurationOutput) -> Function {
    let timeout = got
        .timeout
        .and_then(|seconds| seconds.try_into().ok())
        .unwrap_or(3);
    let variables = got
        .environment
        .and_then(|environment| environment.variables)
        .unwrap_or_default();
    Function {
        timeout: Duration::from_secs(timeout),
        variables: variables.into_iter().collect(),
    }
}

/// Ends the examination if no function of the stack exists: the name or the region is wrong, or it is not deployed.
pub(crate) fn there_is_one(functions: &Functions, aws: &Aws) -> Result<(), Stop> {
    if functions
        .0
        .iter()
        .any(|(_, answer)| *answer != Answer::Absent)
    {
        return Ok(());
    }
    let finding = check("functions", "stack").fail(
        format!("the stack {:?} has no function in {}", aws.stack, aws.region),
        "nothing else can be checked: select another stack with --stack or CLOAKROOM_STACK, or another region with \
         AWS_REGION",
    );
    Err(Stop(Box::new(finding.fixed_by(deploy(aws))), End::Answered))
}

fn deploy(aws: &Aws) -> String {
    let (stack, region) = (
        crate::command::quoted(&aws.stack),
        crate::command::quoted(&aws.region),
    );
    format!(
        "sam build -t infra/template.yaml && sam deploy --guided --stack-name {stack} --resolve-s3 --capabilities CAPABILITY_IAM --region {region}"
    )
}

/// Configuration of the functions, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) table: Option<String>,
    pub(crate) bucket: Option<String>,
    pub(crate) queue_url: Option<String>,
    /// URL of the queue in the configuration of dead-letters.
    pub(crate) dead_letters_url: Option<String>,
    /// URL of the sweeper's own queue.
    pub(crate) lists_url: Option<String>,
    /// URL of the queue of deliveries.
    pub(crate) deliveries_url: Option<String>,
    pub(crate) diagnostics: bool,
    /// Timeout of each function.
    pub(crate) timeouts: Vec<(Kind, Duration)>,
    /// Duration of a worker's lease, and its margin before the function's timeout.
    pub(crate) lease_and_margin: Option<(Duration, Duration)>,
}

impl Known {
    pub(crate) fn timeout(&self, of: Kind) -> Option<Duration> {
        self.timeouts
            .iter()
            .find(|(kind, _)| *kind == of)
            .map(|(_, timeout)| *timeout)
    }

    pub(crate) fn worker_timeout(&self) -> Option<Duration> {
        self.timeout(Kind::Worker)
    }
}

/// Checks each function alone, and then all of them together. `mapped` contains the ARNs of the queues that the worker
/// reads.
pub(crate) fn judge(functions: &Functions, mapped: &[String], aws: &Aws) -> (Vec<Finding>, Known) {
    let (mut findings, mut told, mut known) = (vec![], vec![], Known::default());
    for (kind, answer) in &functions.0 {
        let name = name(&aws.stack, *kind);
        let check = check("functions", format!("{name}: variables"));
        let function = match answer.or_finding(check.clone()) {
            Ok(Some(function)) => function,
            Ok(None) => {
                let finding = check.fail(
                    "the function does not exist",
                    "its work is not done, while the other functions run",
                );
                findings.push(finding.fixed_by(deploy(aws)));
                continue;
            }
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        known.timeouts.push((*kind, function.timeout));
        let (errors, read) = all_errors(*kind, function, functions);
        if errors.is_empty() {
            findings.push(check.clone().ok("valid"));
        }
        for (error, fix) in errors {
            let finding = check.clone().fail(
                error.to_string(),
                "the function fails at its start, so all of its requests fail",
            );
            findings.push(finding.fixed_by(fix_variable(error.name, fix.as_deref(), &name, aws)));
        }
        told.extend(read);
    }
    known.lease_and_margin = told.iter().find_map(|one| one.lease_and_margin);
    findings.extend(agreement::judge(&told, mapped, aws));
    let agreed = |variable| agreement::right(&told, variable, mapped);
    (known.table, known.bucket, known.queue_url) = (agreed(TABLE), agreed(BUCKET), agreed(QUEUE));
    (known.dead_letters_url, known.lists_url) = (agreed(DEAD_LETTERS), agreed(LISTS));
    known.deliveries_url = agreed(DELIVERIES);
    known.diagnostics = agreed(DIAGNOSTICS).is_some_and(|text| text == "on");
    (findings, known)
}

/// Returns all errors in the variables of a function, each with a value that fixes it. The parser stops at its first
/// error, so that error is fixed in a copy, until no error remains or no fix is known. Also returns the settings after
/// the fixes.
fn all_errors(
    kind: Kind,
    function: &Function,
    all: &Functions,
) -> (Vec<(ConfigError, Option<String>)>, Option<Told>) {
    let mut variables = function.variables.clone();
    let mut errors = vec![];
    loop {
        let error = match parse(kind, &|name| variables.get(name).cloned()) {
            Ok(told) => return (errors, Some(told)),
            Err(error) => error,
        };
        let others = all
            .0
            .iter()
            .filter(|(other, _)| *other != kind)
            .filter_map(|(_, answer)| answer.read());
        let others = others.filter_map(|other| other.variables.get(error.name).cloned());
        let good = others.chain(default_of(error.name)).find(|value| {
            let with = |name: &str| {
                if name == error.name {
                    Some(value.clone())
                } else {
                    variables.get(name).cloned()
                }
            };
            parse(kind, &with)
                .err()
                .is_none_or(|next| next.name != error.name)
        });
        if let Some(value) = &good {
            variables.insert(error.name.to_owned(), value.clone());
        }
        let stuck = good.is_none();
        errors.push((error, good));
        if stuck {
            return (errors, None);
        }
    }
}

/// Returns a command that sets a variable to `value`, or else to the stack's output.
fn fix_variable(variable: &str, value: Option<&str>, function: &str, aws: &Aws) -> String {
    let of_stack = |output| aws.set_variable_to(function, variable, &aws.output_of_stack(output));
    match (value, variable) {
        (Some(value), _) => aws.set_variable(function, variable, value),
        (None, TABLE) => of_stack("Table"),
        (None, BUCKET) => of_stack("Bucket"),
        (None, QUEUE) => of_stack("Queue"),
        (None, DEAD_LETTERS) => of_stack("DeadLetters"),
        (None, LISTS) => of_stack("Lists"),
        (None, DELIVERIES) => of_stack("Deliveries"),
        (None, KEYS) => of_stack("Keys"),
        (None, _) => deploy(aws),
    }
}

#[cfg(test)]
pub(crate) mod tests;
