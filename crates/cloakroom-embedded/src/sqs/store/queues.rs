//! Operations on queues: create, find, configure, count, purge.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::Store;
use crate::sqs::error::{Kind, SqsError};
use crate::sqs::protocol::name_to_arn;
use crate::sqs::settings::{AttributeMap, Settings, is_same_as_stored, with_defaults};

/// Number of messages in a queue, by state.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::sqs) struct Counts {
    pub(in crate::sqs) visible: i64,
    pub(in crate::sqs) in_flight: i64,
    pub(in crate::sqs) delayed: i64,
}

impl Store {
    /// Creates the queue, or finds an existing one with the same attributes.
    pub(in crate::sqs) fn create_queue(
        &mut self,
        name: &str,
        attributes: &AttributeMap,
        now: i64,
    ) -> Result<(), SqsError> {
        let transaction = self.connection.transaction()?;
        if let Some(stored) = find(&transaction, name)? {
            return if is_same_as_stored(attributes, &stored) {
                Ok(())
            } else {
                Err(SqsError::new(
                    Kind::QueueNameExists,
                    format!("A queue named {name} exists with other attributes."),
                ))
            };
        }
        check(&transaction, name, attributes)?;
        transaction
            .prepare_cached("INSERT INTO queues (name, attributes, created_at, changed_at) VALUES (?1, ?2, ?3, ?3)")?
            .execute(params![name, serde_json::to_string(attributes)?, now])?;
        transaction.commit()?;
        Ok(())
    }

    pub(in crate::sqs) fn queue_exists(&mut self, name: &str) -> Result<(), SqsError> {
        settings(&self.connection, name).map(|_| ())
    }

    /// Returns the names in order.
    pub(in crate::sqs) fn queue_names(&mut self, prefix: &str) -> Result<Vec<String>, SqsError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name FROM queues ORDER BY name")?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut found = Vec::new();
        for name in names {
            let name = name?;
            if name.starts_with(prefix) {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// Changes the named attributes. An empty `RedrivePolicy` removes it.
    pub(in crate::sqs) fn set_queue(
        &mut self,
        name: &str,
        changes: AttributeMap,
        now: i64,
    ) -> Result<(), SqsError> {
        let transaction = self.connection.transaction()?;
        let mut attributes = find(&transaction, name)?.ok_or_else(SqsError::no_such_queue)?;
        attributes.extend(changes);
        attributes.retain(|_, value| !value.is_empty());
        check(&transaction, name, &attributes)?;
        transaction
            .prepare_cached("UPDATE queues SET attributes = ?2, changed_at = ?3 WHERE name = ?1")?
            .execute(params![name, serde_json::to_string(&attributes)?, now])?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns all attributes that AWS returns, including counts.
    pub(in crate::sqs) fn queue_attributes(
        &mut self,
        name: &str,
        now: i64,
    ) -> Result<AttributeMap, SqsError> {
        let stored = find(&self.connection, name)?.ok_or_else(SqsError::no_such_queue)?;
        let (created_at, changed_at): (i64, i64) = self
            .connection
            .prepare_cached("SELECT created_at, changed_at FROM queues WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let counts = self.counts(name, now)?;
        let mut attributes = with_defaults(stored);
        for (attribute, value) in [
            ("QueueArn", name_to_arn(name)),
            ("CreatedTimestamp", (created_at / 1000).to_string()),
            ("LastModifiedTimestamp", (changed_at / 1000).to_string()),
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            (
                "ApproximateNumberOfMessagesNotVisible",
                counts.in_flight.to_string(),
            ),
            (
                "ApproximateNumberOfMessagesDelayed",
                counts.delayed.to_string(),
            ),
        ] {
            attributes.insert(attribute.to_owned(), value);
        }
        Ok(attributes)
    }

    pub(in crate::sqs) fn counts(&mut self, name: &str, now: i64) -> Result<Counts, SqsError> {
        let settings = settings(&self.connection, name)?;
        expire(&self.connection, name, &settings, now)?;
        let counts = self
            .connection
            .prepare_cached(
                "SELECT COUNT(*) FILTER (WHERE visible_at <= ?2),
                        COUNT(*) FILTER (WHERE visible_at > ?2 AND receipt IS NOT NULL),
                        COUNT(*) FILTER (WHERE visible_at > ?2 AND receipt IS NULL)
                 FROM messages WHERE queue = ?1",
            )?
            .query_row(params![name, now], |row| {
                Ok(Counts {
                    visible: row.get(0)?,
                    in_flight: row.get(1)?,
                    delayed: row.get(2)?,
                })
            })?;
        Ok(counts)
    }

    /// Deletes the messages of the queue, including those in flight.
    pub(in crate::sqs) fn purge(&mut self, name: &str) -> Result<(), SqsError> {
        settings(&self.connection, name)?;
        self.connection
            .execute("DELETE FROM messages WHERE queue = ?1", [name])?;
        Ok(())
    }

    /// Deletes the queue with its messages.
    pub(in crate::sqs) fn delete_queue(&mut self, name: &str) -> Result<(), SqsError> {
        let transaction = self.connection.transaction()?;
        settings(&transaction, name)?;
        transaction.execute("DELETE FROM messages WHERE queue = ?1", [name])?;
        transaction.execute("DELETE FROM queues WHERE name = ?1", [name])?;
        transaction.commit()?;
        Ok(())
    }
}

/// Returns the attributes as stored.
fn find(connection: &Connection, name: &str) -> Result<Option<AttributeMap>, SqsError> {
    let stored: Option<String> = connection
        .prepare_cached("SELECT attributes FROM queues WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(stored.map(|text| serde_json::from_str(&text)).transpose()?)
}

/// Returns the settings of the queue.
pub(super) fn settings(connection: &Connection, name: &str) -> Result<Settings, SqsError> {
    let stored = find(connection, name)?.ok_or_else(SqsError::no_such_queue)?;
    Settings::read(&stored)
}

/// Rejects invalid attributes, and a dead-letter queue that does not exist.
fn check(connection: &Connection, name: &str, attributes: &AttributeMap) -> Result<(), SqsError> {
    if let Some(redrive) = Settings::read(attributes)?.redrive
        && (redrive.queue == name || find(connection, &redrive.queue)?.is_none())
    {
        return Err(SqsError::invalid(format!(
            "Value for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist: {}.",
            redrive.queue
        )));
    }
    Ok(())
}

/// Deletes messages that have exceeded the queue's retention, counted from the time they were first sent.
pub(super) fn expire(
    connection: &Connection,
    name: &str,
    settings: &Settings,
    now: i64,
) -> Result<(), SqsError> {
    connection
        .prepare_cached("DELETE FROM messages WHERE queue = ?1 AND sent_at <= ?2")?
        .execute(params![name, now - settings.retention_s * 1000])?;
    Ok(())
}
