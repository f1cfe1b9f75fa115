//! Messages as a queue delivers them, and their dispositions.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use crate::intake::message::ProducerMessage;
use crate::ports::Queue;

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Queue's id of the message: the same for every receipt.
    pub message_id: String,
    /// Receipt handle, for hiding or deleting the message.
    pub receipt: String,
    /// Body of the message.
    pub body: String,
    /// Number of receipts, including this one.
    pub receive_count: u32,
    /// Attributes and payload, if a producer sent the message.
    pub producer_message: Option<Box<ProducerMessage>>,
}

impl Delivery {
    /// Returns true for the first receipt of the message. Later receipts need not log the same error again.
    pub(crate) fn is_first_receipt(&self) -> bool {
        self.receive_count <= 1
    }
}

/// Disposition of a message after it was handled: delete or keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Delete the message: it is no longer needed.
    Done,
    /// Keep the message in its queue. It has been hidden.
    Keep,
}

/// Hides a message for this time. If the call fails, the message becomes visible after the queue's visibility timeout.
pub(crate) async fn hide(queue: &dyn Queue, delivery: &Delivery, time: Duration) -> Disposition {
    if let Err(error) = queue.hide(&delivery.receipt, time).await {
        tracing::warn!(message_id = delivery.message_id, %error, "failed to hide a message");
    }
    Disposition::Keep
}

/// Handles a message. If that panics, keeps the message in its queue.
///
/// Only Cloakroom's own code can panic here, because a handler runs in its own task. The panic hook logs the panic.
pub(crate) async fn keep_on_panic(handle: impl AsyncFnOnce() -> Disposition) -> Disposition {
    AssertUnwindSafe(handle())
        .catch_unwind()
        .await
        .unwrap_or(Disposition::Keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_first_received_once() {
        for (receive_count, is_first) in [(1, true), (2, false)] {
            let delivery = Delivery {
                message_id: "m".to_owned(),
                receipt: "r".to_owned(),
                body: String::new(),
                receive_count,
                producer_message: None,
            };
            assert_eq!(delivery.is_first_receipt(), is_first);
        }
    }
}
