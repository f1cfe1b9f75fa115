//! Receives that wait for a message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Notifiers, one per queue. Each wakes all waiting receives, and those without a message continue to wait. Waking only
/// one could lose the notification, because its client may just have disconnected.
#[derive(Default)]
pub(super) struct Waiters {
    notifiers: Mutex<HashMap<String, Arc<Notify>>>,
    waiting: AtomicUsize,
}

impl Waiters {
    pub(super) fn notifier(&self, queue: &str) -> Arc<Notify> {
        let mut notifiers = self
            .notifiers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(notifier) = notifiers.get(queue) {
            return Arc::clone(notifier);
        }
        let notifier = Arc::<Notify>::default();
        notifiers.insert(queue.to_owned(), Arc::clone(&notifier));
        notifier
    }

    pub(super) fn notify(&self, queue: &str) {
        self.notifier(queue).notify_waiters();
    }

    /// Counts a receive as waiting while the returned value lives.
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
