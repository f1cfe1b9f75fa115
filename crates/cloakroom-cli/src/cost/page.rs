//! Text and JSON of a bill.

use std::fmt::Write as _;

use cloakroom_cost::{Bill, Lever, prices};
use serde_json::{Value, json};

/// Most levers in the text.
const LEVERS: usize = 3;

/// Formats the services with their shares and their items, then the largest share and the levers.
pub(super) fn page(bill: &Bill, levers: &[Lever]) -> String {
    let mut text = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        writeln!(text, "{words}").expect("writing to a string can't fail");
    };
    let total = bill.dollars();
    line(format_args!(
        "{:<38}{:>10}{:>16}{:>17}{:>12}{:>7}",
        "", "a job", "a month", "price", "dollars", "share"
    ));
    for (service, dollars) in bill.services() {
        line(format_args!(
            "{service:<81}{:>12}{:>7}",
            money(dollars),
            share(dollars, total)
        ));
        for it in bill.lines.iter().filter(|it| it.price.service == service) {
            let (a_job, price) = (it.units / bill.jobs, it.price);
            let price = format!("{} a {}", price.dollars, price.per.as_str());
            line(format_args!(
                "  {:<36}{:>10}{:>16}{price:>17}{:>12}",
                it.what,
                few(a_job),
                grouped(it.units),
                money(it.dollars)
            ));
        }
    }
    line(format_args!(
        "{:<81}{:>12}{:>7}",
        "a month",
        money(total),
        share(total, total)
    ));
    line(format_args!(
        "{:<81}{:>12}",
        "a million jobs",
        money(bill.dollars_per_million())
    ));
    line(format_args!("\n{}.", advice(bill, levers)));
    line(format_args!(
        "Prices: {}, {}. docs/cost.md lists what the estimate leaves out.",
        prices::REGION,
        prices::AS_OF
    ));
    text
}

/// Formats the largest share, and the options that would lower the bill.
fn advice(bill: &Bill, levers: &[Lever]) -> String {
    let most = bill
        .most()
        .map(|(service, dollars)| format!("{service}, {}", share(dollars, bill.dollars())));
    let lower = |lever: &Lever| {
        let provided = lever
            .provided
            .map(|provided| format!(" ({provided})"))
            .unwrap_or_default();
        format!("{} saves {}{provided}", lever.options, money(lever.saves))
    };
    let mut text = format!("Largest share: {}", most.unwrap_or_default());
    for (n, lever) in levers.iter().take(LEVERS).enumerate() {
        text.push_str(if n == 0 {
            ". To lower the bill: "
        } else {
            ", "
        });
        text.push_str(&lower(lever));
    }
    text
}

pub(super) fn document(bill: &Bill, levers: &[Lever]) -> Value {
    let total = bill.dollars();
    let lines = |service: &str| -> Value {
        let lines = bill.lines.iter().filter(|it| it.price.service == service);
        let line = lines.map(|it| {
            json!({
                "what": it.what, "calls": it.calls, "units": it.units, "dollars": it.dollars,
                "price": { "dollars": it.price.dollars, "per": it.price.per.as_str(), "source": it.price.source },
            })
        });
        line.collect()
    };
    let services = bill.services().into_iter().map(|(service, dollars)| {
        json!({ "service": service, "dollars": dollars, "share": dollars / total, "lines": lines(service) })
    });
    let levers = levers
        .iter()
        .map(|lever| json!({ "options": lever.options, "provided": lever.provided, "saves": lever.saves }));
    json!({
        "region": prices::REGION,
        "prices_of": prices::AS_OF,
        "jobs": bill.jobs,
        "dollars": total,
        "dollars_per_million_jobs": bill.dollars_per_million(),
        "services": services.collect::<Value>(),
        "levers": levers.collect::<Value>(),
    })
}

pub(super) fn money(dollars: f64) -> String {
    let text = format!("{dollars:.2}");
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    format!("{}.{cents}", commas(whole))
}

fn share(part: f64, whole: f64) -> String {
    format!("{:.0} %", part / whole * 100.0)
}

/// Formats a number of units: as a whole number from 1000 on, with decimals below.
fn grouped(units: f64) -> String {
    let text = if units >= 1000.0 {
        format!("{units:.0}")
    } else {
        return few(units);
    };
    commas(&text)
}

/// Formats with up to four decimals; smaller numbers as a power of ten.
pub(super) fn few(units: f64) -> String {
    if units > 0.0 && units < 0.0001 {
        return format!("{units:.1e}");
    }
    format!("{units:.4}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

fn commas(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        assert_eq!(
            [0.0, 0.004, 999.994, 1_234_567.891].map(money),
            ["0.00", "0.00", "999.99", "1,234,567.89"]
        );
        assert_eq!(
            [1.0, 0.2, 0.005, 0.000_04, 3.333_33].map(few),
            ["1", "0.2", "0.005", "4.0e-5", "3.3333"]
        );
        assert_eq!(
            [12.5, 1000.0, 20_000_000.4].map(grouped),
            ["12.5", "1,000", "20,000,000"]
        );
        assert_eq!(
            (share(1.0, 3.0), commas("100")),
            ("33 %".to_owned(), "100".to_owned())
        );
    }
}
