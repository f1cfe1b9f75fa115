//! Times that a worker keeps to.

use std::time::Duration;

/// The times that a worker keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Duration of a lease. It is renewed at every third of it.
    pub lease: Duration,
    /// Time before the function's own end at which an attempt is stopped, so that its end can still be written.
    pub margin: Duration,
    /// Time for a handler to end in order after it was asked to stop.
    pub grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            margin: Duration::from_secs(4),
            grace: Duration::from_secs(2),
        }
    }
}
