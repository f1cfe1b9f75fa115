//! Fair delivery: chooses the next message among several message groups.
//!
//! A group with many messages in flight does not delay the messages of other groups, as in a fair queue of AWS
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>). AWS documents
//! the effect, but not the rule. The rule here: the next message belongs to the group with the fewest messages in
//! flight. Among several such groups, it is the message that has been visible longest. A message without a group never
//! counts as busy.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::candidate::Candidate;
use crate::sqs::error::SqsError;

/// Selects the next due message of a group, after a given one. Without the index hint, `SQLite` would examine all due
/// messages.
pub(super) const FIRST_DUE: &str =
    "SELECT seq, visible_at, receive_count FROM messages INDEXED BY messages_by_group
     WHERE queue = ?1 AND group_id IS ?2 AND visible_at <= ?3 AND (visible_at, seq) > (?4, ?5)
     ORDER BY visible_at, seq LIMIT 1";

/// Selects each group once, without examining each message.
const GROUPS: &str = "WITH RECURSIVE groups(name) AS (
         SELECT MIN(group_id) FROM messages WHERE queue = ?1
         UNION ALL
         SELECT (SELECT MIN(group_id) FROM messages WHERE queue = ?1 AND group_id > name) FROM groups
         WHERE name IS NOT NULL
     ) SELECT name FROM groups WHERE name IS NOT NULL";

/// Counts messages that were received and are hidden, by group.
const IN_FLIGHT: &str = "SELECT group_id, COUNT(*) FROM messages
     WHERE queue = ?1 AND visible_at > ?2 AND receipt IS NOT NULL AND group_id IS NOT NULL GROUP BY group_id";

/// Groups with due messages, each with its next one.
pub(super) struct Turns<'a> {
    connection: &'a Connection,
    queue: &'a str,
    now: i64,
    waiting: Vec<Waiting>,
}

struct Waiting {
    group: Option<String>,
    in_flight: i64,
    next: Candidate,
}

impl<'a> Turns<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        queue: &'a str,
        now: i64,
    ) -> Result<Self, SqsError> {
        let mut turns = Self {
            connection,
            queue,
            now,
            waiting: Vec::new(),
        };
        let busy: HashMap<String, i64> = connection
            .prepare_cached(IN_FLIGHT)?
            .query_map(params![queue, now], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let named: Vec<String> = connection
            .prepare_cached(GROUPS)?
            .query_map(params![queue], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for group in named.into_iter().map(Some).chain([None]) {
            if let Some(next) = turns.first_due(group.as_deref(), (i64::MIN, 0))? {
                let in_flight = group
                    .as_ref()
                    .and_then(|name| busy.get(name))
                    .copied()
                    .unwrap_or(0);
                turns.waiting.push(Waiting {
                    group,
                    in_flight,
                    next,
                });
            }
        }
        Ok(turns)
    }

    /// Chooses the next message, and removes it from the waiting ones.
    pub(super) fn next(&mut self) -> Result<Option<Turn>, SqsError> {
        let rank = |it: &Waiting| (it.in_flight, it.next.visible_at, it.next.seq);
        let Some((at, first)) = self
            .waiting
            .iter()
            .enumerate()
            .min_by_key(|(_, it)| rank(it))
        else {
            return Ok(None);
        };
        let group = first.group.clone();
        let then = self.first_due(group.as_deref(), (first.next.visible_at, first.next.seq))?;
        let candidate = match then {
            Some(then) => std::mem::replace(&mut self.waiting[at].next, then),
            None => self.waiting.swap_remove(at).next,
        };
        Ok(Some(Turn { group, candidate }))
    }

    /// Counts the message as in flight.
    pub(super) fn received(&mut self, turn: &Turn) {
        let same = |it: &&mut Waiting| it.group.is_some() && it.group == turn.group;
        if let Some(waiting) = self.waiting.iter_mut().find(same) {
            waiting.in_flight += 1;
        }
    }

    fn first_due(
        &self,
        group: Option<&str>,
        after: (i64, i64),
    ) -> Result<Option<Candidate>, SqsError> {
        let mut statement = self.connection.prepare_cached(FIRST_DUE)?;
        let found = statement
            .query_row(
                params![self.queue, group, self.now, after.0, after.1],
                |row| {
                    Ok(Candidate {
                        seq: row.get(0)?,
                        visible_at: row.get(1)?,
                        receive_count: row.get(2)?,
                    })
                },
            )
            .optional()?;
        Ok(found)
    }
}

/// A chosen message, with its group.
pub(super) struct Turn {
    group: Option<String>,
    pub(super) candidate: Candidate,
}
