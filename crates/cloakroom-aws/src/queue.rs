//! The queue of messages, on SQS: a standard queue, fair between tenants by the message group.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, QueueAttributeName,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::ports::{LONGEST_DELAY, PortError, Queue, QueueState};
use cloakroom_core::Tenant;

use crate::clients::{Clients, long_poll_config};
use crate::error::{QUEUE, port_error};
use crate::message;

/// Longest time that a message is hidden for. SQS counts 12 hours from the receipt, and up to 15 minutes of it (the longest
/// life of a function) may have passed. A message that must wait longer comes back, and is hidden again.
const MAX_HIDE: Duration = Duration::from_secs(43_200 - 900);

/// Retention of the dead-letter queue that is created here: SQS's maximum, 14 days.
const DEAD_LETTER_RETENTION_SECONDS: &str = "1209600";

/// The port over one queue. A message that is delayed for longer than the queue can (15 minutes) comes early, and its receiver
/// hides it; see `schedule`.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    clients: Clients,
    /// Built at its first use: most batches of a worker ask its queue nothing.
    client: Arc<OnceLock<Client>>,
    url: String,
    bucket: Option<String>,
}

/// A queue, and the one for what it gave up on.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The queue.
    pub queue: SqsQueue,
    /// Its dead letters.
    pub dead_letters: SqsQueue,
}

impl SqsQueue {
    /// The queue at this URL.
    pub fn new(clients: &Clients, url: impl Into<String>) -> Self {
        Self {
            clients: clients.clone(),
            client: Arc::default(),
            url: url.into(),
            bucket: None,
        }
    }

    /// Builds the client now, where it is sure to be needed.
    #[must_use]
    pub fn connected(self) -> Self {
        self.client();
        self
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| self.clients.sqs())
    }

    /// Sets the bucket of payloads. Messages point to it as those of Amazon's SQS Extended Client do. Without it only
    /// Cloakroom can read a claim check.
    #[must_use]
    pub fn with_payload_bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Receives up to `max` messages (at most 10), waiting up to `wait` (at most 20 s, in whole seconds, rounded up) for
    /// the first: for the dev runner, which does what Lambda's event source mapping does elsewhere.
    pub async fn receive(&self, max: u8, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        let wait = whole_seconds(wait, Duration::from_secs(20));
        let received = self
            .client()
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::from(max.clamp(1, 10)))
            .wait_time_seconds(wait)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All")
            .customize()
            .config_override(long_poll_config(Duration::from_secs(
                wait.unsigned_abs().into(),
            )))
            .send()
            .await;
        let messages = received
            .map_err(|error| port_error(QUEUE, &error))?
            .messages
            .unwrap_or_default();
        Ok(messages.into_iter().filter_map(delivery).collect())
    }

    /// Deletes a message, by its last receipt. With an older one nothing happens: the message is someone else's by now.
    pub async fn delete(&self, receipt: &str) -> Result<(), PortError> {
        match self
            .client()
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if is_stale(&error) => {
                tracing::debug!("nothing to delete: the receipt is no longer a message's");
                Ok(())
            }
            Err(error) => Err(port_error(QUEUE, &error)),
        }
    }

    /// Makes a queue and its dead-letter queue, `<name>-dead`, or brings what is there to these settings: for the dev
    /// runner and for tests. A deployment's are made by its template.
    pub async fn create(
        clients: &Clients,
        name: &str,
        visibility: Duration,
        max_receive_count: u32,
    ) -> Result<Queues, PortError> {
        let dead_letters = Self::create_plain(clients, format!("{name}-dead")).await?;
        dead_letters
            .set(
                QueueAttributeName::MessageRetentionPeriod,
                DEAD_LETTER_RETENTION_SECONDS.to_owned(),
            )
            .await?;
        let arn = dead_letters.arn().await?;
        let queue = Self::create_plain(clients, name.to_owned()).await?;
        let redrive =
            format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receive_count}}}"#);
        queue
            .set(QueueAttributeName::RedrivePolicy, redrive)
            .await?;
        queue
            .set(
                QueueAttributeName::VisibilityTimeout,
                whole_seconds(visibility, MAX_HIDE).to_string(),
            )
            .await?;
        Ok(Queues {
            queue,
            dead_letters,
        })
    }

    /// Without attributes: SQS refuses to make a queue that is there with others.
    async fn create_plain(clients: &Clients, name: String) -> Result<Self, PortError> {
        let made = clients.sqs().create_queue().queue_name(&name).send().await;
        let made = made.map_err(|error| port_error(QUEUE, &error))?;
        Ok(Self::new(
            clients,
            made.queue_url
                .ok_or_else(|| unexpected("made a queue without telling its URL"))?,
        ))
    }

    async fn set(&self, attribute: QueueAttributeName, value: String) -> Result<(), PortError> {
        let set = self
            .client()
            .set_queue_attributes()
            .queue_url(&self.url)
            .attributes(attribute, value)
            .send()
            .await;
        set.map(|_| ()).map_err(|error| port_error(QUEUE, &error))
    }

    async fn arn(&self) -> Result<String, PortError> {
        let arn = QueueAttributeName::QueueArn;
        let got = self
            .client()
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(arn.clone())
            .send()
            .await;
        let attributes = got
            .map_err(|error| port_error(QUEUE, &error))?
            .attributes
            .unwrap_or_default();
        attributes
            .get(&arn)
            .cloned()
            .ok_or_else(|| unexpected("has a queue without an ARN"))
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(
        &self,
        tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError> {
        let delay = Some(whole_seconds(delay, LONGEST_DELAY)).filter(|seconds| *seconds > 0);
        let (body, attributes) = message::encode(body, self.bucket.as_deref());
        // A tenant's name is a good group as it is: 1 to 128 visible ASCII characters are what SQS takes.
        let sent = self
            .client()
            .send_message()
            .queue_url(&self.url)
            .message_group_id(tenant.as_str())
            .message_body(body)
            .set_message_attributes(attributes)
            .set_delay_seconds(delay)
            .set_message_system_attributes(xray.map(trace_header))
            .send()
            .await;
        sent.map(|_| ()).map_err(|error| port_error(QUEUE, &error))
    }

    /// A message that is no longer this receipt's to hide has come back already, or is gone: that is no fault.
    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError> {
        let seconds = whole_seconds(time, MAX_HIDE);
        let hidden = self
            .client()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await;
        match hidden {
            Ok(_) => Ok(()),
            Err(error) if is_stale(&error) => {
                tracing::debug!("nothing to hide: the receipt is no longer a message's");
                Ok(())
            }
            Err(error) => Err(port_error(QUEUE, &error)),
        }
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, MessageRetentionPeriod, RedrivePolicy, VisibilityTimeout,
        };
        let names = vec![
            ApproximateNumberOfMessages,
            VisibilityTimeout,
            MessageRetentionPeriod,
            RedrivePolicy,
        ];
        let get = self
            .client()
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names))
            .send();
        let attributes = get
            .await
            .map_err(|error| port_error(QUEUE, &error))?
            .attributes
            .unwrap_or_default();
        let number = |name| {
            attributes
                .get(&name)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let (Some(waiting), Some(visibility), Some(retention)) = (
            number(ApproximateNumberOfMessages),
            number(VisibilityTimeout),
            number(MessageRetentionPeriod),
        ) else {
            return Err(unexpected("does not tell of its messages and times"));
        };
        // Without dead letters a message comes back for as long as the queue keeps it.
        let receipts = attributes
            .get(&RedrivePolicy)
            .and_then(|policy| max_receive_count(policy));
        let cycle = receipts.map_or(retention, |receipts| {
            visibility.saturating_mul(receipts).min(retention)
        });
        Ok(QueueState {
            backlog: waiting > 0,
            cycle: Duration::from_secs(cycle),
        })
    }
}

fn max_receive_count(policy: &str) -> Option<u64> {
    receipts(&serde_json::from_str(policy).ok()?)
}

/// How often a message is received, by a redrive policy: a number or, as templates write it, a text. SQS gives back what it
/// was given.
pub fn receipts(policy: &serde_json::Value) -> Option<u64> {
    let count = policy.get("maxReceiveCount")?;
    count.as_u64().or_else(|| count.as_str()?.parse().ok())
}

/// Whether a receipt is no longer its message's: SQS says so in three ways, one of them in words alone.
fn is_stale(error: &impl ProvideErrorMetadata) -> bool {
    let (code, message) = (
        error.code().unwrap_or_default(),
        error.message().unwrap_or_default(),
    );
    code == "ReceiptHandleIsInvalid"
        || code.ends_with("MessageNotInflight")
        || (code.starts_with("InvalidParameterValue") && message.contains("ReceiptHandle"))
}

/// Beside the message, and of no weight: X-Ray draws the line from the sender to the receiver by it, and Lambda tells
/// endless loops.
fn trace_header(
    xray: &str,
) -> HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue> {
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(xray)
        .build();
    let value = value.expect("its type is set");
    HashMap::from([(MessageSystemAttributeNameForSends::AwsTraceHeader, value)])
}

fn delivery(message: Message) -> Option<Delivery> {
    let number = |name| {
        message
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.get(&name)?.parse::<i64>().ok())
    };
    let receive_count = number(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at = number(MessageSystemAttributeName::SentTimestamp);
    let received = message::ReceivedMessage {
        message_id: message.message_id?,
        receipt: message.receipt_handle?,
        body: message.body?,
        attributes: message::text_attributes(message.message_attributes.unwrap_or_default()),
        sent_at,
        receive_count: receive_count
            .and_then(|count| count.try_into().ok())
            .unwrap_or(1),
    };
    Some(received.into_delivery())
}

fn whole_seconds(time: Duration, most: Duration) -> i32 {
    let seconds = time.min(most).as_millis().div_ceil(1000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn unexpected(reason: &str) -> PortError {
    PortError::Misconfigured {
        service: QUEUE,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
