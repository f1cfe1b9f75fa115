//! Timing of a worker.

use std::time::Duration;

/// Timing of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Duration of a lease. It is renewed after each third of it.
    pub lease: Duration,
    /// Time before the function's timeout at which an attempt is stopped, so that its end can be recorded.
    pub margin: Duration,
    /// Grace period of a handler after it was requested to stop.
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
