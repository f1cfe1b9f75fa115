//! Parser of all JSON bodies, so that lines and columns mean the same everywhere.
//!
//! Lines and columns count from 1. Columns count characters. A UTF-8 byte order mark is skipped and not counted (RFC
//! 8259, section 8.1).

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess};

use super::error::{PayloadError, invalid, without_place};

/// Byte order mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Maximum number of digits of a whole number with an exponent: the maximum of `u64`.
const MOST_DIGITS: usize = 20;

/// Returns the text of a body without a byte order mark, if it is one JSON value.
///
/// # Errors
/// - [`PayloadError::Malformed`] for bytes that are not UTF-8 or not JSON, or that are nested deeper than 128 levels.
/// - [`PayloadError::Invalid`] for a number outside the range of a double.
pub fn text(body: &[u8]) -> Result<&str, PayloadError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if let Some(encoding) = other_encoding(body) {
        return Err(malformed_at(
            "",
            1,
            0,
            format!("the bytes are {encoding}; send UTF-8"),
        ));
    }
    let text = std::str::from_utf8(body).map_err(|error| not_utf_8(body, error.valid_up_to()))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    match Anything
        .deserialize(&mut parser)
        .and_then(|()| parser.end())
    {
        Ok(()) => Ok(text),
        Err(error) => Err(rejected(text, &error)),
    }
}

/// Detects the encoding of bytes that are not UTF-8: from their byte order mark, or from zeros around their first
/// character, which is always ASCII.
fn other_encoding(body: &[u8]) -> Option<&'static str> {
    match *body {
        [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0xfe, 0xff, ..]
        | [0, 0, 0, 1..=255, ..]
        | [1..=255, 0, 0, 0, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 1..=255, ..] | [1..=255, 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

fn not_utf_8(body: &[u8], at: usize) -> PayloadError {
    let before = String::from_utf8_lossy(&body[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().len() + 1;
    malformed_at(
        &before,
        line,
        column,
        format!("the byte 0x{:02x} is not UTF-8; send UTF-8", body[at]),
    )
}

fn rejected(text: &str, error: &serde_json::Error) -> PayloadError {
    let detail = without_place(error);
    if detail == "number out of range" {
        // The text is JSON. The tracker finds the member, but is several times slower than parsing.
        let mut track = serde_path_to_error::Track::new();
        let mut parser = serde_json::Deserializer::from_str(text);
        _ = Anything.deserialize(serde_path_to_error::Deserializer::new(
            &mut parser,
            &mut track,
        ));
        return invalid(&track.path(), &detail);
    }
    malformed_at(text, error.line(), error.column(), detail)
}

/// Creates an error from the parser's position: `column` counts bytes, and is 0 if the line has none.
fn malformed_at(text: &str, line: usize, column: usize, detail: String) -> PayloadError {
    let bytes = text
        .split('\n')
        .nth(line.saturating_sub(1))
        .unwrap_or_default()
        .as_bytes();
    // Continuation bytes don't start a character.
    let begins = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
    let within = bytes.iter().take(column).filter(begins).count();
    let beyond = column.saturating_sub(bytes.len());
    PayloadError::Malformed {
        line,
        column: (within + beyond).max(1),
        detail,
    }
}

/// Returns the text with all whole numbers written as integers: `1.0` and `10e-1` as `1`, `-0` as `0`. JSON Schema
/// treats them as integers (validation, section 6.1.1), but serde does not. Returns `None` if nothing changes.
///
/// Works on the digits, so that no number loses precision. `text` must be JSON.
pub(super) fn with_whole_numbers(text: &str) -> Option<String> {
    let (mut changed, mut kept) = (String::new(), 0);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let is_part =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let end = at + bytes[at..].iter().take_while(|byte| is_part(byte)).count();
                if let Some(whole) = whole(&text[at..end]) {
                    changed.push_str(&text[kept..at]);
                    changed.push_str(&whole);
                    kept = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if kept == 0 {
        return None;
    }
    changed.push_str(&text[kept..]);
    Some(changed)
}

/// Returns the position after a string that starts at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Returns a JSON number as the digits of an integer. Returns `None` if it is already written so, is not whole, or has
/// more digits than any integer type.
pub(super) fn whole(number: &str) -> Option<String> {
    let (sign, digits) = number
        .strip_prefix('-')
        .map_or(("", number), |rest| ("-", rest));
    let (integer, fraction, exponent) = split(digits);
    let all = format!("{integer}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (number != "0").then(|| "0".to_owned());
    }
    if digits == integer {
        return None;
    }
    // Position of the decimal point, relative to the first significant digit.
    let leading = i64::try_from(all.len() - all.trim_start_matches('0').len()).ok()?;
    let point = i64::try_from(integer.len())
        .ok()?
        .checked_add(exponent.parse().ok()?)?
        .checked_sub(leading)?;
    let length = usize::try_from(point)
        .ok()
        .filter(|length| (significant.len()..=MOST_DIGITS).contains(length))?;
    Some(format!(
        "{sign}{significant}{}",
        "0".repeat(length - significant.len())
    ))
}

/// Splits a JSON number into its integer, fraction and exponent.
pub(super) fn split(number: &str) -> (&str, &str, &str) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    (integer, fraction, exponent)
}

/// Parses a non-negative whole number from a query string: an integer, or another notation of JSON.
pub fn unsigned(text: &str) -> Option<u64> {
    let number = is_number(text).then(|| whole(text));
    number.and_then(|whole| whole.as_deref().unwrap_or(text).parse().ok())
}

/// Returns true if a text is a JSON number.
pub(super) fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

/// Deserializes any JSON without storing it. Unlike for skipped values, the parser's depth limit (128) applies.
struct Anything;

impl<'de> DeserializeSeed<'de> for Anything {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Anything {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Self)?.is_some() {
            map.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
