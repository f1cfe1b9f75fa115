//! Metrics that CloudWatch extracts from log lines, according to the specification of the embedded metric format.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// Number of values and their sum, by metric and dimensions.
#[derive(Debug, Default, PartialEq)]
pub struct Metrics(BTreeMap<(String, String), (u64, f64, String)>);

impl Metrics {
    /// Adds a log line. Returns true if it contains metrics.
    ///
    /// # Panics
    /// If the line contains metrics but violates the specification.
    pub fn take_in(&mut self, line: &Value) -> bool {
        let Some(metadata) = line.get("_aws") else {
            return false;
        };
        let root = line.as_object().expect("a line is an object");
        assert!(
            metadata["Timestamp"]
                .as_u64()
                .is_some_and(|millis| millis > 1_000_000_000_000),
            "milliseconds: {line}"
        );
        let directives = metadata["CloudWatchMetrics"]
            .as_array()
            .expect("directives");
        assert!(!directives.is_empty(), "{line}");
        for directive in directives {
            self.follow(directive, root);
        }
        true
    }

    fn follow(&mut self, directive: &Value, root: &Map<String, Value>) {
        assert_eq!(directive["Namespace"], "Cloakroom");
        let metrics = directive["Metrics"].as_array().expect("metrics");
        let sets = directive["Dimensions"]
            .as_array()
            .expect("sets of dimensions");
        assert!(
            (1..=100).contains(&metrics.len()) && !sets.is_empty(),
            "{directive}"
        );
        for set in sets {
            let names = set.as_array().expect("a set");
            assert!(names.len() <= 30, "{directive}");
            let dimension = |name: &Value| {
                let name = name.as_str().expect("a name");
                let value = root[name]
                    .as_str()
                    .unwrap_or_else(|| panic!("{name} is no text"));
                assert!((1..=1024).contains(&value.len()), "{name}: {value:?}");
                value
            };
            let dimensions = names.iter().map(dimension).collect::<Vec<_>>().join(", ");
            for metric in metrics {
                let name = metric["Name"].as_str().expect("a name");
                let values = root[name]
                    .as_array()
                    .map_or_else(|| std::slice::from_ref(&root[name]), Vec::as_slice);
                assert!((1..=100).contains(&values.len()), "{name}: {values:?}");
                let number = |value: &Value| {
                    value
                        .as_f64()
                        .unwrap_or_else(|| panic!("{name}: {value} is no number"))
                };
                let sum = values.iter().map(number).sum::<f64>();
                let unit = metric["Unit"].as_str().expect("a unit").to_owned();
                let seen = self
                    .0
                    .entry((name.to_owned(), dimensions.clone()))
                    .or_insert((0, 0.0, unit.clone()));
                assert_eq!(seen.2, unit, "{name}");
                *seen = (seen.0 + values.len() as u64, seen.1 + sum, unit);
            }
        }
    }

    /// Returns the number of values and their sum for a metric with these dimensions.
    pub fn of(&self, metric: &str, dimensions: &str) -> Option<(u64, f64)> {
        self.0
            .get(&(metric.to_owned(), dimensions.to_owned()))
            .map(|&(count, sum, _)| (count, sum))
    }

    /// Returns the sums of counters with these dimensions. Omits durations, which differ between runs.
    pub fn counts(&self, dimensions: &str) -> BTreeMap<&str, u64> {
        let counted = self
            .0
            .iter()
            .filter(|((_, of), (.., unit))| of == dimensions && unit == "Count");
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a sum of counts"
        )]
        counted
            .map(|((name, _), &(_, sum, _))| (name.as_str(), sum as u64))
            .collect()
    }

    /// Returns the number of metrics that CloudWatch would bill.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no metrics.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Formats the metrics as a table.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<11} {:<52} {:>7} {:>9} unit",
            "metric", "service, command, code", "samples", "sum"
        )?;
        for ((name, dimensions), (count, sum, unit)) in &self.0 {
            writeln!(f, "{name:<11} {dimensions:<52} {count:>7} {sum:>9} {unit}")?;
        }
        write!(f, "{} metrics", self.len())
    }
}
