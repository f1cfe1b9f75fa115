//! State of the server.

use std::sync::{Arc, Mutex, PoisonError};

use super::error::SqsError;
use super::store::Store;
use super::waiters::Waiters;
use crate::account::ACCOUNT;
use crate::clock::Clock;
use crate::net::Stop;

/// State that all requests share.
pub(crate) struct Server {
    store: Mutex<Store>,
    /// `http://127.0.0.1:PORT`, for queue URLs.
    base_url: String,
    pub(super) clock: Clock,
    pub(super) waiters: Waiters,
    pub(super) stop: Stop,
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

    /// Runs an operation on the store outside of the async threads, because `SQLite` blocks.
    pub(super) async fn store<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Store, i64) -> Result<T, SqsError> + Send + 'static,
    ) -> Result<T, SqsError> {
        let server = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            // A panic leaves no partial transaction, because transactions roll back when dropped.
            let mut store = server.store.lock().unwrap_or_else(PoisonError::into_inner);
            let now = (server.clock)();
            work(&mut store, now)
        });
        done.await
            .map_err(|error| SqsError::internal(error.to_string()))?
    }

    pub(super) fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.base_url)
    }
}
