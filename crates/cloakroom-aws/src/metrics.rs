//! The meter of a deployment: CloudWatch's embedded metric format, a line of the log for every fact
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! It costs no call and no waiting: CloudWatch makes the metrics of the lines as they come in.
//!
//! Every combination of dimensions that is seen is a metric, and each metric costs (0.30 dollars a month, by the hours in
//! which it is seen). So the dimensions are few: the service, the command type, and of what ends badly its code. No tenant
//! and no job: the log is asked for those.

use std::time::Duration;

use cloakroom_app::core::Timestamp;
use cloakroom_app::host::{Host as _, SystemHost};
use cloakroom_app::meter::{Fact, Measure, Meter};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::config::MeterConfig;

/// What the metrics are found under.
pub const NAMESPACE: &str = "Cloakroom";

/// What is counted, and what is measured in milliseconds.
pub const METRICS: ([&str; 9], [&str; 2]) = (
    ["Accepted", "Replayed", "Started", "Retried", "Succeeded", "Failed", "Cancelled", "Dead", "Swept"],
    ["QueueDelay", "RunTime"],
);

/// Writes metrics as lines of a function's log.
#[derive(Debug, Clone)]
pub struct EmbeddedMetrics {
    config: MeterConfig,
    log: fn(&str),
}

impl EmbeddedMetrics {
    /// For this service; its lines, each with its end, are written by `log`.
    pub fn new(config: MeterConfig, log: fn(&str)) -> Self {
        Self { config, log }
    }
}

impl Meter for EmbeddedMetrics {
    fn record(&self, measure: &Measure) {
        (self.log)(&line(&self.config, measure, SystemHost.now()));
    }
}

/// One fact, as one line.
fn line(config: &MeterConfig, measure: &Measure, now: Timestamp) -> String {
    let mut line = serde_json::to_string(&Document { config, measure, now }).expect("its members are named by text");
    line.push('\n');
    line
}

/// A fact, as the specification has it.
struct Document<'a> {
    config: &'a MeterConfig,
    measure: &'a Measure,
    now: Timestamp,
}

/// What of a document becomes metrics.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: &'a [Directive<'a>],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: &'a [&'a [&'static str]],
    metrics: &'a [Metric],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { config, measure, now } = self;
        let (name, code, time) = parts(&measure.fact);
        let code = code.filter(|code| !code.is_empty()); // no dimension is empty
        let mut document = serializer.serialize_map(None)?;
        // Lambda takes a line without a level and a time for one of level INFO, and drops it where only warnings are wanted.
        // So it says the level that is wanted, whichever that is.
        document.serialize_entry("timestamp", &format_args!("{now}"))?;
        document.serialize_entry("level", &config.level)?;
        document.serialize_entry("Service", &config.service)?;
        let mut dimensions: &[&[_]] = &[&["Service"]];
        if let Some(command) = &measure.command {
            dimensions = &[&["Service"], &["Service", "Command"]];
            document.serialize_entry("Command", command.as_str())?;
        }
        if let Some(code) = code {
            document.serialize_entry("Code", code)?;
        }
        document.serialize_entry(name, &1)?;
        let mut metrics = vec![Metric { name, unit: "Count" }];
        if let Some((name, time)) = time {
            document.serialize_entry(name, &u64::try_from(time.as_millis()).unwrap_or(u64::MAX))?;
            metrics.push(Metric { name, unit: "Milliseconds" });
        }
        let mut directives = vec![Directive { namespace: NAMESPACE, dimensions, metrics: &metrics }];
        if code.is_some() && measure.command.is_some() {
            // The count alone: how long it took is not asked by code.
            let dimensions: &[&[_]] = &[&["Service", "Command", "Code"]];
            directives.push(Directive { namespace: NAMESPACE, dimensions, metrics: &metrics[..1] });
        }
        let metadata = Metadata { timestamp: now.as_millis(), cloud_watch_metrics: &directives };
        document.serialize_entry("_aws", &metadata)?;
        document.end()
    }
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
