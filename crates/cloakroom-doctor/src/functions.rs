//! The functions: whether each starts with the variables that it has, and whether they speak of the same things.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;

use crate::answer::{Answer, Call, End, Stop};
use crate::command::Aws;
use crate::finding::{Finding, check};
use cloakroom_app::http_settings::{Authorizer, HttpSettings, TENANT_CLAIM};
use cloakroom_aws::config::{
    ConfigError, DeadLettersConfig, JobsConfig, Lookup, MeterConfig, SubmitConfig, SweeperConfig,
    WorkerConfig, http_settings,
};

mod agreement;

pub(crate) use agreement::is_of;

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Submit,
    Worker,
    Status,
    DeadLetters,
    Sweeper,
}

/// Each of them, in the order in which they are shown.
pub(crate) const KINDS: [Kind; 5] = [
    Kind::Submit,
    Kind::Worker,
    Kind::Status,
    Kind::DeadLetters,
    Kind::Sweeper,
];

pub(crate) fn name(stack: &str, kind: Kind) -> String {
    let kind = match kind {
        Kind::Submit => "submit",
        Kind::Worker => "worker",
        Kind::Status => "status",
        Kind::DeadLetters => "dead-letters",
        Kind::Sweeper => "sweeper",
    };
    format!("{stack}-{kind}")
}

/// A function as Lambda has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Function {
    /// After which it is ended.
    pub(crate) timeout: Duration,
    pub(crate) variables: BTreeMap<String, String>,
}

/// What was asked.
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
        functions.push((kind, Answer::of(GET, got)?.map(read)));
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

/// Where no function of the stack is, nothing of it is: another name, another region, or not deployed.
pub(crate) fn there_is_one(functions: &Functions, aws: &Aws) -> Result<(), Stop> {
    if functions
        .0
        .iter()
        .any(|(_, answer)| *answer != Answer::Absent)
    {
        return Ok(());
    }
    let finding = check("functions", "stack").fail(
        format!("there is no function of a stack {:?} in {}", aws.stack, aws.region),
        "nothing else can be asked: --stack or CLOAKROOM_STACK names another stack, AWS_REGION another region",
    );
    Err(Stop(
        Box::new(finding.mended_by(deploy(aws))),
        End::Answered,
    ))
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

/// What the functions say, where it is known. What each is told is at worst what it should be told.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) table: Option<String>,
    pub(crate) bucket: Option<String>,
    pub(crate) queue_url: Option<String>,
    /// Where dead-letters says that it gets its messages.
    pub(crate) dead_letters_url: Option<String>,
    /// The sweeper's own queue.
    pub(crate) lists_url: Option<String>,
    pub(crate) diagnostics: bool,
    /// Of each function, after which it is ended.
    pub(crate) timeouts: Vec<(Kind, Duration)>,
    /// How long a worker's lease lasts, and how long before its end it stops.
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

/// What one function's variables say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    kind: Kind,
    /// Variables that name what others have, or read, too; each written in one way.
    shared: BTreeMap<&'static str, String>,
    lease_and_margin: Option<(Duration, Duration)>,
}

/// Reads variables by the parsers that the functions themselves start with.
fn parse(kind: Kind, lookup: Lookup<'_>) -> Result<Told, ConfigError> {
    let mut lease_and_margin = None;
    let mut shared = vec![];
    match kind {
        Kind::Submit => {
            let (config, http) = (SubmitConfig::from_env(lookup)?, http_settings(lookup)?);
            shared.extend(callers(http));
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (QUEUE, config.queue_url),
            ]);
            shared.extend([
                (NAMESPACE, namespace(lookup)),
                (DIAGNOSTICS, on_or_off(config.diagnostics)),
            ]);
        }
        Kind::Worker => {
            let config = WorkerConfig::from_env(lookup)?;
            lease_and_margin = Some((config.settings.lease, config.settings.margin));
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (QUEUE, config.queue_url),
            ]);
            shared.push((DIAGNOSTICS, on_or_off(config.diagnostics)));
            // It derives ids where it accepts the commands of producers.
            shared.extend(config.producers.map(|_| (NAMESPACE, namespace(lookup))));
        }
        Kind::Status => {
            let (config, http) = (JobsConfig::from_env(lookup)?, http_settings(lookup)?);
            shared.extend(callers(http));
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (NAMESPACE, namespace(lookup)),
            ]);
        }
        Kind::DeadLetters => {
            let config = DeadLettersConfig::from_env(lookup)?;
            shared.extend([
                (TABLE, config.table),
                (BUCKET, config.bucket),
                (DEAD_LETTERS, config.dead_letters_url),
            ]);
        }
        Kind::Sweeper => {
            let config = SweeperConfig::from_env(lookup)?;
            shared.extend([
                (TABLE, config.table),
                (QUEUE, config.queue_url),
                (LISTS, config.lists_url),
            ]);
        }
    }
    let MeterConfig { service, .. } = MeterConfig::from_env(lookup)?;
    shared.push((SERVICE, service));
    Ok(Told {
        kind,
        shared: shared.into_iter().collect(),
        lease_and_margin,
    })
}

/// The parser took it for a UUID; as a text, for comparing, without its capitals and braces.
fn namespace(lookup: Lookup<'_>) -> String {
    let text = lookup(NAMESPACE).unwrap_or_default();
    uuid::Uuid::try_parse(text.trim()).map_or(text, |uuid| uuid.to_string())
}

const TABLE: &str = "CLOAKROOM_TABLE";
const BUCKET: &str = "CLOAKROOM_BUCKET";
const SERVICE: &str = "CLOAKROOM_SERVICE";
const QUEUE: &str = "CLOAKROOM_QUEUE_URL";
pub(crate) const DEAD_LETTERS: &str = "CLOAKROOM_DEAD_LETTERS_URL";
const LISTS: &str = "CLOAKROOM_LISTS_URL";
const NAMESPACE: &str = "CLOAKROOM_NAMESPACE";
const DIAGNOSTICS: &str = "CLOAKROOM_DIAGNOSTICS";
const AUTHORIZER: &str = "CLOAKROOM_AUTHORIZER";
const CLAIM: &str = "CLOAKROOM_TENANT_CLAIM";
const AUDIENCE: &str = "CLOAKROOM_TOKEN_AUDIENCE";

fn callers(http: HttpSettings) -> [(&'static str, String); 3] {
    let audience = http.token_audience.join(",");
    [
        (AUTHORIZER, http.authorizer.as_str().to_owned()),
        (CLAIM, http.tenant_claim),
        (AUDIENCE, audience),
    ]
}

fn on_or_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// Judges each function by itself, and then all of them together. `mapped`: the queues that are read into the worker.
pub(crate) fn judge(functions: &Functions, mapped: &[String], aws: &Aws) -> (Vec<Finding>, Known) {
    let (mut findings, mut told, mut known) = (vec![], vec![], Known::default());
    for (kind, answer) in &functions.0 {
        let name = name(&aws.stack, *kind);
        let check = check("functions", format!("{name}: variables"));
        let function = match answer.or_finding(check.clone()) {
            Ok(Some(function)) => function,
            Ok(None) => {
                let finding = check.fail(
                    "the function is not there",
                    "what it does is not done, while the others go on",
                );
                findings.push(finding.mended_by(deploy(aws)));
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
            findings.push(check.clone().ok("it starts with them"));
        }
        for (error, mend) in errors {
            let finding = check.clone().fail(
                error.to_string(),
                "the function stops at its start, so all that it does fails",
            );
            findings.push(finding.mended_by(mended(error.name, mend.as_deref(), &name, aws)));
        }
        told.extend(read);
    }
    known.lease_and_margin = told.iter().find_map(|one| one.lease_and_margin);
    findings.extend(agreement::judge(&told, mapped, aws));
    let agreed = |variable| agreement::right(&told, variable, mapped);
    (known.table, known.bucket, known.queue_url) = (agreed(TABLE), agreed(BUCKET), agreed(QUEUE));
    (known.dead_letters_url, known.lists_url) = (agreed(DEAD_LETTERS), agreed(LISTS));
    known.diagnostics = agreed(DIAGNOSTICS).is_some_and(|text| text == "on");
    (findings, known)
}

/// The parser stops at its first error. Here that one is mended, in a copy, until there is no other or none to mend it by:
/// each error with what mends it, and what the function is told then.
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

/// What a variable is where it is not set. One that is set to nothing counts as not set.
fn default_of(variable: &str) -> Option<String> {
    let value = match variable {
        "CLOAKROOM_INLINE_LIMIT_BYTES" => cloakroom_app::submit::INLINE_LIMIT.to_string(),
        "CLOAKROOM_LEASE_SECONDS" => cloakroom_app::work::WorkerSettings::default()
            .lease
            .as_secs()
            .to_string(),
        DIAGNOSTICS => "off".to_owned(),
        AUTHORIZER => Authorizer::default().as_str().to_owned(),
        CLAIM => TENANT_CLAIM.to_owned(),
        "CLOAKROOM_LONGEST_WAIT_SECONDS" => cloakroom_app::jobs::LONGEST_WAIT.as_secs().to_string(),
        "CLOAKROOM_PUBLIC_BASE_URL" => "/".to_owned(),
        "CLOAKROOM_CORS_ORIGINS" | "CLOAKROOM_PRODUCERS" | "CLOAKROOM_PRODUCER_BUCKETS" => {
            String::new()
        }
        _ => return None,
    };
    Some(value)
}

/// Sets a variable to this, or else to what the stack made under that name.
fn mended(variable: &str, value: Option<&str>, function: &str, aws: &Aws) -> String {
    let of_stack = |output| aws.set_variable_to(function, variable, &aws.output_of_stack(output));
    match (value, variable) {
        (Some(value), _) => aws.set_variable(function, variable, value),
        (None, TABLE) => of_stack("Table"),
        (None, BUCKET) => of_stack("Bucket"),
        (None, QUEUE) => of_stack("Queue"),
        (None, DEAD_LETTERS) => of_stack("DeadLetters"),
        (None, LISTS) => of_stack("Lists"),
        (None, _) => deploy(aws),
    }
}

#[cfg(test)]
pub(crate) mod tests;
