//! Operations on messages: send, receive, delete, change the visibility.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::candidate::Candidate;
use super::database::Store;
use super::dead_letters::move_dead_letter;
use super::fair::Turns;
use super::queues::{expire, settings};
use crate::sqs::attributes::{MessageAttributes, size_bytes};
use crate::sqs::error::{Kind, SqsError};
use crate::sqs::protocol::Receipt;
use crate::sqs::settings::MAX_VISIBILITY_S;

/// A message to send, valid except for the limits of its queue.
#[derive(Clone, Debug, Default)]
pub(in crate::sqs) struct NewMessage {
    pub(in crate::sqs) body: String,
    pub(in crate::sqs) attributes: MessageAttributes,
    pub(in crate::sqs) group_id: Option<String>,
    pub(in crate::sqs) trace_header: Option<String>,
    /// `None` means the default of the queue.
    pub(in crate::sqs) delay_s: Option<i64>,
}

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sqs) struct StoredMessage {
    pub(in crate::sqs) receipt: Receipt,
    pub(in crate::sqs) body: String,
    pub(in crate::sqs) attributes: MessageAttributes,
    pub(in crate::sqs) group_id: Option<String>,
    pub(in crate::sqs) trace_header: Option<String>,
    pub(in crate::sqs) sent_at: i64,
    pub(in crate::sqs) receive_count: i64,
    pub(in crate::sqs) first_received_at: i64,
    pub(in crate::sqs) dead_letter_from: Option<String>,
}

#[derive(Debug, Default)]
pub(in crate::sqs) struct Received {
    pub(in crate::sqs) messages: Vec<StoredMessage>,
    /// Dead-letter queue to which messages were moved meanwhile.
    pub(in crate::sqs) dead_letter_queue: Option<String>,
    /// Time at which the next hidden message becomes visible, if no message was received.
    pub(in crate::sqs) next_visible_at: Option<i64>,
}

impl Store {
    /// Returns the latest time at which a message was sent or received, if there is a message.
    pub(crate) fn latest(&self) -> rusqlite::Result<Option<i64>> {
        self.connection.query_row(
            "SELECT MAX(MAX(sent_at, COALESCE(received_at, sent_at))) FROM messages",
            [],
            |row| row.get(0),
        )
    }

    /// Sends several messages. Returns the id of each, or an error if it violates the limits of the queue.
    pub(in crate::sqs) fn send(
        &mut self,
        queue: &str,
        messages: Vec<NewMessage>,
        now: i64,
    ) -> Result<Vec<Result<String, SqsError>>, SqsError> {
        let transaction = self.connection.transaction()?;
        let settings = settings(&transaction, queue)?;
        let mut answers = Vec::new();
        for message in messages {
            if message.body.len() + size_bytes(&message.attributes) > settings.max_message_bytes {
                answers.push(Err(SqsError::invalid(format!(
                    "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                    settings.max_message_bytes
                ))));
                continue;
            }
            let id = Uuid::new_v4().to_string();
            let visible_at = now + message.delay_s.unwrap_or(settings.delay_s) * 1000;
            transaction
                .prepare_cached(
                    "INSERT INTO messages
                     (queue, id, body, attributes, group_id, trace_header, sent_at, visible_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    queue,
                    id,
                    message.body,
                    serde_json::to_string(&message.attributes)?,
                    message.group_id,
                    message.trace_header,
                    now,
                    visible_at
                ])?;
            answers.push(Ok(id));
        }
        transaction.commit()?;
        Ok(answers)
    }

    /// Returns the default wait of a receive, in seconds.
    pub(in crate::sqs) fn receive_wait_s(&mut self, queue: &str) -> Result<i64, SqsError> {
        Ok(settings(&self.connection, queue)?.receive_wait_s)
    }

    /// Receives up to `max` visible messages in fair order, and hides them for `visibility_s` or the queue's default.
    /// Moves messages that were received too often to the dead-letter queue.
    pub(in crate::sqs) fn receive(
        &mut self,
        queue: &str,
        max: usize,
        visibility_s: Option<i64>,
        now: i64,
    ) -> Result<Received, SqsError> {
        let transaction = self.connection.transaction()?;
        let settings = settings(&transaction, queue)?;
        expire(&transaction, queue, &settings, now)?;
        let visible_at = now + visibility_s.unwrap_or(settings.visibility_timeout_s) * 1000;
        let mut received = Received::default();
        let mut turns = Turns::new(&transaction, queue, now)?;
        // Chooses all messages before it hides one: with a visibility of 0, a received message is due at once.
        let mut chosen = Vec::new();
        while chosen.len() < max {
            let Some(turn) = turns.next()? else { break };
            if move_dead_letter(&transaction, &settings, queue, &turn.candidate, now)? {
                received.dead_letter_queue = settings.redrive.as_ref().map(|to| to.queue.clone());
                continue;
            }
            turns.received(&turn);
            chosen.push(turn.candidate);
        }
        for candidate in &chosen {
            received
                .messages
                .push(mark_received(&transaction, candidate, visible_at, now)?);
        }
        if received.messages.is_empty() {
            received.next_visible_at = transaction
                .prepare_cached(
                    "SELECT MIN(visible_at) FROM messages WHERE queue = ?1 AND visible_at > ?2",
                )?
                .query_row(params![queue, now], |row| row.get(0))?;
        }
        transaction.commit()?;
        Ok(received)
    }

    /// Deletes a message by its latest receipt. An older receipt, or one of a deleted message, has no effect and is not
    /// an error.
    pub(in crate::sqs) fn delete(
        &mut self,
        queue: &str,
        receipt: &Receipt,
    ) -> Result<(), SqsError> {
        settings(&self.connection, queue)?;
        self.connection
            .prepare_cached("DELETE FROM messages WHERE queue = ?1 AND id = ?2 AND receipt = ?3")?
            .execute(params![queue, receipt.message_id, receipt.token])?;
        Ok(())
    }

    /// Hides a message in flight for `timeout_s` from now. With 0, it becomes visible at once.
    pub(in crate::sqs) fn change_visibility(
        &mut self,
        queue: &str,
        receipt: &Receipt,
        timeout_s: i64,
        now: i64,
    ) -> Result<(), SqsError> {
        let settings = settings(&self.connection, queue)?;
        expire(&self.connection, queue, &settings, now)?;
        let found: Option<(i64, i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT seq, visible_at, received_at FROM messages
                 WHERE queue = ?1 AND id = ?2 AND receipt = ?3",
            )?
            .query_row(params![queue, receipt.message_id, receipt.token], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((seq, visible_at, received_at)) = found else {
            return Err(SqsError::invalid(
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is \
                 not available for visibility timeout change.",
            ));
        };
        if visible_at <= now {
            return Err(SqsError::new(
                Kind::MessageNotInflight,
                "The specified message is not in flight.",
            ));
        }
        let visible_at = now + timeout_s * 1000;
        if visible_at > received_at + MAX_VISIBILITY_S * 1000 {
            return Err(SqsError::invalid(format!(
                "Value {timeout_s} for parameter VisibilityTimeout is invalid. Reason: Total \
                 VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY_S} seconds]."
            )));
        }
        self.connection
            .prepare_cached("UPDATE messages SET visible_at = ?2 WHERE seq = ?1")?
            .execute(params![seq, visible_at])?;
        Ok(())
    }
}

fn mark_received(
    connection: &Connection,
    candidate: &Candidate,
    visible_at: i64,
    now: i64,
) -> Result<StoredMessage, SqsError> {
    let token = Uuid::new_v4().to_string();
    let (mut message, attributes) = connection
        .prepare_cached(
            "UPDATE messages
             SET visible_at = ?2, receipt = ?3, receive_count = receive_count + 1, received_at = ?4,
                 first_received_at = COALESCE(first_received_at, ?4)
             WHERE seq = ?1
             RETURNING id, body, group_id, trace_header, sent_at, receive_count, first_received_at,
                 dead_letter_from, attributes",
        )?
        .query_row(params![candidate.seq, visible_at, token, now], |row| {
            read(row, token.clone())
        })?;
    message.attributes = serde_json::from_str(&attributes)?;
    Ok(message)
}

/// Returns the message, and its attributes as stored.
fn read(row: &Row<'_>, token: String) -> rusqlite::Result<(StoredMessage, String)> {
    let message = StoredMessage {
        receipt: Receipt {
            message_id: row.get(0)?,
            token,
        },
        body: row.get(1)?,
        attributes: MessageAttributes::new(),
        group_id: row.get(2)?,
        trace_header: row.get(3)?,
        sent_at: row.get(4)?,
        receive_count: row.get(5)?,
        first_received_at: row.get(6)?,
        dead_letter_from: row.get(7)?,
    };
    Ok((message, row.get(8)?))
}
