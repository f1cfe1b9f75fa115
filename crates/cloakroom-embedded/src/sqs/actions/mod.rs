//! The actions, by family: parse, apply to the store, encode.

mod dead_letters;
mod queues;
mod receipts;
mod receive;
mod send;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Server;
use super::error::{Kind, SqsError};
use super::protocol::Failed;

/// Runs the named action; gives the answer's body.
pub(super) async fn dispatch(
    server: &Arc<Server>,
    action: &str,
    body: &Bytes,
) -> Result<Vec<u8>, SqsError> {
    let answer = match action {
        "SendMessage" => send::one(server, body).await?,
        "SendMessageBatch" => send::batch(server, body).await?,
        "ReceiveMessage" => receive::receive(server, body).await?,
        "DeleteMessage" => receipts::delete(server, body).await?,
        "DeleteMessageBatch" => receipts::delete_batch(server, body).await?,
        "ChangeMessageVisibility" => receipts::change(server, body).await?,
        "ChangeMessageVisibilityBatch" => receipts::change_batch(server, body).await?,
        "CreateQueue" => queues::create(server, body).await?,
        "DeleteQueue" => queues::delete(server, body).await?,
        "GetQueueUrl" => queues::url(server, body).await?,
        "ListQueues" => queues::list(server, body).await?,
        "GetQueueAttributes" => queues::attributes(server, body).await?,
        "SetQueueAttributes" => queues::set(server, body).await?,
        "PurgeQueue" => queues::purge(server, body).await?,
        "StartMessageMoveTask" => dead_letters::start(server, body).await?,
        "ListMessageMoveTasks" => dead_letters::list(server, body).await?,
        unknown => {
            return Err(SqsError::new(
                Kind::InvalidAction,
                format!("The action {unknown} is not valid for this embedded SQS."),
            ));
        }
    };
    Ok(answer.to_string().into_bytes())
}

/// Refuses a batch as a whole: none or too many entries, or ids that are not distinct or not ids.
fn check_batch<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), SqsError> {
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

/// A batch's answer: what succeeded, what failed and why.
fn batch_answer(successful: &[Value], failed: &[Failed]) -> Value {
    let mut answer = json!({ "Successful": successful });
    if !failed.is_empty() {
        answer["Failed"] = json!(failed);
    }
    answer
}

/// Refuses a number outside its limits.
fn check_range(
    value: i64,
    limits: std::ops::RangeInclusive<i64>,
    parameter: &str,
) -> Result<i64, SqsError> {
    if limits.contains(&value) {
        Ok(value)
    } else {
        Err(SqsError::invalid(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: Must be between {} and {}, \
             if provided.",
            limits.start(),
            limits.end()
        )))
    }
}
