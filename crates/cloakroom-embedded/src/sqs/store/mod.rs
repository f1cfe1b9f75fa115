//! The queues in `SQLite`. Time comes as `now`, in milliseconds since 1970; nothing here reads a clock.
//!
//! Every public method is one transaction. The file is written ahead (WAL) with `synchronous = NORMAL`: what
//! was answered is there after a kill; after a power cut the last moments may be missing.

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
