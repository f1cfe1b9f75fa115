//! Meter of a deployment: log lines in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! It needs no call and no waiting, because CloudWatch extracts the metrics from the log. The log is billed by bytes.
//! So facts that are written together, such as those of a batch, share a line: counts as their sum, durations as a
//! list.
//!
//! Every combination of dimensions is billed as a metric (0.30 dollars a month, prorated by the hours in which it
//! occurs). So there are few dimensions: the service, the command type, and the code of a failure. There is no tenant
//! and no job: query the log for those.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloakroom_app::core::{CommandType, Timestamp};
use cloakroom_app::host::{Host as _, SystemHost};
use cloakroom_app::meter::{Fact, Measure, Meter};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::config::MeterConfig;

/// CloudWatch namespace of the metrics.
pub const NAMESPACE: &str = "Cloakroom";

/// Names of counters, and of durations in milliseconds.
pub const METRICS: ([&str; 11], [&str; 2]) = (
    [
        "Accepted",
        "Replayed",
        "Started",
        "Retried",
        "StorageUnavailable",
        "Succeeded",
        "Failed",
        "Cancelled",
        "Dead",
        "Swept",
        "Unreadable",
    ],
    ["QueueDelay", "RunTime"],
);

/// Maximum number of values of a metric in a line, according to the specification.
const MAX_VALUES: usize = 100;

/// Meter that writes metrics as log lines of a function. Facts are held until [`write`](Self::write).
#[derive(Debug)]
pub struct EmbeddedMetrics {
    config: MeterConfig,
    log: fn(&str),
    held: Mutex<Vec<Sum>>,
}

impl EmbeddedMetrics {
    /// Creates a meter. `log` writes a line, which includes its line break.
    pub fn new(config: MeterConfig, log: fn(&str)) -> Self {
        Self {
            config,
            log,
            held: Mutex::default(),
        }
    }

    /// Writes all facts since the last call.
    pub fn write(&self) {
        for sum in std::mem::take(&mut *self.held()) {
            self.write_line(&sum);
        }
    }

    fn write_line(&self, sum: &Sum) {
        (self.log)(&line(&self.config, sum, SystemHost.now()));
    }

    fn held(&self) -> MutexGuard<'_, Vec<Sum>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter for EmbeddedMetrics {
    fn record(&self, measure: &Measure) {
        if let Some(full) = add(&mut self.held(), measure) {
            self.write_line(&full);
        }
    }
}

/// Sum of facts with the same dimensions.
#[derive(Debug)]
struct Sum {
    command: Option<CommandType>,
    code: Option<String>,
    counts: BTreeMap<&'static str, u64>,
    /// Durations in milliseconds.
    times: BTreeMap<&'static str, Vec<u64>>,
}

/// Adds a fact to its sum. Returns the sum if its line is full.
fn add(sums: &mut Vec<Sum>, Measure { command, fact }: &Measure) -> Option<Sum> {
    let (name, code, time) = parts(fact);
    let code = code.filter(|code| !code.is_empty()); // dimensions must not be empty
    let found = sums
        .iter()
        .position(|sum| sum.command == *command && sum.code.as_deref() == code);
    let at = found.unwrap_or(sums.len());
    if found.is_none() {
        let (counts, times) = (BTreeMap::new(), BTreeMap::new());
        sums.push(Sum {
            command: command.clone(),
            code: code.map(str::to_owned),
            counts,
            times,
        });
    }
    *sums[at].counts.entry(name).or_default() += 1;
    let (name, time) = time?;
    let times = sums[at].times.entry(name).or_default();
    times.push(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    (times.len() == MAX_VALUES).then(|| sums.swap_remove(at))
}

/// Formats a sum as a line.
fn line(config: &MeterConfig, sum: &Sum, now: Timestamp) -> String {
    let mut line = serde_json::to_string(&Document { config, sum, now })
        .expect("its members are named by text");
    line.push('\n');
    line
}

/// Document of a sum, in the format of the specification.
struct Document<'a> {
    config: &'a MeterConfig,
    sum: &'a Sum,
    now: Timestamp,
}

/// Part of a document that defines the metrics.
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
        let Self {
            config,
            sum:
                Sum {
                    command,
                    code,
                    counts,
                    times,
                },
            now,
        } = self;
        let mut document = serializer.serialize_map(None)?;
        // Lambda treats a line without level and time as `INFO`, and drops it if only warnings are configured. So the
        // line has the configured level.
        document.serialize_entry("timestamp", &format_args!("{now}"))?;
        document.serialize_entry("level", &config.level)?;
        document.serialize_entry("Service", &config.service)?;
        let mut dimensions: &[&[_]] = &[&["Service"]];
        if let Some(command) = command {
            dimensions = &[&["Service"], &["Service", "Command"]];
            document.serialize_entry("Command", command.as_str())?;
        }
        if let Some(code) = code {
            document.serialize_entry("Code", code)?;
        }
        let metrics = serialize_metrics(&mut document, counts, times)?;
        let mut directives = vec![Directive {
            namespace: NAMESPACE,
            dimensions,
            metrics: &metrics,
        }];
        if code.is_some() && command.is_some() {
            // Only counters: durations are not needed by code.
            let dimensions: &[&[_]] = &[&["Service", "Command", "Code"]];
            directives.push(Directive {
                namespace: NAMESPACE,
                dimensions,
                metrics: &metrics[..counts.len()],
            });
        }
        let metadata = Metadata {
            timestamp: now.as_millis(),
            cloud_watch_metrics: &directives,
        };
        document.serialize_entry("_aws", &metadata)?;
        document.end()
    }
}

/// Serializes counts and durations as members of a document. Returns their metrics, the counts first.
fn serialize_metrics<M: SerializeMap>(
    document: &mut M,
    counts: &BTreeMap<&'static str, u64>,
    times: &BTreeMap<&'static str, Vec<u64>>,
) -> Result<Vec<Metric>, M::Error> {
    let mut metrics = vec![];
    for (name, count) in counts {
        document.serialize_entry(name, count)?;
        metrics.push(Metric {
            name,
            unit: "Count",
        });
    }
    for (name, times) in times {
        match &times[..] {
            [time] => document.serialize_entry(name, time)?,
            times => document.serialize_entry(name, times)?,
        }
        metrics.push(Metric {
            name,
            unit: "Milliseconds",
        });
    }
    Ok(metrics)
}

/// Returns the counter of a fact, its code, and its duration metric.
fn parts(fact: &Fact) -> (&'static str, Option<&str>, Option<(&'static str, Duration)>) {
    let run = |time: Option<Duration>| time.map(|time| ("RunTime", time));
    match fact {
        Fact::Accepted => ("Accepted", None, None),
        Fact::Replayed => ("Replayed", None, None),
        Fact::Started { queue_delay } => ("Started", None, Some(("QueueDelay", *queue_delay))),
        Fact::Retried { run_time } => ("Retried", None, run(Some(*run_time))),
        Fact::StorageUnavailable => ("StorageUnavailable", None, None),
        Fact::Succeeded { run_time } => ("Succeeded", None, run(Some(*run_time))),
        Fact::Failed { code, run_time } => ("Failed", Some(code), run(*run_time)),
        Fact::Cancelled { run_time } => ("Cancelled", None, run(*run_time)),
        Fact::Dead { code } => ("Dead", Some(code), None),
        Fact::Swept => ("Swept", None, None),
        Fact::Unreadable => ("Unreadable", None, None),
    }
}

#[cfg(test)]
mod tests;
