//! `SendMessage`, `SendMessageBatch`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::batch::{batch_answer, check_batch};
use crate::sqs::attributes::{check, check_characters, md5_of, md5_of_attributes, size_bytes};
use crate::sqs::error::{Kind, SqsError};
use crate::sqs::protocol::{Batch, Failed, SendEntry, Sent, check_range, parse, queue_name};
use crate::sqs::server::Server;
use crate::sqs::settings::MAX_MESSAGE_BYTES;
use crate::sqs::store::NewMessage;

pub(super) async fn one(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    let (message, answer) = prepare(parse(body)?)?;
    let mut sent = send(server, queue, vec![message]).await?;
    let message_id = match sent.pop() {
        Some(id) => id?,
        None => return Err(SqsError::internal("a send got no answer")),
    };
    Ok(json!(Sent {
        message_id,
        ..answer
    }))
}

pub(super) async fn batch(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    let entries = parse::<Batch<SendEntry>>(body)?.entries;
    check_batch(entries.iter().map(|entry| entry.id.as_str()))?;
    let size = |entry: &SendEntry| entry.message_body.len() + size_bytes(&entry.message_attributes);
    let total: usize = entries.iter().map(size).sum();
    if total > MAX_MESSAGE_BYTES as usize {
        return Err(SqsError::new(
            Kind::BatchRequestTooLong,
            format!(
                "Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes. You have sent {total} bytes."
            ),
        ));
    }

    let (mut messages, mut answers, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.id.clone();
        match prepare(entry) {
            Ok((message, answer)) => {
                messages.push(message);
                answers.push(answer);
            }
            Err(error) => failed.push(Failed::new(id, error)),
        }
    }
    let sent = send(server, queue, messages).await?;
    let mut successful = Vec::new();
    for (answer, message_id) in answers.into_iter().zip(sent) {
        match message_id {
            Ok(message_id) => successful.push(json!(Sent {
                message_id,
                ..answer
            })),
            Err(error) => failed.push(Failed::new(answer.id, error)),
        }
    }
    Ok(batch_answer(&successful, &failed))
}

async fn send(
    server: &Arc<Server>,
    queue: String,
    messages: Vec<NewMessage>,
) -> Result<Vec<Result<String, SqsError>>, SqsError> {
    let name = queue.clone();
    let sent = server
        .store(move |store, now| store.send(&name, messages, now))
        .await?;
    server.waiters.notify(&queue);
    Ok(sent)
}

/// Validates an entry. Returns it in the format of the store, with its response except for the id.
fn prepare(entry: SendEntry) -> Result<(NewMessage, Sent), SqsError> {
    if entry.message_body.is_empty() {
        return Err(SqsError::missing("MessageBody"));
    }
    check_characters(&entry.message_body)?;
    check(&entry.message_attributes)?;
    if let Some(delay_s) = entry.delay_seconds {
        check_range(delay_s, 0..=900, "DelaySeconds")?;
    }
    if entry.message_deduplication_id.is_some() {
        return Err(SqsError::invalid(
            "The request includes a parameter that is not valid for this queue type: MessageDeduplicationId.",
        ));
    }
    if let Some(group) = &entry.message_group_id
        && !((1..=128).contains(&group.len()) && group.chars().all(|c| c.is_ascii_graphic()))
    {
        return Err(SqsError::invalid(
            "MessageGroupId can only include alphanumeric and punctuation characters, 1 to 128 in length.",
        ));
    }
    if let Some(name) = entry
        .message_system_attributes
        .keys()
        .find(|name| *name != "AWSTraceHeader")
    {
        return Err(SqsError::invalid(format!(
            "Message system attribute name '{name}' is invalid. Only AWSTraceHeader is supported."
        )));
    }
    let trace_header = entry
        .message_system_attributes
        .get("AWSTraceHeader")
        .and_then(|attribute| attribute.string_value.clone());
    let answer = Sent {
        id: entry.id,
        message_id: String::new(),
        md5_of_body: md5_of(entry.message_body.as_bytes()),
        md5_of_attributes: md5_of_attributes(&entry.message_attributes),
        md5_of_system_attributes: md5_of_attributes(&entry.message_system_attributes),
    };
    let message = NewMessage {
        body: entry.message_body,
        attributes: entry.message_attributes,
        group_id: entry.message_group_id,
        trace_header,
        delay_s: entry.delay_seconds,
    };
    Ok((message, answer))
}
