//! Receives that wait for a message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// One bell a queue. Every waiting receive hears it and looks; who finds nothing waits on. Waking only one
/// would lose the message's bell to a client that has just hung up.
#[derive(Default)]
pub(super) struct Waiters {
    bells: Mutex<HashMap<String, Arc<Notify>>>,
    waiting: AtomicUsize,
}

impl Waiters {
    pub(super) fn bell(&self, queue: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(queue) {
            return Arc::clone(bell);
        }
        let bell = Arc::<Notify>::default();
        bells.insert(queue.to_owned(), Arc::clone(&bell));
        bell
    }

    pub(super) fn ring(&self, queue: &str) {
        self.bell(queue).notify_waiters();
    }

    /// Counts a receive as waiting, as long as the value lives.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

pub(super) struct Waiting<'a>(&'a Waiters);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
