//! Comparison of the ways to wait for a job's end.

use std::fmt::Write as _;

use cloakroom_cost::{Way, Workload, prices};
use serde_json::{Value, json};

use super::page::{few, money};

pub(super) fn page(workload: &Workload) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        writeln!(text, "{words}").expect("writing to a string can't fail");
    };
    line(format_args!(
        "{:<28}{:>10}{:>12}{:>12}  options",
        "", "requests", "REST API", "HTTP API"
    ));
    for way in workload.ways() {
        line(format_args!(
            "{:<28}{:>10}{:>12}{:>12}  {}",
            way.name,
            few(way.requests),
            money(way.rest),
            money(way.http),
            way.options,
        ));
    }
    line(format_args!(
        "\nDollars that each way adds to a million jobs of {} s, and requests of the client per job.",
        few(workload.duration.as_secs_f64())
    ));
    line(format_args!(
        "Prices: {}, {}.",
        prices::REGION,
        prices::AS_OF
    ));
    text
}

pub(super) fn document(workload: &Workload) -> Value {
    let way = |it: Way| json!({ "way": it.name, "options": it.options, "requests": it.requests, "rest": it.rest, "http": it.http });
    let ways: Value = workload.ways().into_iter().map(way).collect();
    json!({ "duration_ms": workload.duration.as_millis(), "a_million": ways })
}
