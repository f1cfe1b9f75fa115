//! Port for the queue of messages.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::Tenant;
use serde::Serialize;

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

/// Returns the body of a message as JSON with only the characters that a queue accepts.
pub(crate) fn json_body(message: &impl Serialize) -> String {
    let text = serde_json::to_string(message).expect("strings and numbers are always written");
    // A message may contain the characters of XML 1.0. JSON escapes all others except these two, which a query can
    // contain. Both start with the same byte in UTF-8, which is rare.
    if !text.as_bytes().contains(&0xef) {
        return text;
    }
    text.replace('\u{fffe}', "\\ufffe")
        .replace('\u{ffff}', "\\uffff")
}
