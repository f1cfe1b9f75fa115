//! A month's bill: all calls multiplied by their prices.

use std::collections::BTreeMap;

use super::{Meter, Price, Workload};

/// Estimated costs of a month.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    /// Costs by meter, in the order of [`Meter`]. Unused meters are omitted.
    pub lines: Vec<Line>,
    /// Number of jobs.
    pub jobs: f64,
}

/// Costs of one meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Meter of the costs.
    pub meter: Meter,
    /// Description of what is billed.
    pub what: &'static str,
    /// Price of a unit.
    pub price: Price,
    /// Number of calls. A call may be billed as several units, or as a part of one.
    pub calls: f64,
    /// Number of units.
    pub units: f64,
    /// Costs in dollars.
    pub dollars: f64,
}

impl Workload {
    /// Computes the costs of the month.
    pub fn bill(&self) -> Bill {
        let mut amounts: BTreeMap<Meter, (f64, f64)> = BTreeMap::new();
        for call in self.calls() {
            let (calls, units) = amounts.entry(call.meter).or_default();
            *calls += call.a_job * self.jobs;
            *units += call.a_job * call.units * self.jobs;
        }
        let line = |(meter, (calls, units)): (Meter, (f64, f64))| {
            let price = meter.price(self);
            let dollars = units / price.per.units() * price.dollars;
            Line {
                meter,
                what: meter.what(self),
                price,
                calls,
                units,
                dollars,
            }
        };
        Bill {
            lines: amounts.into_iter().map(line).collect(),
            jobs: self.jobs,
        }
    }
}

impl Bill {
    /// Returns the total in dollars.
    pub fn dollars(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    /// Returns the costs of a million jobs at this rate, in dollars.
    pub fn dollars_per_million(&self) -> f64 {
        self.dollars() / self.jobs * 1e6
    }

    /// Returns the costs per service in dollars, in the order of the lines.
    pub fn services(&self) -> Vec<(&'static str, f64)> {
        let mut services: Vec<(&'static str, f64)> = vec![];
        for line in &self.lines {
            match services.last_mut() {
                Some((service, dollars)) if *service == line.price.service => {
                    *dollars += line.dollars;
                }
                _ => services.push((line.price.service, line.dollars)),
            }
        }
        services
    }

    /// Returns the most expensive service, with its costs in dollars.
    pub fn most(&self) -> Option<(&'static str, f64)> {
        self.services()
            .into_iter()
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}
