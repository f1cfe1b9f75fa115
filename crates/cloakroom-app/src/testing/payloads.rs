//! Payloads of test commands.

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
