//! Numbers, sizes and times of a command line. Errors name the valid values.

use std::ops::RangeInclusive;
use std::time::Duration;

use cloakroom_app::command::Limits;

const KIB: u64 = 1024;

/// Largest object of one put.
const LARGEST_RESULT: u64 = 5 * KIB * KIB * KIB;

/// Longest run of a function.
const LONGEST_RUN: Duration = Duration::from_secs(900);

/// Longest time for which a job is followed.
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn jobs(text: &str) -> Result<f64, String> {
    number(
        text,
        1.0..=1e10,
        "a number from 1 to 1e10, such as 5e6, 5M or 5_000_000",
    )
}

pub(super) fn polls(text: &str) -> Result<f64, String> {
    number(text, 0.0..=1e6, "a number from 0 to 1e6, such as 3 or 2.5")
}

pub(super) fn attempts(text: &str) -> Result<f64, String> {
    number(
        text,
        1.0..=1000.0,
        "a number from 1 to 1000, such as 1 or 1.05",
    )
}

pub(super) fn batch(text: &str) -> Result<f64, String> {
    number(text, 1.0..=10.0, "a number from 1 to 10, such as 5 or 2.5")
}

pub(super) fn progress(text: &str) -> Result<u32, String> {
    whole(text, 0..=900, "a whole number from 0 to 900")
}

pub(super) fn memory(text: &str) -> Result<u32, String> {
    whole(
        text.strip_suffix("MB").unwrap_or(text),
        128..=10_240,
        "megabytes, a whole number from 128 to 10240",
    )
}

pub(super) fn payload(text: &str) -> Result<u64, String> {
    let most = Limits::default().upload;
    size(text, most).map_err(|what| format!("{what}, at most 64MiB, the limit of an upload"))
}

pub(super) fn result(text: &str) -> Result<u64, String> {
    size(text, LARGEST_RESULT).map_err(|what| format!("{what}, at most 5GiB"))
}

pub(super) fn log(text: &str) -> Result<u64, String> {
    size(text, KIB * KIB).map_err(|what| format!("{what}, at most 1MiB"))
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let what = "more than 0 and at most 15m, the limit of a function";
    time(text, LONGEST_RUN, what).and_then(|time| {
        if time.is_zero() {
            Err(want_time(what))
        } else {
            Ok(time)
        }
    })
}

pub(super) fn wait(text: &str) -> Result<Duration, String> {
    time(
        text,
        cloakroom_app::jobs::LONGEST_WAIT,
        "at most 25s, the limit of a long poll",
    )
}

pub(super) fn followed(text: &str) -> Result<Duration, String> {
    time(text, DAY, "at most 1440m, a day")
}

pub(super) fn response(text: &str) -> Result<Duration, String> {
    let what = "at most 15s, the limit of a webhook";
    time(text, Duration::from_secs(15), what)
}

pub(super) fn webhooks(text: &str) -> Result<f64, String> {
    number(text, 0.0..=8.0, "a number from 0 to 8, such as 1 or 1.05")
}

pub(super) fn replies(text: &str) -> Result<f64, String> {
    number(text, 0.0..=1.0, "a number from 0 to 1, such as 0.5")
}

pub(super) fn lease(text: &str) -> Result<Duration, String> {
    let what = "at least 3s and at most 15m";
    time(text, LONGEST_RUN, what).and_then(|time| {
        if time < Duration::from_secs(3) {
            Err(want_time(what))
        } else {
            Ok(time)
        }
    })
}

/// Parses a number as people write it. It is always finite.
fn amount(text: &str) -> Option<f64> {
    let separated = |(at, _): (usize, &str)| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        digit(text.as_bytes().get(at.wrapping_sub(1))) && digit(text.as_bytes().get(at + 1))
    };
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'_' | b'e' | b'E' | b'+' | b'-'))
        && text.match_indices('_').all(separated);
    let number: f64 = plain.then(|| text.replace('_', "").parse().ok())??;
    number.is_finite().then_some(number)
}

fn number(text: &str, range: RangeInclusive<f64>, what: &str) -> Result<f64, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1e3),
        Some(b'M') => (&text[..text.len() - 1], 1e6),
        Some(b'G') => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    amount(digits)
        .map(|n| n * unit)
        .filter(|n| range.contains(n))
        .ok_or_else(|| format!("expected {what}"))
}

fn whole(text: &str, range: RangeInclusive<u32>, what: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| range.contains(n))
        .ok_or_else(|| format!("expected {what}"))
}

/// Splits a text into a number and its unit.
fn split(text: &str) -> (&str, &str) {
    text.split_at(
        text.trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .len(),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, not negative, and within the limit"
)]
#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
fn size(text: &str, most: u64) -> Result<u64, String> {
    let (digits, unit) = split(text);
    let unit = match unit {
        "" | "B" => Some(1),
        "kB" | "KB" => Some(1000),
        "KiB" => Some(KIB),
        "MB" => Some(1_000_000),
        "MiB" => Some(KIB * KIB),
        "GB" => Some(1_000_000_000),
        "GiB" => Some(KIB * KIB * KIB),
        _ => None,
    };
    let bytes = unit.and_then(|unit| Some(amount(digits)? * unit as f64));
    let good = bytes.filter(|bytes| bytes.fract() == 0.0 && *bytes <= most as f64);
    good.map(|bytes| bytes as u64)
        .ok_or_else(|| "expected whole bytes, such as 512, 40KiB or 1MB".to_owned())
}

fn want_time(what: &str) -> String {
    format!("expected a time, such as 800ms, 2s or 1m; {what}")
}

fn time(text: &str, most: Duration, what: &str) -> Result<Duration, String> {
    let (digits, unit) = split(text);
    let seconds = match unit {
        "ms" => Some(0.001),
        "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        _ => None,
    };
    let time = seconds.and_then(|unit| Duration::try_from_secs_f64(amount(digits)? * unit).ok());
    time.filter(|time| *time <= most)
        .ok_or_else(|| want_time(what))
}

#[cfg(test)]
mod tests;
