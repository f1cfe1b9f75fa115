//! Message of a job: hides it, or sends it again.

use std::time::Duration;

use cloakroom_core::LeaseToken;

use crate::delivery::{self, Delivery, Disposition};
use crate::envelope::Envelope;
use crate::ports::{PortError, Queue};

/// Delay of a message after the first fault of a port. Each further fault quadruples it.
pub(super) const AFTER_A_FAULT: Duration = Duration::from_secs(5);

/// Maximum delay of a message after a fault. Jobs resume within this time after an outage.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Maximum delay of a message that can't be sent again: ten receipts take more than an hour.
pub(super) const LONGEST_WAIT_OF_OTHERS: Duration = Duration::from_secs(900);

/// Receive count from which a message is sent again, so that its receipts count from 1.
const RECEIVED_OFTEN: u32 = 4;

/// Message of a job, with its queue.
#[derive(Clone, Copy)]
pub(super) struct JobMessage<'a> {
    pub(super) queue: &'a dyn Queue,
    pub(super) delivery: &'a Delivery,
    pub(super) envelope: &'a Envelope,
}

impl JobMessage<'_> {
    /// Hides the message for this time.
    pub(super) async fn hide(&self, time: Duration) -> Disposition {
        delivery::hide(self.queue, self.delivery, time).await
    }

    /// Delivers the message again after this time. A message with a high receive count is sent again, so that its
    /// receipts count from 1. Receipts that are not caused by the job must not make its message a dead letter.
    ///
    /// Must not be used for the message of a live attempt, because a resent message has another id.
    pub(super) async fn redeliver(&self, wait: Duration) -> Disposition {
        if self.delivery.receive_count < RECEIVED_OFTEN {
            self.hide(wait).await
        } else {
            self.resend(self.envelope, wait).await
        }
    }

    /// Delivers the message again after a port failed.
    pub(super) async fn redeliver_after(&self, error: &PortError, doing: &str) -> Disposition {
        tracing::error!(%error, "failed to {doing}; the message will be received again");
        let wait = wait_after_a_fault(self.delivery, LONGEST_WAIT);
        match error {
            // The fault persists, however often the message is sent again. In the end, it becomes a dead letter.
            PortError::Unreadable { .. } => self.hide(wait).await,
            PortError::Unavailable { .. } | PortError::Misconfigured { .. } => {
                self.redeliver(wait).await
            }
        }
    }

    /// Handles a fault after which it is unknown whether the record shows the attempt of `token` as running. The
    /// message is sent again with that token.
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

    /// Sends the message again, so that the received one can be deleted. If that fails, hides the received one.
    async fn resend(&self, envelope: &Envelope, wait: Duration) -> Disposition {
        match self
            .queue
            .send(&envelope.key().tenant, envelope.write(), wait, None)
            .await
        {
            Ok(()) => Disposition::Done,
            Err(error) => {
                tracing::error!(%error, "failed to send a message again; it was hidden instead");
                self.hide(wait.max(wait_of_others(self.delivery))).await
            }
        }
    }
}

/// Returns the delay after a fault for a message that can't be sent again.
pub(super) fn wait_of_others(delivery: &Delivery) -> Duration {
    wait_after_a_fault(delivery, LONGEST_WAIT_OF_OTHERS)
}

/// Returns the delay of a message after a fault, based on its receive count.
pub(super) fn wait_after_a_fault(delivery: &Delivery, longest: Duration) -> Duration {
    let times = delivery.receive_count.saturating_sub(1).min(8);
    AFTER_A_FAULT.saturating_mul(1 << (2 * times)).min(longest)
}
