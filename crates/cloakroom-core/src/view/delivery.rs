//! The document of a delivery.

use serde::{Deserialize, Serialize};

use crate::delivery::{Delivery, DeliveryAttempt};
use crate::{DeliveryState, Timestamp};

/// Delivery of one event to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeliveryView {
    /// Id of the delivery, unique within the job.
    pub id: String,
    /// Kind of the receiver, such as `webhook`. Clients accept kinds that they do not know.
    pub kind: String,
    /// Receiver. Of a URL, it has the scheme and the host only: the rest may be secret.
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

impl DeliveryView {
    /// Creates the document of a delivery.
    pub fn from_delivery(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.clone(),
            kind: delivery.kind.as_str().to_owned(),
            target: delivery.target.clone(),
            state: delivery.state,
            attempts: delivery.attempts.clone(),
            next_at: delivery.next_at,
        }
    }
}
