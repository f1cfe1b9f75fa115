//! `diagnostic.run`: waits, reports progress, and succeeds or fails as requested. For experiments and tests.

mod ledger;

use std::time::Duration;

use cloakroom::FieldError;
use cloakroom::{Command, HandlerError, JobContext, Output};
use cloakroom::{Digest, Failure, Resource};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use ledger::{Ledger, Mark};

const MAX_DURATION_MS: u64 = 900_000;
const MAX_STEPS: u32 = 1000;
const MAX_EVENTS: usize = 10;
const MAX_RESULT_BYTES: usize = 64 * 1024 * 1024;

/// Actions of the job, in the order of the members. All are optional: without any, the job succeeds at once, without a result.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = one_result)]
struct Diagnostic {
    /// Duration of the job, in milliseconds.
    #[schemars(range(max = 900_000))]
    duration_ms: Option<u64>,
    /// Number of progress reports, at equal intervals. The last one comes at the end.
    #[schemars(range(max = 1000))]
    progress_steps: Option<u32>,
    /// Message of the progress reports, and of a failure.
    message: Option<String>,
    /// Kind of failure.
    fail: Option<Fail>,
    /// Number of attempts that fail, counted from the first. By default all of them.
    fail_attempts: Option<u32>,
    /// Status of a failure.
    #[schemars(range(min = 400, max = 499), extend("not" = { "enum": [401, 405, 407, 408, 425, 426, 429] }))]
    status: Option<u16>,
    /// Code of a failure: a kebab-case word.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,64}$"))]
    code: Option<String>,
    /// Result, as JSON. With `null` the job has no result.
    result: Option<Value>,
    /// Number of bytes of a binary result, which repeats the values 0 to 250. Replaces `result`.
    #[schemars(range(max = 67_108_864))]
    result_bytes: Option<usize>,
    /// Returns the SHA-256 of the message's UTF-8 bytes, in hex: `{"sha256_message": "…"}`. Replaces `result`. Without a message,
    /// it is the digest of an empty one.
    digest: Option<bool>,
    /// Location of the created resource: an absolute path (`/x`) or an `http(s)` URL.
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^(/([!-.0-\[\]-~][!-\[\]-~]*)?|https?://[!-~]+)$")
    )]
    resource: Option<String>,
    /// Events that the job publishes if it succeeds.
    #[schemars(length(max = 10))]
    publish: Option<Vec<Publish>>,
}

/// An event of the job's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Publish {
    /// Type of the event, for example `movie.created`.
    #[serde(rename = "type")]
    #[schemars(regex(pattern = "^[A-Za-z0-9._-]{1,128}$"))]
    kind: String,
    /// Content.
    #[serde(default)]
    data: Value,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Fail {
    /// The job fails.
    Terminal,
    /// The attempt fails, and another one follows if attempts are left.
    Retryable,
    /// The handler panics.
    Panic,
    /// The whole process aborts at once, with all other jobs in it.
    Exit,
}

/// Adds to the schema that a job has at most one result.
fn one_result(schema: &mut Schema) {
    let given =
        |name: &str, rule: Value| json!({ "required": [name], "properties": { name: rule } });
    let result = given("result", json!({ "not": { "type": "null" } }));
    let bytes = given("result_bytes", json!({ "type": "integer" }));
    let digest = given("digest", json!({ "const": true }));
    let two = [[&result, &bytes], [&result, &digest], [&bytes, &digest]]
        .map(|two| json!({ "allOf": two }));
    schema.insert("not".to_owned(), json!({ "anyOf": two }));
}

impl Diagnostic {
    fn has_digest(&self) -> bool {
        self.digest == Some(true)
    }

    fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut unless = |good: bool, pointer: &str, rule: &str| {
            if !good {
                errors.push(FieldError::new(pointer, rule));
            }
        };
        unless(
            self.duration_ms.is_none_or(|ms| ms <= MAX_DURATION_MS),
            "/duration_ms",
            "a duration is 0 to 900000 ms",
        );
        unless(
            self.progress_steps.is_none_or(|n| n <= MAX_STEPS),
            "/progress_steps",
            "the number of steps is 0 to 1000",
        );
        let status_rule =
            "the status of a failure is 400 to 499, but not 401, 405, 407, 408, 425, 426 or 429";
        unless(
            self.status.is_none_or(Failure::may_be_answered),
            "/status",
            status_rule,
        );
        let code_is_good = self
            .code
            .as_ref()
            .is_none_or(|code| Failure::new("").with_code(code).code == *code);
        unless(
            code_is_good,
            "/code",
            "a code is a kebab-case word of at most 64 characters",
        );
        let length_is_good = self
            .result_bytes
            .is_none_or(|bytes| bytes <= MAX_RESULT_BYTES);
        unless(
            length_is_good,
            "/result_bytes",
            "a result has 0 to 67108864 bytes",
        );
        let events = self.publish.as_deref().unwrap_or_default();
        unless(
            events.len() <= MAX_EVENTS,
            "/publish",
            "a job publishes at most 10 events",
        );
        for (n, event) in events.iter().enumerate() {
            let valid = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            unless(
                (1..=128).contains(&event.kind.len()) && event.kind.bytes().all(valid),
                &format!("/publish/{n}/type"),
                "a type is 1 to 128 letters, digits, '.', '_' and '-'",
            );
        }
        let results = [
            ("/result", self.result.is_some()),
            ("/result_bytes", self.result_bytes.is_some()),
            ("/digest", self.has_digest()),
        ];
        for (pointer, _) in results.into_iter().filter(|(_, given)| *given).skip(1) {
            unless(
                false,
                pointer,
                "a job has one result: send one of result, result_bytes and digest",
            );
        }
        if let Some(Err(rule)) = self.resource.as_deref().map(Resource::parse) {
            unless(false, "/resource", &rule.to_string());
        }
        errors
    }
}

/// Defines the command. Its delays between attempts are short, so that a person can watch them.
pub(crate) fn command() -> Command {
    let ledger = Ledger::from_env();
    Command::json(
        "diagnostic.run",
        move |todo: Diagnostic, job: JobContext| run(todo, job, ledger.clone()),
    )
    .validate(Diagnostic::check)
    .diagnostic()
    .timeout(Duration::from_secs(900))
    .attempts(3)
    .backoff(Duration::from_secs(1), Duration::from_secs(10))
}

async fn run(todo: Diagnostic, job: JobContext, ledger: Ledger) -> Result<Output, HandlerError> {
    ledger.note(Mark::Began, job.id(), job.attempt())?;
    take_time(&todo, &job).await?;
    let fails = todo
        .fail_attempts
        .is_none_or(|attempts| job.attempt() <= attempts);
    match todo.fail.filter(|_| fails) {
        None => {
            ledger.note(Mark::Did, job.id(), job.attempt())?;
            for event in todo.publish.iter().flatten() {
                job.publish(&event.kind, &event.data)?;
            }
            answer(&todo)
        }
        Some(Fail::Terminal) => Err(failure(&todo, HandlerError::terminal)),
        Some(Fail::Retryable) => Err(failure(&todo, HandlerError::retryable)),
        Some(Fail::Panic) => panic!("panicked, as the command asked"),
        // Not `exit`, which would run the handlers of an orderly end.
        Some(Fail::Exit) => std::process::abort(),
    }
}

async fn take_time(todo: &Diagnostic, job: &JobContext) -> Result<(), HandlerError> {
    let (begun, duration) = (
        Instant::now(),
        Duration::from_millis(todo.duration_ms.unwrap_or(0)),
    );
    let steps = todo.progress_steps.unwrap_or(0);
    for step in 1..=steps {
        wait(begun + duration * step / steps, job).await?;
        let message = todo
            .message
            .clone()
            .unwrap_or_else(|| format!("step {step} of {steps}"));
        job.progress(100.0 * f64::from(step) / f64::from(steps), message);
    }
    wait(begun + duration, job).await
}

async fn wait(until: Instant, job: &JobContext) -> Result<(), HandlerError> {
    let waited = async {
        // A timer takes at least a millisecond.
        if Instant::now() < until {
            sleep_until(until).await;
        }
    };
    tokio::select! {
        biased;
        () = job.cancelled() => Err(HandlerError::cancelled()),
        () = waited => Ok(()),
    }
}

fn failure(todo: &Diagnostic, new: fn(String) -> HandlerError) -> HandlerError {
    let mut error = new(todo
        .message
        .clone()
        .unwrap_or_else(|| "failed, as the command asked".to_owned()));
    if let Some(status) = todo.status {
        error = error.status(status);
    }
    if let Some(code) = &todo.code {
        error = error.code(code);
    }
    error
}

fn answer(todo: &Diagnostic) -> Result<Output, HandlerError> {
    let output = match (&todo.result, todo.result_bytes) {
        (Some(result), _) => Output::json(result)?,
        (None, Some(length)) => Output::bytes("application/octet-stream", some_bytes(length)),
        (None, None) if todo.has_digest() => {
            let message = todo.message.as_deref().unwrap_or_default();
            Output::json(
                &json!({ "sha256_message": Digest::from_content(message.as_bytes()).to_string() }),
            )?
        }
        (None, None) => Output::none(),
    };
    match &todo.resource {
        Some(resource) => output.at(resource),
        None => Ok(output),
    }
}

fn some_bytes(length: usize) -> Vec<u8> {
    let once: Vec<u8> = (0..=250).collect();
    let mut bytes = once.repeat(length.div_ceil(once.len()));
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests;
