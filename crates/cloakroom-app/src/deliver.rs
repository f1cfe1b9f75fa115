//! Delivery of an event to one receiver: a webhook or a reply queue.
//!
//! A message of the deliveries queue brings a delivery to each of its attempts. Until then it is hidden, or sent again
//! with a delay of at most 15 minutes, so that its receipts count from 1. So a receiver that is down for hours neither
//! fills the queue's limit of hidden messages nor makes dead letters.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::delivery::{AttemptOutcome, DELIVERY_LIFE, NextStep};
use cloakroom_core::{DeliveryKind, Timestamp, webhook};

use crate::delivery::{self, Delivery, Disposition};
use crate::host::Host;
use crate::ports::{
    DeliveryStore, KeyStore, LONGEST_DELAY, Objects, PortError, Queue, ReadError, Reply,
    ReplyQueues, StoredDeliveries, WebhookSender,
};
use crate::publish::{DeliveryMessage, MOST_CHANGES, overtaken};

/// Delay of a message after the first fault of a port. Each further fault doubles it.
const AFTER_A_FAULT: Duration = Duration::from_secs(5);

/// Receive count from which a waiting message is sent again.
const RECEIVED_OFTEN: u32 = 4;

/// Longest wait for which a message is hidden.
const LONGEST_HIDE: Duration = Duration::from_secs(60);

/// Maximum length in bytes of a result that a reply contains. A larger one is only linked.
const REPLY_RESULT_LIMIT: u64 = 32 * 1024 * 1024;

/// The use case, with its ports.
#[derive(Clone)]
pub struct Deliver {
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
    /// Records of deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Queue of deliveries.
    pub queue: Arc<dyn Queue>,
    /// Sender of webhooks.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Reply queues.
    pub replies: Arc<dyn ReplyQueues>,
    /// Keys that sign webhooks.
    pub keys: Arc<dyn KeyStore>,
    /// Store of results.
    pub objects: Arc<dyn Objects>,
}

impl Deliver {
    /// Handles messages concurrently and independently. The dispositions are in the same order.
    pub async fn handle_batch(&self, messages: &[Delivery]) -> Vec<Disposition> {
        let each = messages
            .iter()
            .map(|message| delivery::keep_on_panic(async || self.handle(message).await));
        futures::future::join_all(each).await
    }

    /// Handles one message.
    pub async fn handle(&self, received: &Delivery) -> Disposition {
        let message = match DeliveryMessage::read(&received.body) {
            Ok(message) => message,
            Err(error) => {
                if received.is_first_receipt() {
                    tracing::error!(
                        message_id = received.message_id,
                        error,
                        "failed to read a delivery; it becomes a dead letter"
                    );
                }
                return Disposition::Keep;
            }
        };
        match self.advance(received, &message).await {
            Ok(disposition) => disposition,
            Err(error) => {
                tracing::error!(%error, job_id = %message.job().id, delivery = message.delivery, "failed to handle a delivery; its message will be received again");
                self.after_fault(received, &message, &error).await
            }
        }
    }

    /// Brings the message back after a port failed. An outage makes no dead letters: a message that was received often is
    /// sent again. One whose record can't be read becomes a dead letter.
    async fn after_fault(
        &self,
        received: &Delivery,
        message: &DeliveryMessage,
        error: &PortError,
    ) -> Disposition {
        let times = received.receive_count.saturating_sub(1).min(6);
        let wait = AFTER_A_FAULT * (1 << times);
        let unreadable = matches!(error, PortError::Unreadable { .. });
        if !unreadable && received.receive_count >= RECEIVED_OFTEN {
            let tenant = message.job().tenant;
            match self.queue.send(&tenant, message.write(), wait, None).await {
                Ok(()) => return Disposition::Done,
                Err(error) => {
                    tracing::error!(%error, "failed to send a message again; it was hidden instead");
                }
            }
        }
        delivery::hide(&*self.queue, received, wait).await
    }

    async fn advance(
        &self,
        received: &Delivery,
        message: &DeliveryMessage,
    ) -> Result<Disposition, PortError> {
        for _ in 0..MOST_CHANGES {
            let Some(mut stored) = self.load(message).await? else {
                return Ok(Disposition::Done);
            };
            let now = self.host.now();
            match stored.log.next_step(&message.delivery, now) {
                NextStep::Over => return Ok(Disposition::Done),
                NextStep::Wait(until) => return self.again(received, message, until).await,
                NextStep::Attempt => stored.log.claim(&message.delivery, now),
            }
            if self.save(message, &stored, now).await? {
                stored.revision += 1;
                let outcome = self.attempt(message).await?;
                return match self.record(message, stored, &outcome).await? {
                    None => Ok(Disposition::Done),
                    Some(next) => self.again(received, message, next).await,
                };
            }
        }
        Err(overtaken())
    }

    async fn save(
        &self,
        message: &DeliveryMessage,
        stored: &StoredDeliveries,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        self.deliveries
            .save_deliveries(
                &message.job(),
                message.created_at(),
                &stored.log,
                Some(stored.revision),
                stored.expires_at.max(now.after(DELIVERY_LIFE)),
            )
            .await
    }

    async fn load(&self, message: &DeliveryMessage) -> Result<Option<StoredDeliveries>, PortError> {
        self.deliveries
            .load_deliveries(&message.job(), message.created_at())
            .await
    }

    /// Brings the message back at this time.
    async fn again(
        &self,
        received: &Delivery,
        message: &DeliveryMessage,
        at: Timestamp,
    ) -> Result<Disposition, PortError> {
        let wait = at.since(self.host.now());
        if wait <= LONGEST_HIDE && received.receive_count < RECEIVED_OFTEN {
            return Ok(delivery::hide(&*self.queue, received, wait).await);
        }
        let tenant = message.job().tenant;
        let delay = wait.min(LONGEST_DELAY);
        self.queue
            .send(&tenant, message.write(), delay, None)
            .await?;
        Ok(Disposition::Done)
    }

    /// Records the outcome of an attempt. Returns the time of the next one.
    async fn record(
        &self,
        message: &DeliveryMessage,
        mut stored: StoredDeliveries,
        outcome: &AttemptOutcome,
    ) -> Result<Option<Timestamp>, PortError> {
        let unit = self.host.unit();
        for _ in 0..MOST_CHANGES {
            let now = self.host.now();
            let next = stored.log.record(&message.delivery, outcome, now, unit);
            if self.save(message, &stored, now).await? {
                log(message, &stored, outcome);
                return Ok(next);
            }
            match self.load(message).await? {
                Some(current) => stored = current,
                None => return Ok(None),
            }
        }
        Err(overtaken())
    }

    async fn attempt(&self, message: &DeliveryMessage) -> Result<AttemptOutcome, PortError> {
        match message.kind {
            DeliveryKind::Webhook => self.post(message).await,
            DeliveryKind::Reply => self.reply(message).await,
        }
    }

    async fn post(&self, message: &DeliveryMessage) -> Result<AttemptOutcome, PortError> {
        let (keys, now) = (self.keys.keys().await?, self.host.now());
        let body = serde_json::to_vec(&message.event).expect("an event is always written");
        let secrets = keys.webhook_secrets(&message.job().tenant, now);
        let signed = webhook::headers(&secrets, &message.event.id, now, &body);
        let mut headers = vec![("content-type", "application/cloudevents+json")];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        let posted = self
            .webhooks
            .post(&message.to, &headers, Bytes::from(body))
            .await;
        Ok(match posted {
            Ok(status) => AttemptOutcome::Status(status),
            Err(reason) => AttemptOutcome::NoResponse(reason),
        })
    }

    async fn reply(&self, message: &DeliveryMessage) -> Result<AttemptOutcome, PortError> {
        let Ok(queue) = message.to.parse() else {
            return Ok(AttemptOutcome::Impossible(
                "the queue is unknown".to_owned(),
            ));
        };
        let mut event = message.event.clone();
        if let Some(key) = &message.result_key
            && let Some(result) = self.result(key).await?
            && let Some(job) = event.data.as_object_mut()
        {
            job.insert("result".to_owned(), result);
            job.remove("result_url");
        }
        let reply = Reply {
            id: event.id.clone(),
            job: message.job(),
            body: serde_json::to_string(&event).expect("an event is always written"),
            kind: event.kind,
            correlation_id: event.correlationid,
            causation_id: event.causationid,
        };
        Ok(match self.replies.send_reply(&queue, reply).await {
            Ok(true) => AttemptOutcome::Sent,
            Ok(false) => {
                AttemptOutcome::Impossible("the deployment no longer has this queue".to_owned())
            }
            // Recorded as an attempt, because the queue is another's: it may be gone, or closed to this service.
            Err(error) => {
                tracing::warn!(%error, job_id = %message.job().id, "failed to send a reply");
                AttemptOutcome::NoResponse("the queue did not accept the reply".to_owned())
            }
        })
    }

    /// Reads a large JSON result, if it exists and is not too large for a reply.
    async fn result(&self, key: &str) -> Result<Option<serde_json::Value>, PortError> {
        let Some(reader) = self.objects.open(key).await? else {
            return Ok(None);
        };
        if reader.length > REPLY_RESULT_LIMIT {
            return Ok(None);
        }
        match reader.read_all().await {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(ReadError::Port(error)) => Err(error),
            Err(ReadError::Corrupted) => Ok(None),
        }
    }
}

/// Logs the outcome of an attempt after it is recorded.
fn log(message: &DeliveryMessage, stored: &StoredDeliveries, outcome: &AttemptOutcome) {
    let Some(delivery) = stored.log.find(&message.delivery) else {
        return;
    };
    let (job_id, kind) = (message.job().id, message.kind.as_str());
    let attempts = delivery.attempts.len();
    match delivery.state {
        cloakroom_core::DeliveryState::Delivered => {
            tracing::info!(%job_id, kind, delivery = delivery.id, target = delivery.target, attempts, "delivered an event");
        }
        cloakroom_core::DeliveryState::Pending => {
            tracing::warn!(%job_id, kind, delivery = delivery.id, target = delivery.target, attempts, ?outcome, "failed to deliver an event; it will be tried again");
        }
        cloakroom_core::DeliveryState::Failed => {
            tracing::error!(%job_id, kind, delivery = delivery.id, target = delivery.target, attempts, ?outcome, "gave up delivering an event");
        }
    }
}

#[cfg(test)]
mod tests;
