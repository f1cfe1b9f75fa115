//! `ReceiveMessage`, with long polling.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::account::ACCOUNT;
use crate::sqs::attributes::{md5_of, md5_of_attributes, select};
use crate::sqs::error::{Kind, SqsError};
use crate::sqs::protocol::{
    ReceiveInput, ReceivedMessage, check_range, name_to_arn, parse, queue_name,
};
use crate::sqs::server::Server;
use crate::sqs::settings::MAX_VISIBILITY_S;
use crate::sqs::store::{Received, StoredMessage};

const SYSTEM_ATTRIBUTES: [&str; 10] = [
    "All",
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

pub(super) async fn receive(server: &Arc<Server>, body: &[u8]) -> Result<Value, SqsError> {
    let queue = queue_name(body)?;
    let mut input: ReceiveInput = parse(body)?;
    let mut system_names = std::mem::take(&mut input.message_system_attribute_names);
    system_names.append(&mut input.attribute_names);
    if let Some(unknown) = system_names
        .iter()
        .find(|name| !SYSTEM_ATTRIBUTES.contains(&name.as_str()))
    {
        let message = format!("Unknown Attribute {unknown}.");
        return Err(SqsError::new(Kind::InvalidAttributeName, message));
    }
    let max = check_range(
        input.max_number_of_messages.unwrap_or(1),
        1..=10,
        "MaxNumberOfMessages",
    )?;
    if let Some(timeout_s) = input.visibility_timeout {
        check_range(timeout_s, 0..=MAX_VISIBILITY_S, "VisibilityTimeout")?;
    }
    let wait_s = match input.wait_time_seconds {
        Some(wait_s) => check_range(wait_s, 0..=20, "WaitTimeSeconds")?,
        None => {
            let name = queue.clone();
            server
                .store(move |store, _| store.receive_wait_s(&name))
                .await?
        }
    };

    let request = ReceiveRequest {
        queue: queue.clone(),
        max: usize::try_from(max).map_err(SqsError::internal)?,
        visibility_s: input.visibility_timeout,
        wait: Duration::from_secs(wait_s.unsigned_abs()),
    };
    let messages = request.wait_for(server).await?;
    let messages: Vec<ReceivedMessage> = messages
        .into_iter()
        .map(|message| {
            encode(
                &queue,
                message,
                &input.message_attribute_names,
                &system_names,
            )
        })
        .collect();
    // AWS omits the member if there are no messages.
    Ok(if messages.is_empty() {
        json!({})
    } else {
        json!({ "Messages": messages })
    })
}

struct ReceiveRequest {
    queue: String,
    max: usize,
    visibility_s: Option<i64>,
    wait: Duration,
}

impl ReceiveRequest {
    /// Looks for messages. Without one, waits for a send, a message that becomes visible, or the end of the wait.
    async fn wait_for(&self, server: &Arc<Server>) -> Result<Vec<StoredMessage>, SqsError> {
        let deadline = Instant::now() + self.wait;
        let notifier = server.waiters.notifier(&self.queue);
        let mut last = self.wait.is_zero();
        loop {
            // Subscribes before it looks, so that it misses no send.
            let woken = notifier.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let received = self.receive_now(server).await?;
            if last || !received.messages.is_empty() {
                return Ok(received.messages);
            }
            let reappears = async {
                match received.next_visible_at {
                    Some(at) => {
                        let ms = at.saturating_sub((server.clock)()).max(1).unsigned_abs();
                        sleep(Duration::from_millis(ms)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            let _waiting = server.waiters.wait();
            tokio::select! {
                () = woken => {}
                () = reappears => {}
                // Looks once more for messages that became visible at this moment.
                () = sleep_until(deadline) => last = true,
                () = server.stop.clone().stopped() => return Ok(Vec::new()),
            }
        }
    }

    async fn receive_now(&self, server: &Arc<Server>) -> Result<Received, SqsError> {
        let (queue, max, visibility_s) = (self.queue.clone(), self.max, self.visibility_s);
        let received = server
            .store(move |store, now| store.receive(&queue, max, visibility_s, now))
            .await?;
        if let Some(dead_letters) = &received.dead_letter_queue {
            server.waiters.notify(dead_letters);
        }
        Ok(received)
    }
}

fn encode(
    queue: &str,
    message: StoredMessage,
    attribute_names: &[String],
    system_names: &[String],
) -> ReceivedMessage {
    let wants = |name: &str| {
        system_names
            .iter()
            .any(|wanted| wanted == "All" || wanted == name)
    };
    let known = [
        ("SenderId", Some(ACCOUNT.to_owned())),
        ("SentTimestamp", Some(message.sent_at.to_string())),
        (
            "ApproximateReceiveCount",
            Some(message.receive_count.to_string()),
        ),
        (
            "ApproximateFirstReceiveTimestamp",
            Some(message.first_received_at.to_string()),
        ),
        ("MessageGroupId", message.group_id),
        ("AWSTraceHeader", message.trace_header),
        (
            "DeadLetterQueueSourceArn",
            message.dead_letter_from.as_deref().map(name_to_arn),
        ),
    ];
    let system: BTreeMap<_, _> = known
        .into_iter()
        .filter_map(|(name, value)| value.filter(|_| wants(name)).map(|value| (name, value)))
        .collect();
    let attributes = select(&message.attributes, attribute_names);
    ReceivedMessage {
        receipt_handle: message.receipt.handle(queue),
        message_id: message.receipt.message_id,
        md5_of_body: md5_of(message.body.as_bytes()),
        body: message.body,
        attributes: system,
        md5_of_attributes: md5_of_attributes(&attributes),
        message_attributes: attributes,
    }
}
