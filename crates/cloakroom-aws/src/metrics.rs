//! The meter of a deployment: CloudWatch's embedded metric format, a line of the log for every fact
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! It costs no call and no waiting: CloudWatch makes the metrics of the lines as they come in.
//!
//! Every combination of dimensions that is seen is a metric, and each metric costs (0.30 dollars a month, by the hours in
//! which it is seen). So the dimensions are few: the service, the command type, and of what ends badly its code. No tenant
//! and no job: the log is asked for those.

use std::io::Write as _;
use std::time::Duration;

use cloakroom_app::core::Timestamp;
use cloakroom_app::host::{Host as _, SystemHost};
use cloakroom_app::meter::{Fact, Measure, Meter};
use serde_json::{Map, Value, json};

use crate::config::MeterConfig;

/// What the metrics are found under.
pub const NAMESPACE: &str = "Cloakroom";

/// What is counted, and what is measured in milliseconds.
pub const METRICS: ([&str; 9], [&str; 2]) = (
    ["Accepted", "Replayed", "Started", "Retried", "Succeeded", "Failed", "Cancelled", "Dead", "Swept"],
    ["QueueDelay", "RunTime"],
);

/// Writes metrics to standard output, which is a function's log.
#[derive(Debug, Clone)]
pub struct EmbeddedMetrics {
    config: MeterConfig,
}

impl EmbeddedMetrics {
    /// For this service.
    pub fn new(config: MeterConfig) -> Self {
        Self { config }
    }
}

impl Meter for EmbeddedMetrics {
    fn record(&self, measure: &Measure) {
        let line = line(&self.config, measure, SystemHost.now());
        // In one piece, as the log's own lines are. Where there is nobody to read it, there is nothing to be done.
        _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

/// One fact, as one line.
fn line(config: &MeterConfig, measure: &Measure, now: Timestamp) -> String {
    let (name, code, time) = parts(&measure.fact);
    let code = code.filter(|code| !code.is_empty()); // no dimension is empty
    let mut metrics = vec![json!({"Name": name, "Unit": "Count"})];
    // Lambda takes a line without a level and a time for one of level INFO, and drops it where only warnings are wanted.
    // So it says the level that is wanted, whichever that is.
    let mut root = Map::from_iter([
        ("timestamp".to_owned(), json!(now.to_string())),
        ("level".to_owned(), json!(config.level)),
        ("Service".to_owned(), json!(config.service)),
        (name.to_owned(), json!(1)),
    ]);
    if let Some((name, time)) = time {
        metrics.push(json!({"Name": name, "Unit": "Milliseconds"}));
        root.insert(name.to_owned(), json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    }
    let mut dimensions = vec![json!(["Service"])];
    if let Some(command) = &measure.command {
        dimensions.push(json!(["Service", "Command"]));
        root.insert("Command".to_owned(), json!(command.as_str()));
    }
    let mut directives = vec![json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics})];
    if code.is_some() && measure.command.is_some() {
        // The count alone: how long it took is not asked by code.
        let dimensions = json!([["Service", "Command", "Code"]]);
        directives.push(json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": [metrics[0]]}));
    }
    if let Some(code) = code {
        root.insert("Code".to_owned(), json!(code));
    }
    root.insert("_aws".to_owned(), json!({"Timestamp": now.as_millis(), "CloudWatchMetrics": directives}));
    format!("{}\n", Value::Object(root))
}

/// The metric that counts a fact; its code; the metric of its time.
fn parts(fact: &Fact) -> (&'static str, Option<&str>, Option<(&'static str, Duration)>) {
    let run = |time: Option<Duration>| time.map(|time| ("RunTime", time));
    match fact {
        Fact::Accepted => ("Accepted", None, None),
        Fact::Replayed => ("Replayed", None, None),
        Fact::Started { queue_delay } => ("Started", None, Some(("QueueDelay", *queue_delay))),
        Fact::Retried { run_time } => ("Retried", None, run(Some(*run_time))),
        Fact::Succeeded { run_time } => ("Succeeded", None, run(Some(*run_time))),
        Fact::Failed { code, run_time } => ("Failed", Some(code), run(*run_time)),
        Fact::Cancelled { run_time } => ("Cancelled", None, run(*run_time)),
        Fact::Dead { code } => ("Dead", Some(code), None),
        Fact::Swept => ("Swept", None, None),
    }
}

#[cfg(test)]
mod tests;
