//! Queues in `SQLite`. Time is an argument, `now`, in milliseconds since 1970. This module reads no clock.
//!
//! Every public method is one transaction. The database uses a write-ahead log with `synchronous = NORMAL`:
//! acknowledged changes survive a killed process. After a power failure, the latest ones may be missing.

mod candidate;
mod database;
mod dead_letters;
mod fair;
mod messages;
mod queues;
#[cfg(test)]
mod tests;

pub(crate) use database::Store;
pub(super) use messages::{NewMessage, Received, StoredMessage};
