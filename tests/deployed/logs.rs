//! Logs of the functions in CloudWatch Logs.

use std::env;

use cloakroom_tests::metrics::Metrics;
use serde_json::Value;
use tokio::process::Command;

/// Reader of the log groups of a stack (`CLOAKROOM_STACK`), with the AWS CLI in `CLOAKROOM_AWS_CLI`.
pub(crate) struct Logs {
    stack: String,
    cli: String,
}

impl Logs {
    pub(crate) fn find() -> Self {
        let or = |name: &str, usual: &str| env::var(name).unwrap_or_else(|_| usual.to_owned());
        Self {
            stack: or("CLOAKROOM_STACK", "cloakroom"),
            cli: or("CLOAKROOM_AWS_CLI", "aws"),
        }
    }

    /// Returns the service name in the metrics of the functions.
    pub(crate) fn service(&self) -> &str {
        &self.stack
    }

    /// Returns the lines that a function itself has logged since this time, in milliseconds since 1970. Omits Lambda's
    /// own lines.
    pub(crate) async fn of(&self, function: &str, since: u128) -> Vec<Value> {
        let group = format!("/aws/lambda/{}-{function}", self.stack);
        let mut command = Command::new(&self.cli);
        command.args([
            "logs",
            "filter-log-events",
            "--output",
            "json",
            "--query",
            "events[].message",
        ]);
        command
            .args([
                "--log-group-name",
                &group,
                "--start-time",
                &since.to_string(),
            ])
            .env("AWS_PAGER", "");
        let output = command.output().await.expect("the AWS CLI runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let messages: Vec<String> =
            serde_json::from_slice(&output.stdout).expect("a list of messages");
        messages
            .iter()
            .filter_map(|message| serde_json::from_str(message).ok())
            .collect()
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
