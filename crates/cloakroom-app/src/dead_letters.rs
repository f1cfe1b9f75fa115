//! Dead letters: messages that reached the queue's maximum receive count. They will not bring their jobs to a worker
//! again.
//!
//! Each dead letter is stored for an operator, then its job is ended, and then the message is deleted. A crash between
//! two steps leaves the message in its queue. All steps are then repeated, with the same effect.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::transition::Verdict;
use cloakroom_core::{Job, JobKey, Status, Timestamp};

use crate::delivery::{self, Delivery, Disposition};
use crate::envelope::Envelope;
use crate::intake;
use crate::meter::{Fact, Measure};
use crate::ports::{Change, DeadLetterStore, PortError, Queue, keys};
use crate::shared::Shared;

/// Delay of a dead letter after a port failed, or after its job changed concurrently.
const AGAIN: Duration = Duration::from_secs(5);

/// The use case, with its ports.
#[derive(Clone)]
pub struct DeadLetters {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Queue of dead letters.
    pub queue: Arc<dyn Queue>,
    /// Store of dead letters.
    pub dead_letters: Arc<dyn DeadLetterStore>,
}

impl DeadLetters {
    /// Handles dead letters concurrently. The dispositions are in the same order. A dead letter whose handling panics
    /// stays in its queue, and does not affect the others.
    pub async fn handle_batch(&self, deliveries: &[Delivery]) -> Vec<Disposition> {
        let each = deliveries
            .iter()
            .map(|delivery| delivery::keep_on_panic(async || self.handle(delivery).await));
        futures::future::join_all(each).await
    }

    /// Handles one dead letter.
    pub async fn handle(&self, delivery: &Delivery) -> Disposition {
        let address =
            Envelope::address(&delivery.body).filter(|_| delivery.producer_message.is_none());
        let handled = match address {
            Some((key, accepted_at)) => self.bury(delivery, &key, accepted_at).await,
            None => self.store_stray(delivery).await,
        };
        match handled {
            Ok(None) => Disposition::Done,
            Ok(Some(wait)) => delivery::hide(&*self.queue, delivery, wait).await,
            Err(error) => {
                tracing::error!(message_id = delivery.message_id, %error, "failed to process a dead letter; it will be received again");
                delivery::hide(&*self.queue, delivery, AGAIN).await
            }
        }
    }

    async fn store_stray(&self, delivery: &Delivery) -> Result<Option<Duration>, PortError> {
        let key = keys::dead_letter(None, &delivery.message_id);
        match &delivery.producer_message {
            Some(producer_message) => {
                self.dead_letters
                    .store(
                        &key,
                        &intake::dead_letter_body(delivery, producer_message, None),
                    )
                    .await?;
            }
            None => self.dead_letters.store(&key, &delivery.body).await?,
        }
        self.shared.meter.record(&Measure {
            command: None,
            fact: Fact::Dead {
                code: "unreadable".to_owned(),
            },
        });
        tracing::error!(
            message_id = delivery.message_id,
            "a dead letter is not a message of this service; it is stored"
        );
        Ok(None)
    }

    /// Stores a dead letter and ends its job. Returns a delay if the dead letter has to wait.
    async fn bury(
        &self,
        delivery: &Delivery,
        key: &JobKey,
        accepted_at: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        let job = self.shared.store.load(key).await?;
        let readable = Envelope::read(&delivery.body).is_ok();
        let verdict = |now| {
            Verdict::for_dead_letter(
                job.as_ref(),
                accepted_at,
                &delivery.message_id,
                readable,
                now,
            )
        };
        let now = self.shared.host.now();
        match verdict(now) {
            Verdict::Wait(at) => return Ok(Some(at.since(now))),
            Verdict::Another => return Ok(None),
            Verdict::Over => {
                if is_worth_storing(job.as_ref()) {
                    self.store(delivery, key).await?;
                }
                return Ok(None);
            }
            Verdict::End(_) => self.store(delivery, key).await?,
        }
        // Decided again, because storing may have taken seconds, and the end is recorded with the time of its write.
        let Verdict::End(transition) = verdict(self.shared.host.now()) else {
            return Ok(Some(AGAIN));
        };
        match self.shared.store.change(key, &transition).await? {
            Change::Made(job) => {
                let code = job.failure.as_ref().map(|failure| failure.code.as_str());
                // A job whose cancellation was requested may have no failure.
                self.shared.meter.count(
                    &job.command,
                    Fact::Dead {
                        code: code.unwrap_or(job.status.as_str()).to_owned(),
                    },
                );
                tracing::error!(
                    job_id = %key.id, tenant = %key.tenant, command = %job.command, message_id = delivery.message_id,
                    status = job.status.as_str(), attempts = job.attempt, code, "ended the job of a dead letter"
                );
                Ok(None)
            }
            Change::Refused(_) => Ok(Some(AGAIN)),
        }
    }

    async fn store(&self, delivery: &Delivery, key: &JobKey) -> Result<(), PortError> {
        self.dead_letters
            .store(
                &keys::dead_letter(Some(key), &delivery.message_id),
                &delivery.body,
            )
            .await
    }
}

/// Returns true if an operator may need the message. Jobs that succeeded or were cancelled don't need it.
fn is_worth_storing(job: Option<&Job>) -> bool {
    !job.is_some_and(|job| matches!(job.status, Status::Succeeded | Status::Cancelled))
}

#[cfg(test)]
mod tests;
