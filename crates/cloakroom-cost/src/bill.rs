//! All calls of a month by their prices.

use std::collections::BTreeMap;

use super::{Meter, Price, Workload};

/// What a month costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Bill {
    /// By what is billed, in the order of [`Meter`]; what is not used is left out.
    pub lines: Vec<Line>,
    /// How many jobs it is for.
    pub jobs: f64,
}

/// What one meter counts in the month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// What is billed.
    pub meter: Meter,
    /// In words.
    pub what: &'static str,
    /// At which price.
    pub price: Price,
    /// Calls, each of which may be billed as more than one unit, or as a part of one.
    pub calls: f64,
    /// Units.
    pub units: f64,
    /// Dollars.
    pub dollars: f64,
}

impl Workload {
    /// What the month costs.
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
    /// All of it, in dollars.
    pub fn dollars(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    /// What a million jobs cost at this rate, in dollars.
    pub fn dollars_per_million(&self) -> f64 {
        self.dollars() / self.jobs * 1e6
    }

    /// Dollars by service, in the order of the lines.
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

    /// The service that costs the most, with its dollars.
    pub fn most(&self) -> Option<(&'static str, f64)> {
        self.services()
            .into_iter()
            .max_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}
