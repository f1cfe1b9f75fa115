//! Functions of a stack: their logs in CloudWatch Logs, their variables, and their event source mappings.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use cloakroom_tests::SDK_LOG;
use cloakroom_tests::metrics::Metrics;
use serde_json::{Value, json};
use tokio::process::Command;

/// Functions of a stack, accessed with the AWS CLI in `CLOAKROOM_AWS_CLI`.
pub(crate) struct Logs {
    stack: String,
    cli: String,
}

impl Logs {
    /// Returns those of the stack `CLOAKROOM_STACK`.
    pub(crate) fn find() -> Self {
        Self::of_stack(env::var("CLOAKROOM_STACK").unwrap_or_else(|_| "cloakroom".to_owned()))
    }

    pub(crate) fn of_stack(stack: String) -> Self {
        let cli = env::var("CLOAKROOM_AWS_CLI").unwrap_or_else(|_| "aws".to_owned());
        Self { stack, cli }
    }

    /// Returns the service name in the metrics of the functions.
    pub(crate) fn service(&self) -> &str {
        &self.stack
    }

    /// Returns the lines that a function itself has logged since this time, in milliseconds since 1970. Omits Lambda's
    /// own lines.
    pub(crate) async fn of(&self, function: &str, since: u128) -> Vec<Value> {
        let lines = self.messages(function, since).await;
        let parsed = lines.iter().map(|line| serde_json::from_str(line));
        parsed.filter_map(Result::ok).collect()
    }

    /// Returns how often a function was invoked since this time.
    pub(crate) async fn starts(&self, function: &str, since: u128) -> usize {
        let lines = self.messages(function, since).await;
        let is_start = |line: &&String| {
            line.starts_with("START ") || line.contains(r#""type":"platform.start""#)
        };
        lines.iter().filter(is_start).count()
    }

    /// Returns the calls of AWS that a function made since this time, with the number of each. See
    /// [`log_calls`](Self::log_calls).
    pub(crate) async fn calls(&self, function: &str, since: u128) -> BTreeMap<String, usize> {
        let log = self.of(function, since).await;
        let ids: BTreeSet<_> = log
            .iter()
            .filter(|line| line["span"]["rpc.system"] == "aws-api")
            .filter_map(|line| {
                let span = &line["span"];
                Some((span["name"].as_str()?, span["sdk_invocation_id"].as_u64()?))
            })
            .collect();
        let mut calls = BTreeMap::new();
        for (name, _) in ids {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
        calls
    }

    /// Makes a function log its calls of AWS, or no longer.
    pub(crate) async fn log_calls(&self, function: &str, on: bool) {
        let function = self.name(function);
        let name = ["--function-name", &function];
        let get = ["lambda", "get-function-configuration"];
        let mut configuration = self.aws(&[&get, &name[..]].concat()).await;
        let mut environment = configuration["Environment"].take();
        environment["Variables"]["RUST_LOG"] = json!(if on { SDK_LOG } else { "" });
        let environment = environment.to_string();
        let update = ["lambda", "update-function-configuration", "--environment"];
        self.aws(&[&update, &[environment.as_str()][..], &name].concat())
            .await;
        let wait = ["lambda", "wait", "function-updated-v2"];
        self.aws(&[&wait, &name[..]].concat()).await;
    }

    /// Connects a function to its event source, or disconnects it.
    pub(crate) async fn connect(&self, function: &str, on: bool) {
        let function = self.name(function);
        let list = [
            "lambda",
            "list-event-source-mappings",
            "--function-name",
            &function,
        ];
        let listed = self.aws(&list).await;
        let id = listed["EventSourceMappings"][0]["UUID"]
            .as_str()
            .expect("one");
        let switch = if on { "--enabled" } else { "--no-enabled" };
        self.aws(&[
            "lambda",
            "update-event-source-mapping",
            "--uuid",
            id,
            switch,
        ])
        .await;
        let (want, get) = (
            if on { "Enabled" } else { "Disabled" },
            ["lambda", "get-event-source-mapping", "--uuid", id],
        );
        while self.aws(&get).await["State"] != want {}
    }

    async fn messages(&self, function: &str, since: u128) -> Vec<String> {
        let (group, since) = (
            format!("/aws/lambda/{}", self.name(function)),
            since.to_string(),
        );
        let words = [
            "logs",
            "filter-log-events",
            "--query",
            "events[].message",
            "--log-group-name",
            &group,
            "--start-time",
            &since,
        ];
        serde_json::from_value(self.aws(&words).await).expect("a list of messages")
    }

    fn name(&self, function: &str) -> String {
        format!("{}-{function}", self.stack)
    }

    /// Runs a command of the CLI. Returns what it prints.
    async fn aws(&self, words: &[&str]) -> Value {
        let mut command = Command::new(&self.cli);
        command.args(words).args(["--output", "json"]);
        let output = command.env("AWS_PAGER", "").output().await;
        let output = output.expect("the AWS CLI runs");
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// Returns the metrics in these lines.
pub(crate) fn metrics<'a>(lines: impl IntoIterator<Item = &'a Value>) -> Metrics {
    let mut metrics = Metrics::default();
    for line in lines {
        metrics.take_in(line);
    }
    metrics
}
