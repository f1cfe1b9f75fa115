//! Payloads of test commands.

use crate::payload::Payload;

/// An empty payload.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub struct Nothing {}

impl Payload for Nothing {}

/// A payload of one text.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Its text.
    #[serde(default)]
    pub text: String,
}

impl Payload for Note {}
