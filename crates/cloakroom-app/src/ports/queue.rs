//! Port for the queue of messages.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::Tenant;

use super::error::PortError;

/// Maximum delay of a message that the queue supports: 15 minutes.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// State of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// True if messages wait that no worker has received yet. Approximate.
    pub backlog: bool,
    /// Maximum time until an unprocessed message becomes a dead letter: the maximum receive count times the visibility
    /// timeout.
    pub cycle: Duration,
}

/// The queue of messages.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message that becomes visible after `delay`.
    ///
    /// A message with a delay of more than [`LONGEST_DELAY`] may become visible earlier. The worker then hides it until
    /// its job is ready. The tenant is the fairness group. `xray` is the trace header, sent as an attribute if the
    /// request has one.
    async fn send(
        &self,
        tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError>;

    /// Hides a received message for `time` from now (whole seconds, rounded up). Replaces the remaining time.
    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError>;

    /// Returns the state of the queue.
    async fn state(&self) -> Result<QueueState, PortError>;
}
