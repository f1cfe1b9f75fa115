//! Parses payloads into a command's own type, and reports every kind of error.

mod error;
pub mod json;
mod query;
pub(crate) mod schema;
mod tree;

use std::sync::OnceLock;

use cloakroom_core::problem::FieldError;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use error::PayloadError;
use error::{invalid, without_place};
use tree::Tree;

/// A payload type: the JSON body of a command, or the query parameters of a binary one. Implemented for every type that
/// is `Deserialize` and `JsonSchema`.
///
/// The service publishes the JSON Schema of the type, and rejects payloads that violate it: `#[schemars(range(max =
/// 10))]` needs no further check. Whole numbers may be written as `1.0` or `1e1`. `pattern` and `format` are only
/// annotations: check them with [`Command::validate`](crate::Command::validate).
///
/// Reject unknown members with `#[serde(deny_unknown_fields)]`, so that clients get an error for a misspelled name.
pub trait Payload: DeserializeOwned + JsonSchema + Send + 'static {}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> Payload for T {}

/// Custom check of a payload, if the command has one.
pub(crate) type Validation<P> = OnceLock<Box<dyn Fn(&P) -> Vec<FieldError> + Send + Sync>>;

/// Parses a JSON body.
pub(crate) fn from_json<P: Payload>(
    body: &[u8],
    validation: &Validation<P>,
) -> Result<P, PayloadError> {
    let payload = read(json::text(body)?)?;
    checked(&payload, validation, Vec::new)?;
    Ok(payload)
}

/// Checks a JSON body against its type and the type's schema.
pub(crate) fn check_json<P: Payload>(
    body: &[u8],
    schema: &Value,
    validation: &Validation<P>,
) -> Result<(), PayloadError> {
    let text = json::text(body)?;
    checked(&read::<P>(text)?, validation, || {
        let whole = json::with_whole_numbers(text);
        let value = serde_json::from_str(whole.as_deref().unwrap_or(text));
        value
            .map(|value| schema::violations(schema, &value))
            .unwrap_or_default()
    })
}

/// Deserializes JSON.
fn read<P: Payload>(text: &str) -> Result<P, PayloadError> {
    // Serde alone would accept an array of the members instead of an object.
    if text.trim_ascii_start().starts_with('[') && is_object::<P>() {
        return Err(PayloadError::Invalid(vec![FieldError::new(
            "",
            "must be an object, not an array",
        )]));
    }
    // First without changes: almost all payloads need no more.
    if let Ok(payload) = serde_json::from_str(text) {
        return Ok(payload);
    }
    let whole = json::with_whole_numbers(text);
    let text = whole.as_deref().unwrap_or(text);
    // Repeated only after an error, because tracking the path is several times slower than parsing.
    serde_json::from_str(text).or_else(|_| {
        let mut parser = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut parser)
            .map_err(|error| invalid(error.path(), &without_place(error.inner())))
    })
}

/// Parses a query string.
pub(crate) fn from_query<P: Payload>(
    query: &str,
    validation: &Validation<P>,
) -> Result<P, PayloadError> {
    let payload: P = serde_path_to_error::deserialize(query::parameters(query))
        .map_err(|error| invalid(error.path(), &error.inner().to_string()))?;
    checked(&payload, validation, Vec::new)?;
    Ok(payload)
}

/// Checks a query string against its type and the type's schema.
pub(crate) fn check_query<P: Payload>(
    query: &str,
    schema: &Value,
    validation: &Validation<P>,
) -> Result<(), PayloadError> {
    let payload: P = from_query(query, validation)?;
    checked(&payload, validation, || {
        let parameters = form_urlencoded::parse(query.as_bytes());
        let members = parameters.map(|(name, text)| {
            let value = schema::parameter(schema, &name, &text);
            (name, value)
        });
        schema::violations(schema, &Tree::Object(members.collect()))
    })
}

/// Rejects a query string for a command that accepts JSON, because its parameters would be ignored.
pub(crate) fn no_query(query: &str) -> Result<(), PayloadError> {
    let parameters = form_urlencoded::parse(query.as_bytes());
    let detail = "this command accepts no query parameters; send this as a member of the JSON body";
    let errors: Vec<_> = parameters
        .map(|(name, _)| FieldError::in_member(&name, detail))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(PayloadError::Invalid(errors))
    }
}

fn is_object<P: JsonSchema>() -> bool {
    schemars::schema_for!(P)
        .get("type")
        .is_some_and(|kind| kind == "object")
}

/// Applies the custom check, and then the schema.
fn checked<P: Payload>(
    payload: &P,
    validation: &Validation<P>,
    violations: impl FnOnce() -> Vec<FieldError>,
) -> Result<(), PayloadError> {
    let mut errors = validation
        .get()
        .map_or_else(Vec::new, |check| check(payload));
    if errors.is_empty() {
        errors = violations();
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(PayloadError::Invalid(errors))
    }
}

#[cfg(test)]
mod tests;
