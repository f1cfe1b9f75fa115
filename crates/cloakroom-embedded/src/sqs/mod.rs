//! SQS: standard queues on `SQLite` with the AWS JSON 1.0 protocol.
//!
//! A request passes through `http` (protocol), `actions` (one file per family: parse, apply, encode) and [`Store`]
//! (SQL; time is an argument). A receive without messages waits in `waiters` until a send wakes it, or until the next
//! hidden message becomes visible. Nothing polls.
//!
//! Counts and order, which AWS calls approximate, are exact, and delivery is first in, first out within a group.
//! Message groups are served fairly: see `store::fair`.

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
