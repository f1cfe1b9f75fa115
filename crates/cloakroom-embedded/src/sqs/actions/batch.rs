//! Batches: checks of their entries, and their responses.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::sqs::error::{Kind, SqsError};
use crate::sqs::protocol::Failed;

/// Rejects a whole batch that has no or too many entries, or whose ids are invalid or not distinct.
pub(super) fn check_batch<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), SqsError> {
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() {
        return Err(SqsError::new(
            Kind::EmptyBatchRequest,
            "There should be at least one entry in the request.",
        ));
    }
    if ids.len() > 10 {
        return Err(SqsError::new(
            Kind::TooManyEntriesInBatchRequest,
            format!(
                "Maximum number of entries per request are 10. You have sent {}.",
                ids.len()
            ),
        ));
    }
    let mut seen = HashSet::new();
    for id in ids {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !(1..=80).contains(&id.len()) || !id.chars().all(legal) {
            return Err(SqsError::new(
                Kind::InvalidBatchEntryId,
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
                 It can be at most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(SqsError::new(
                Kind::BatchEntryIdsNotDistinct,
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}

/// Returns the response to a batch: the entries that succeeded, and those that failed with their errors.
pub(super) fn batch_answer(successful: &[Value], failed: &[Failed]) -> Value {
    let mut answer = json!({ "Successful": successful });
    if !failed.is_empty() {
        answer["Failed"] = json!(failed);
    }
    answer
}
