//! Database schema, and opening of the database.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

/// Version of the schema. A change requires a migration here.
pub(super) const SCHEMA_VERSION: i32 = 1;

const SCHEMA: &str = "
CREATE TABLE queues (
    name       TEXT PRIMARY KEY,
    attributes TEXT NOT NULL,        -- JSON, as AWS writes them
    created_at INTEGER NOT NULL,     -- ms
    changed_at INTEGER NOT NULL      -- ms
) WITHOUT ROWID;

CREATE TABLE messages (
    seq               INTEGER PRIMARY KEY,
    queue             TEXT NOT NULL,
    id                TEXT NOT NULL,
    body              TEXT NOT NULL,
    attributes        TEXT NOT NULL, -- JSON
    group_id          TEXT,
    trace_header      TEXT,
    sent_at           INTEGER NOT NULL, -- ms
    visible_at        INTEGER NOT NULL, -- ms
    receive_count     INTEGER NOT NULL DEFAULT 0,
    first_received_at INTEGER,       -- ms
    received_at       INTEGER,       -- ms, the latest
    receipt           TEXT,          -- token of the latest receive in this queue
    dead_letter_from  TEXT           -- the queue it was moved away from
);
CREATE INDEX messages_to_receive ON messages (queue, visible_at, seq);
CREATE INDEX messages_to_expire ON messages (queue, sent_at);
CREATE UNIQUE INDEX messages_by_id ON messages (queue, id);

CREATE TABLE move_tasks (
    seq         INTEGER PRIMARY KEY,
    source      TEXT NOT NULL,
    destination TEXT,
    started_at  INTEGER NOT NULL,    -- ms
    moved       INTEGER NOT NULL
);
";

/// Indexes that were added later. They are created if they are missing. Earlier versions ignore them.
const ADDED_INDEXES: &str =
    "CREATE INDEX IF NOT EXISTS messages_by_group ON messages (queue, group_id, visible_at, seq);";

/// Queues and messages in one database.
pub(crate) struct Store {
    pub(super) connection: Connection,
}

impl Store {
    /// Opens the file, or memory, and creates missing tables.
    pub(crate) fn open(file: Option<&Path>) -> Result<Store, OpenError> {
        let mut connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.set_prepared_statement_cache_capacity(64);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i32 =
            transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            SCHEMA_VERSION => {}
            other => return Err(OpenError::Version(other)),
        }
        transaction.execute_batch(ADDED_INDEXES)?;
        transaction.commit()?;
        Ok(Store { connection })
    }
}

/// Reason why the file could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("its tables are of version {0}, this program knows {SCHEMA_VERSION}")]
    Version(i32),
}
