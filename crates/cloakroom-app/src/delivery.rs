//! A message as a queue delivers it, and its disposition.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use crate::intake::message::ProducerMessage;
use crate::ports::Queue;

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The queue's id of the message: the same at every receipt.
    pub message_id: String,
    /// Handle of this receipt, to hide or delete the message with.
    pub receipt: String,
    /// Body of the message.
    pub body: String,
    /// Number of receipts, with this one.
    pub receive_count: u32,
    /// Attributes and payload, if a producer sent it.
    pub producer_message: Option<Box<ProducerMessage>>,
}

/// Decision about a message after it was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Delete it: its work is done.
    Done,
    /// Keep it in its queue. It is hidden already.
    Keep,
}

/// Hides a message in its queue, to come back after this time. If the call fails, it comes back after the queue's own time.
pub(crate) async fn hide(queue: &dyn Queue, delivery: &Delivery, time: Duration) -> Disposition {
    if let Err(error) = queue.hide(&delivery.receipt, time).await {
        tracing::warn!(message_id = delivery.message_id, %error, "failed to hide a message");
    }
    Disposition::Keep
}

/// Handles a message, and keeps it in its queue if that panics.
///
/// Such a panic is in our own code: a handler runs in its own task. The panic hook logs it.
pub(crate) async fn keep_on_panic(handle: impl AsyncFnOnce() -> Disposition) -> Disposition {
    AssertUnwindSafe(handle())
        .catch_unwind()
        .await
        .unwrap_or(Disposition::Keep)
}
