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
mod settings;
mod store;
mod waiters;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use crate::net::Stop;
use crate::{ACCOUNT, Clock};
use error::SqsError;
pub(crate) use http::serve;
pub(crate) use store::Store;
use waiters::Waiters;

/// What every request shares.
pub(crate) struct Server {
    store: Mutex<Store>,
    /// `http://127.0.0.1:PORT`, for queue URLs.
    base_url: String,
    clock: Clock,
    waiters: Waiters,
    stop: Stop,
}

impl Server {
    pub(crate) fn new(store: Store, base_url: String, clock: Clock, stop: Stop) -> Self {
        Self {
            store: Mutex::new(store),
            base_url,
            clock,
            waiters: Waiters::default(),
            stop,
        }
    }

    /// Runs one piece of work on the store, off the async threads: `SQLite` blocks.
    async fn store<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Store, i64) -> Result<T, SqsError> + Send + 'static,
    ) -> Result<T, SqsError> {
        let server = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            // A panic inside left no half transaction: those roll back when dropped.
            let mut store = server.store.lock().unwrap_or_else(PoisonError::into_inner);
            let now = (server.clock)();
            work(&mut store, now)
        });
        done.await
            .map_err(|error| SqsError::internal(error.to_string()))?
    }

    fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base_url)
    }
}
