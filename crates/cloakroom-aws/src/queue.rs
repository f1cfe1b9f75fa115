//! Queue of messages, on SQS: a standard queue with one message group per tenant for fairness.

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

/// Maximum time for which a message is hidden. SQS counts 12 hours from the receipt. Up to 15 minutes (the
/// maximum lifetime of a function) of that may have passed. A message that must wait longer becomes visible, and is hidden
/// again.
const MAX_HIDE: Duration = Duration::from_secs(43_200 - 900);

/// Retention of the dead-letter queue that `create` makes: 14 days, SQS's maximum.
const DEAD_LETTER_RETENTION_SECONDS: &str = "1209600";

/// The port for one queue. A message with a longer delay than the queue supports (15 minutes) becomes visible early,
/// and its receiver hides it; see `schedule`.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    clients: Clients,
    /// Built at its first use: most batches of a worker don't call the queue.
    client: Arc<OnceLock<Client>>,
    url: String,
    bucket: Option<String>,
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct Queues {
    /// Queue of commands.
    pub queue: SqsQueue,
    /// Dead-letter queue.
    pub dead_letters: SqsQueue,
}

impl SqsQueue {
    /// Creates the adapter of the queue at this URL.
    pub fn new(clients: &Clients, url: impl Into<String>) -> Self {
        Self {
            clients: clients.clone(),
            client: Arc::default(),
            url: url.into(),
            bucket: None,
        }
    }

    /// Builds the client now, for callers that certainly need it.
    #[must_use]
    pub fn connected(self) -> Self {
        self.client();
        self
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| self.clients.sqs())
    }

    /// Sets the bucket of payloads. Messages then refer to payloads like those of Amazon's SQS Extended Client. Without
    /// it, only Cloakroom can read a claim check.
    #[must_use]
    pub fn with_payload_bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = Some(bucket.into());
        self
    }

    /// Returns the URL of the queue.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Receives up to `max` messages (at most 10). Waits up to `wait` for the first one (at most 20 s, rounded up to
    /// seconds). For the dev runner, which replaces Lambda's event source mapping.
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

    /// Deletes a message by its latest receipt. An older receipt has no effect, because the message was delivered
    /// again.
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
                tracing::debug!("nothing to delete: the receipt has expired");
                Ok(())
            }
            Err(error) => Err(port_error(QUEUE, &error)),
        }
    }

    /// Creates a queue without a dead-letter queue, unless it exists. For the dev runner and for tests.
    pub async fn create_alone(clients: &Clients, name: &str) -> Result<Self, PortError> {
        Self::create_plain(clients, name.to_owned()).await
    }

    /// Creates a queue and its dead-letter queue, `<name>-dead`, or changes existing ones to these settings. For the
    /// dev runner and for tests; a template creates the queues of a deployment.
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

    /// Creates a queue without attributes, because SQS rejects different attributes for an existing queue.
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
        // A tenant is a valid message group: SQS accepts 1 to 128 visible ASCII characters.
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

    /// Succeeds for an outdated receipt: the message was delivered again or deleted, which is not a fault.
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
                tracing::debug!("nothing to hide: the receipt has expired");
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
        // Without dead letters, a message is delivered again until the queue's retention ends.
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

/// Returns the maximum receive count of a redrive policy. It is a number or, as templates write it, a text. SQS returns
/// it unchanged.
pub fn receipts(policy: &serde_json::Value) -> Option<u64> {
    let count = policy.get("maxReceiveCount")?;
    count.as_u64().or_else(|| count.as_str()?.parse().ok())
}

/// Returns true if the receipt is outdated. SQS reports that in three ways. One of them only differs in its text.
fn is_stale(error: &impl ProvideErrorMetadata) -> bool {
    let (code, message) = (
        error.code().unwrap_or_default(),
        error.message().unwrap_or_default(),
    );
    code == "ReceiptHandleIsInvalid"
        || code.ends_with("MessageNotInflight")
        || (code.starts_with("InvalidParameterValue") && message.contains("ReceiptHandle"))
}

/// Returns the system attribute for tracing, which does not count towards the size. X-Ray uses it to connect sender and
/// receiver, and Lambda to detect loops.
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
