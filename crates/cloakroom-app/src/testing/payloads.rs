//! Payloads of test commands, and a handler for any of them.

use crate::{HandlerError, Output};

/// Handler that succeeds without a result.
///
/// # Errors
/// Never.
pub async fn nothing<P>(_: P) -> Result<Output, HandlerError> {
    Ok(Output::none())
}

/// An empty payload.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub struct Nothing {}

/// A payload of one text.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Its text.
    #[serde(default)]
    pub text: String,
}
