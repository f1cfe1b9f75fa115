//! Comparison of a payload in its message with a claim check, for each size of a message.

use std::fmt::Write as _;

use cloakroom_cost::{inline, prices};
use serde_json::{Value, json};

use super::page::money;

pub(super) fn page() -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        writeln!(text, "{words}").expect("writing to a string can't fail");
    };
    line(format_args!(
        "{:>7}{:>10}{:>12}{:>14}{:>11}",
        "pieces", "up to", "in message", "claim check", "+ storage"
    ));
    for ways in inline::ways() {
        let mark = if ways.pieces == inline::crossover() {
            "  default limit"
        } else {
            ""
        };
        line(format_args!(
            "{:>7}{:>6} KiB{:>12}{:>14}{:>11}{mark}",
            ways.pieces,
            ways.pieces * 64,
            money(ways.inline),
            money(ways.claim_check),
            money(ways.storage),
        ));
    }
    line(format_args!(
        "\nDollars for a million messages that are sent, received once and deleted. Messages of up to {} bytes carry their payload.",
        inline::LIMIT
    ));
    line(format_args!(
        "Prices: {}, {}.",
        prices::REGION,
        prices::AS_OF
    ));
    text
}

pub(super) fn document() -> Value {
    let ways = |it: inline::Ways| json!({ "pieces": it.pieces, "inline": it.inline, "claim_check": it.claim_check, "storage": it.storage });
    json!({ "limit_bytes": inline::LIMIT, "a_million": inline::ways().map(ways).collect::<Vec<_>>() })
}
