//! SQS: standard queues over `SQLite`, behind the AWS JSON 1.0 protocol.
//!
//! A request goes `http` (wire) → `actions` (one file a family: parse, apply, encode) → [`Store`] (SQL; time
//! is an argument). A receive that finds nothing waits in `waiters` until a send wakes it or the next
//! hidden message becomes visible; nothing polls.
//!
//! Where AWS says "approximately" (counts, order), this is exact and first in, first out. Message groups
//! are stored and given back, but don't change who is served next.

mod actions;
mod attributes;
mod error;
mod http;
mod protocol;
mod server;
mod settings;
mod store;
mod waiters;

#[cfg(test)]
mod tests;

pub(crate) use http::serve;
pub(crate) use server::Server;
pub(crate) use store::Store;
