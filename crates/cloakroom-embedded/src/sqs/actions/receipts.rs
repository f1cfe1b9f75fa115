//! `DeleteMessage`, `ChangeMessageVisibility`, and their batches: the actions with receipt handles.

use std::sync::Arc;

use serde_json::{Value, json};

use super::batch::{batch_answer, check_batch};
use crate::sqs::error::SqsError;
use crate::sqs::protocol::{Batch, Failed, Receipt, ReceiptEntry, check_range, parse, queue_name};
use crate::sqs::server::Server;
use crate::sqs::settings::MAX_VISIBILITY_S;
use crate::sqs::store::Store;

/// Operation on one entry at a given time.
type Work = fn(&mut Store, &str, &ReceiptEntry, i64) -> Result<(), SqsError>;

pub(super) async fn delete(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    one(server, body, delete_entry).await
}

pub(super) async fn delete_batch(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    batch(server, body, delete_entry).await
}

/// Wakes waiting receives, because the message may have become visible, or may do so earlier than they know.
pub(super) async fn change(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let answer = one(server, body, change_entry).await?;
    server.waiters.notify(&queue_name(body)?);
    Ok(answer)
}

pub(super) async fn change_batch(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let answer = batch(server, body, change_entry).await?;
    server.waiters.notify(&queue_name(body)?);
    Ok(answer)
}

fn delete_entry(
    store: &mut Store,
    queue: &str,
    entry: &ReceiptEntry,
    _now: i64,
) -> Result<(), SqsError> {
    store.delete(queue, &Receipt::parse(&entry.receipt_handle, queue)?)
}

fn change_entry(
    store: &mut Store,
    queue: &str,
    entry: &ReceiptEntry,
    now: i64,
) -> Result<(), SqsError> {
    let receipt = Receipt::parse(&entry.receipt_handle, queue)?;
    let timeout_s = entry
        .visibility_timeout
        .ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
    check_range(timeout_s, 0..=MAX_VISIBILITY_S, "VisibilityTimeout")?;
    store.change_visibility(queue, &receipt, timeout_s, now)
}

async fn one(server: &Arc<Server>, body: &[u8], work: Work) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    let entry: ReceiptEntry = parse(body)?;
    server
        .store(move |store, now| {
            store.queue_exists(&queue)?;
            work(store, &queue, &entry, now)
        })
        .await?;
    Ok(json!({}))
}

async fn batch(server: &Arc<Server>, body: &[u8], work: Work) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    let entries = parse::<Batch<ReceiptEntry>>(body)?.entries;
    check_batch(entries.iter().map(|entry| entry.id.as_str()))?;
    server
        .store(move |store, now| {
            store.queue_exists(&queue)?;
            let (mut successful, mut failed) = (Vec::new(), Vec::new());
            for entry in entries {
                match work(store, &queue, &entry, now) {
                    Ok(()) => successful.push(json!({ "Id": entry.id })),
                    Err(error) => failed.push(Failed::new(entry.id, error)),
                }
            }
            Ok(batch_answer(&successful, &failed))
        })
        .await
}
