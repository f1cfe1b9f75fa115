//! Links in responses about uploads.

use serde_json::{Map, Value};

/// Converts the headers of a link to members of a document.
pub(super) fn header_members(headers: Vec<(String, String)>) -> Map<String, Value> {
    headers
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}
