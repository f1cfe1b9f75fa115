//! Errors of payloads, in terms that don't require knowledge of Rust.

use std::borrow::Cow;

use cloakroom_core::problem::{FieldError, reference_token};
use serde_path_to_error::{Path, Segment};

/// Reason to reject a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadError {
    /// The payload is not JSON.
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in characters.
        column: usize,
        /// The parser's reason.
        detail: String,
    },
    /// The payload violates the command's schema.
    Invalid(Vec<FieldError>),
}

/// Creates an error in a single member.
pub(super) fn invalid(path: &Path, text: &str) -> PayloadError {
    let mut pointer = pointer(path);
    // The path ends at the object that contains both members. The text contains their name.
    if let Some(name) = text
        .strip_prefix("duplicate field `")
        .and_then(|rest| rest.strip_suffix('`'))
    {
        pointer = format!("{pointer}/{}", reference_token(name));
    }
    PayloadError::Invalid(vec![FieldError::new(pointer, plain(text))])
}

/// Error messages of parsers, and the texts that users see instead.
const PLAIN: &[(&str, &str)] = &[
    (
        "number out of range",
        "must be a number that a double can hold: at most about 1.8e308",
    ),
    (
        "provided string was not `true` or `false`",
        "must be true or false",
    ),
];

/// Converts a parser's error message to one without names of Rust types.
pub(super) fn plain(text: &str) -> String {
    if let Some((_, plain)) = PLAIN.iter().find(|(said, _)| *said == text) {
        return (*plain).to_owned();
    }
    // Splits at the last occurrence, because the sent value may contain the same text.
    let Some((said, expected)) = text.rsplit_once(", expected ") else {
        return text.to_owned();
    };
    let said = match said {
        "invalid type: sequence" => "invalid type: array",
        "invalid type: map" => "invalid type: object",
        "invalid type: unit variant" => "invalid type: a name alone",
        "invalid type: newtype variant" => "invalid type: a name with a value",
        _ => said,
    };
    let expected = match expected.split(' ').collect::<Vec<_>>()[..] {
        ["u8" | "u16" | "u32" | "u64" | "u128" | "usize", ..] => {
            "a whole number that is not negative"
        }
        ["i8" | "i16" | "i32" | "i64" | "i128" | "isize", ..] => "a whole number",
        ["f32" | "f64", ..] => "a number",
        ["struct", ..] | ["a", "map"] | ["internally" | "adjacently", ..] => "an object",
        ["a", "sequence"] | ["tuple", ..] => "an array",
        ["a", "tuple", "of", "size", n] => return format!("{said}, expected an array of {n}"),
        ["enum", ..] | ["string", "or", "map"] => "a string or an object",
        ["unit"] => "null",
        ["unit", ..] => "a name alone",
        ["newtype", ..] => "a name with a value",
        _ => expected,
    };
    format!("{said}, expected {expected}")
}

/// Returns a parser's message without its "at line 1 column 2", which is reported separately or means nothing to users.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text)
        .to_owned()
}

/// Converts a path to a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => Cow::Owned(index.to_string()),
            Segment::Map { key } => reference_token(key),
            Segment::Enum { variant } => reference_token(variant),
            // The path is unknown from here: the pointer to the parent is the best one.
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    pointer
}
