//! Documents of links and deliveries.

use cloakroom_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Permission of a shared link, for its job alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reads the job, its events and its result.
    Read,
    /// Cancels the job.
    Cancel,
    /// Sends signals to the job.
    Signal,
}

/// A link that gives access to one job without credentials. Its URLs are secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharedLink {
    /// Full URL of the job.
    pub url: String,
    /// Full URL of the job's events.
    pub events: String,
    /// Time from which the link is not valid.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SharedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLink")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Delivery of one event to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeliveryView {
    /// Id of the delivery, unique within the job.
    pub id: String,
    /// Kind of the receiver, such as `webhook`.
    pub kind: String,
    /// Receiver. Of a URL, it has the scheme and the host only.
    pub target: String,
    /// Current state.
    pub state: DeliveryState,
    /// Attempts so far, the oldest first.
    #[serde(default)]
    pub attempts: Vec<DeliveryAttempt>,
    /// Time of the next attempt, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Another attempt will follow.
    Pending,
    /// The receiver confirmed the delivery.
    Delivered,
    /// No attempts are left, or the receiver ended the deliveries.
    Failed,
}

impl DeliveryState {
    /// Returns the name of the state, as in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeliveryAttempt {
    /// Time of the attempt.
    pub at: Timestamp,
    /// HTTP status of the response, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Reason why there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
