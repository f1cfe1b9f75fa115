//! The message of a job: hidden, or sent again.

use std::time::Duration;

use cloakroom_core::LeaseToken;

use crate::delivery::{self, Delivery, Disposition};
use crate::envelope::Envelope;
use crate::ports::{PortError, Queue};

/// Wait of a message after a port failed for the first time; four times as long each further time.
pub(super) const AFTER_A_FAULT: Duration = Duration::from_secs(5);

/// Longest wait of a message of our own after a port failed: jobs go on so soon after an outage.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Longest wait of a message that can't be sent again: ten receipts last longer than an hour.
pub(super) const LONGEST_WAIT_OF_OTHERS: Duration = Duration::from_secs(900);

/// Receipt from which on a message is sent again, so that its receipts are counted from 1.
const RECEIVED_OFTEN: u32 = 4;

/// The message of a job, with its queue.
#[derive(Clone, Copy)]
pub(super) struct JobMessage<'a> {
    pub(super) queue: &'a dyn Queue,
    pub(super) delivery: &'a Delivery,
    pub(super) envelope: &'a Envelope,
}

impl JobMessage<'_> {
    /// Hides the message, to come back after this time.
    pub(super) async fn hide(&self, time: Duration) -> Disposition {
        delivery::hide(self.queue, self.delivery, time).await
    }

    /// Delivers the message again after this time. One that was received often is sent again, so that its receipts are counted
    /// from 1: receipts that are no fault of its job's must not make it a dead letter.
    ///
    /// Not for the message of a live attempt: the one that is sent again is another message.
    pub(super) async fn redeliver(&self, wait: Duration) -> Disposition {
        if self.delivery.receive_count < RECEIVED_OFTEN {
            self.hide(wait).await
        } else {
            self.resend(self.envelope, wait).await
        }
    }

    /// Delivers the message again after a port failed.
    pub(super) async fn redeliver_after(&self, error: &PortError, doing: &str) -> Disposition {
        tracing::error!(%error, "failed to {doing}; the message comes back");
        let wait = wait_after_a_fault(self.delivery, LONGEST_WAIT);
        match error {
            // It stays so, however often the message is sent again: in the end it is a dead letter.
            PortError::Unreadable { .. } => self.hide(wait).await,
            PortError::Unavailable { .. } | PortError::Misconfigured { .. } => {
                self.redeliver(wait).await
            }
        }
    }

    /// Handles a fault after which the record may hold the attempt of `token` as running, or not. The message is sent again, and
    /// says so.
    pub(super) async fn resend_unrecorded(
        &self,
        token: LeaseToken,
        error: &PortError,
        doing: &str,
    ) -> Disposition {
        tracing::error!(%error, "failed to {doing}; the attempt is not counted, and the message is sent again");
        let wait = wait_after_a_fault(self.delivery, LONGEST_WAIT);
        self.resend(&self.envelope.clone().with_unrecorded(token), wait)
            .await
    }

    /// Sends the message again, and lets the received one be deleted. If it can't be sent, the received one is hidden.
    async fn resend(&self, envelope: &Envelope, wait: Duration) -> Disposition {
        match self
            .queue
            .send(&envelope.key().tenant, envelope.write(), wait, None)
            .await
        {
            Ok(()) => Disposition::Done,
            Err(error) => {
                tracing::error!(%error, "failed to send a message again; it is hidden");
                self.hide(wait.max(wait_of_others(self.delivery))).await
            }
        }
    }
}

/// Returns the wait after a fault of a message that can't be sent again.
pub(super) fn wait_of_others(delivery: &Delivery) -> Duration {
    wait_after_a_fault(delivery, LONGEST_WAIT_OF_OTHERS)
}

/// Returns the wait of a message after a fault, by how often it was received.
pub(super) fn wait_after_a_fault(delivery: &Delivery, longest: Duration) -> Duration {
    let times = delivery.receive_count.saturating_sub(1).min(8);
    AFTER_A_FAULT.saturating_mul(1 << (2 * times)).min(longest)
}
