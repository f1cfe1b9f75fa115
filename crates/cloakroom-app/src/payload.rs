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
        /// From 1; 0 at a line's end.
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
    let mut parser = serde_json::Deserializer::from_slice(body);
    let payload: P = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        PayloadError::Invalid(vec![FieldError::new(pointer(error.path()), without_place(error.inner()))])
    })?;
    checked(payload)
}

/// Reads a query string.
pub(crate) fn from_query<P: Payload>(query: &str) -> Result<P, PayloadError> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    let payload: P = serde_path_to_error::deserialize(pairs).map_err(|error| {
        PayloadError::Invalid(vec![FieldError::new(pointer(error.path()), error.inner().to_string())])
    })?;
    checked(payload)
}

fn checked<P: Payload>(payload: P) -> Result<P, PayloadError> {
    let errors = payload.check();
    if errors.is_empty() { Ok(payload) } else { Err(PayloadError::Invalid(errors)) }
}

fn malformed(error: &serde_json::Error) -> PayloadError {
    PayloadError::Malformed { line: error.line(), column: error.column(), detail: without_place(error) }
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
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            // Below here the path can't be told: the pointer to what is around it is the best there is.
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    pointer
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
