//! From bytes to a command's own type, with an answer for each way in which that fails.

use std::fmt;

use cloakroom::problem::FieldError;
use schemars::JsonSchema;
use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess};
use serde_path_to_error::{Path, Segment};

/// What a command takes: its JSON body, or the query parameters of a binary one.
///
/// Refuse unknown members with `#[serde(deny_unknown_fields)]`; a typing error then has an answer.
pub trait Payload: DeserializeOwned + JsonSchema + Send + 'static {
    /// Checks what types can't say. Each error names its member by a JSON Pointer.
    fn check(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

/// A payload that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadError {
    /// It is not JSON.
    Malformed {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        detail: String,
    },
    /// It is not what the command takes.
    Invalid(Vec<FieldError>),
}

/// Reads a JSON body.
pub(crate) fn from_json<P: Payload>(body: &[u8]) -> Result<P, PayloadError> {
    // The whole text first: an invalid member must not hide that the rest is malformed, or too deep.
    let mut parser = serde_json::Deserializer::from_slice(body);
    Anything.deserialize(&mut parser).and_then(|()| parser.end()).map_err(|error| malformed(&error))?;
    // Serde alone would take an array of its members for an object.
    if body.trim_ascii_start().starts_with(b"[") && is_object::<P>() {
        return Err(PayloadError::Invalid(vec![FieldError::new("", "must be an object, not an array")]));
    }
    // Once more only where it fails: to follow where one is takes several times as long as reading.
    let payload = serde_json::from_slice(body).or_else(|_| {
        let mut parser = serde_json::Deserializer::from_slice(body);
        serde_path_to_error::deserialize(&mut parser)
            .map_err(|error| invalid(error.path(), &without_place(error.inner())))
    })?;
    checked(payload)
}

/// Reads a query string.
pub(crate) fn from_query<P: Payload>(query: &str) -> Result<P, PayloadError> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    let payload: P =
        serde_path_to_error::deserialize(pairs).map_err(|error| invalid(error.path(), &error.inner().to_string()))?;
    checked(payload)
}

fn is_object<P: JsonSchema>() -> bool {
    schemars::schema_for!(P).get("type").is_some_and(|kind| kind == "object")
}

fn invalid(path: &Path, text: &str) -> PayloadError {
    let mut pointer = pointer(path);
    // The path ends at what holds the two; the text names them.
    if let Some(name) = text.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        pointer = format!("{pointer}/{}", escaped(name));
    }
    PayloadError::Invalid(vec![FieldError::new(pointer, plain(text))])
}

/// What parsers say, and what a person is told instead.
const PLAIN: &[(&str, &str)] = &[
    ("invalid digit found in string", "must be a whole number"),
    ("cannot parse integer from empty string", "must be a whole number, and is empty"),
    ("number too large to fit in target type", "must be a smaller number"),
    ("number too small to fit in target type", "must be a larger number"),
    ("invalid float literal", "must be a number"),
    ("cannot parse float from empty string", "must be a number, and is empty"),
    ("provided string was not `true` or `false`", "must be true or false"),
];

/// A parser's text in words for a person: without the names of Rust's types.
fn plain(text: &str) -> String {
    if let Some((_, plain)) = PLAIN.iter().find(|(said, _)| *said == text) {
        return (*plain).to_owned();
    }
    // The last one: what was sent may say it too, and comes first.
    let Some((said, expected)) = text.rsplit_once(", expected ") else { return text.to_owned() };
    let said = match said {
        "invalid type: sequence" => "invalid type: array",
        "invalid type: map" => "invalid type: object",
        "invalid type: unit variant" => "invalid type: a name alone",
        "invalid type: newtype variant" => "invalid type: a name with a value",
        _ => said,
    };
    let expected = match expected.split(' ').collect::<Vec<_>>()[..] {
        ["u8" | "u16" | "u32" | "u64" | "u128" | "usize", ..] => "a whole number that is not negative",
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

fn checked<P: Payload>(payload: P) -> Result<P, PayloadError> {
    let errors = payload.check();
    if errors.is_empty() { Ok(payload) } else { Err(PayloadError::Invalid(errors)) }
}

fn malformed(error: &serde_json::Error) -> PayloadError {
    PayloadError::Malformed { line: error.line(), column: error.column().max(1), detail: without_place(error) }
}

/// The parser's text without its "at line 1 column 2", which stands in members of its own or means nothing to a person.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// A path as a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escaped(key),
            Segment::Enum { variant } => variant.clone(),
            // Below here the path can't be told: the pointer to what is around it is the best there is.
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    pointer
}

/// A name as a part of a pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Reads any JSON and keeps nothing. The parser's own limit on depth (128) holds, as it does not for values that it skips.
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
