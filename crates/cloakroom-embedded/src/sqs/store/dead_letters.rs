//! Dead letters: moves messages away after too many receipts, and back by a task.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::candidate::{Candidate, exceeds_receive_count};
use super::database::Store;
use super::queues::settings;
use crate::sqs::error::{Kind, SqsError};
use crate::sqs::settings::Settings;

/// A task that moved messages back. It is complete when its request gets a response.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sqs) struct MoveTask {
    pub(in crate::sqs) destination: Option<String>,
    pub(in crate::sqs) started_at: i64,
    pub(in crate::sqs) moved: i64,
}

/// Moves the message to the dead-letter queue if it was received too often. Returns true if it did.
///
/// The id, the time of sending and the receive count are preserved, like in AWS's standard queues. If the dead-letter
/// queue was deleted, the message stays and can be received again.
pub(super) fn move_dead_letter(
    connection: &Connection,
    settings: &Settings,
    queue: &str,
    candidate: &Candidate,
    now: i64,
) -> Result<bool, SqsError> {
    let Some(redrive) = settings
        .redrive
        .as_ref()
        .filter(|_| exceeds_receive_count(settings, candidate))
    else {
        return Ok(false);
    };
    match self::settings(connection, &redrive.queue) {
        Ok(_) => {}
        Err(error) if error.kind == Kind::QueueDoesNotExist => return Ok(false),
        Err(error) => return Err(error),
    }
    connection
        .prepare_cached(
            "UPDATE messages SET queue = ?2, dead_letter_from = ?3, visible_at = ?4, receipt = NULL,
                 first_received_at = NULL
             WHERE seq = ?1",
        )?
        .execute(params![candidate.seq, redrive.queue, queue, now])?;
    Ok(true)
}

impl Store {
    /// Moves all visible messages of a dead-letter queue to `destination`, or to their source queues. They become new
    /// messages with a new id and age. Returns the task's number, and the queues with new messages.
    pub(in crate::sqs) fn move_messages(
        &mut self,
        source: &str,
        destination: Option<&str>,
        now: i64,
    ) -> Result<(i64, Vec<String>), SqsError> {
        let not_found = |_| {
            SqsError::new(
                Kind::ResourceNotFound,
                "The resource that you specified for the SourceArn or DestinationArn parameter doesn't exist.",
            )
        };
        let transaction = self.connection.transaction()?;
        settings(&transaction, source).map_err(not_found)?;
        if let Some(destination) = destination {
            settings(&transaction, destination).map_err(not_found)?;
        }
        if !is_dead_letter_queue(&transaction, source)? {
            return Err(SqsError::invalid(
                "Source queue must be configured as a Dead Letter Queue.",
            ));
        }
        let rows: Vec<(i64, Option<String>)> = transaction
            .prepare_cached(
                "SELECT seq, dead_letter_from FROM messages
                 WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, seq",
            )?
            .query_map(params![source, now], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let mut moved = 0;
        let mut destinations = Vec::new();
        for (seq, from) in rows {
            // A message that was sent to the dead-letter queue directly has no source, and stays.
            let to = destination.map(str::to_owned).or(from);
            let Some(to) = to.filter(|to| settings(&transaction, to).is_ok()) else {
                continue;
            };
            moved += transaction
                .prepare_cached(
                    "UPDATE messages SET queue = ?2, id = ?3, sent_at = ?4, visible_at = ?4,
                         receive_count = 0, first_received_at = NULL, received_at = NULL,
                         receipt = NULL, dead_letter_from = NULL
                     WHERE seq = ?1",
                )?
                .execute(params![seq, to, Uuid::new_v4().to_string(), now])?;
            if !destinations.contains(&to) {
                destinations.push(to);
            }
        }
        transaction.execute(
            "INSERT INTO move_tasks (source, destination, started_at, moved) VALUES (?1, ?2, ?3, ?4)",
            params![source, destination, now, moved],
        )?;
        let task = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok((task, destinations))
    }

    /// Returns the tasks of a queue, the latest first.
    pub(in crate::sqs) fn move_tasks(
        &mut self,
        source: &str,
        max: i64,
    ) -> Result<Vec<MoveTask>, SqsError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT destination, started_at, moved FROM move_tasks
             WHERE source = ?1 ORDER BY seq DESC LIMIT ?2",
        )?;
        let tasks = statement.query_map(params![source, max], |row| {
            Ok(MoveTask {
                destination: row.get(0)?,
                started_at: row.get(1)?,
                moved: row.get(2)?,
            })
        })?;
        Ok(tasks.collect::<Result<_, _>>()?)
    }
}

fn is_dead_letter_queue(connection: &Connection, name: &str) -> Result<bool, SqsError> {
    let names: Vec<String> = connection
        .prepare_cached("SELECT name FROM queues")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for other in names {
        let redrive = settings(connection, &other)?.redrive;
        if redrive.is_some_and(|redrive| redrive.queue == name) {
            return Ok(true);
        }
    }
    Ok(false)
}
