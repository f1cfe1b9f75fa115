//! The queue of messages.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::Tenant;

use super::error::PortError;

/// Longest delay of a message that the queue itself supports: 15 minutes.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// State of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// True if messages wait that no worker has received yet; approximate.
    pub backlog: bool,
    /// Longest time that a message is received in vain before it is a dead letter: the number of receipts times the
    /// visibility timeout.
    pub cycle: Duration,
}

/// The queue of messages.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message, to be received after `delay`.
    ///
    /// A message with a delay of more than [`LONGEST_DELAY`] may be received earlier. The worker hides a message until its job is ready.
    /// The tenant is the fairness group. `xray` is the trace header that goes beside the message, if the request has one.
    async fn send(
        &self,
        tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError>;

    /// Hides a received message for `time` from now (whole seconds, rounded up), in place of the time that remains.
    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError>;

    /// Returns the state of the queue.
    async fn state(&self) -> Result<QueueState, PortError>;
}
