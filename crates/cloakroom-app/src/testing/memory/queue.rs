//! Queue in memory.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::Tenant;
use tokio::time::Instant;

use super::{CYCLE, Memory, Message};
use crate::ports::{LONGEST_DELAY, PortError, Queue, QueueState};

/// Maximum time for which a message can be hidden: 12 hours, as in SQS.
const LONGEST_HIDE: Duration = Duration::from_secs(43_200);

/// Returns true if a message is about no tenant, or about this one.
fn is_of(body: &str, tenant: &Tenant) -> bool {
    let name = "\"tenant\":";
    !body.contains(name) || body.contains(&format!("{name}\"{tenant}\""))
}

#[async_trait]
impl Queue for Memory {
    async fn send(
        &self,
        tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError> {
        // As SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        let legal =
            |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
        if !body.chars().all(legal) {
            let reason = "a message has a character that none may have".into();
            return Err(PortError::Misconfigured {
                service: "the memory",
                reason,
            });
        }
        assert!(is_of(&body, tenant), "in the group of {tenant}: {body}");
        self.call("send", |state| {
            state.sent += 1;
            state.sender = Some(tenant.clone());
            state.xray = xray.map(ToOwned::to_owned);
            let message = Message {
                id: format!("message-{}", state.sent),
                body: body.clone(),
                receipt: String::new(),
                visible_at: Instant::now() + delay.min(LONGEST_DELAY),
                receive_count: 0,
                from_producer: None,
            };
            state.messages.push_back(message);
        })
        .await
    }

    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError> {
        self.call("hide", |state| {
            if let Some(message) = state
                .messages
                .iter_mut()
                .find(|message| message.receipt == receipt)
            {
                let seconds = time.min(LONGEST_HIDE).as_millis().div_ceil(1000);
                message.visible_at =
                    Instant::now() + Duration::from_secs(seconds.try_into().unwrap_or(u64::MAX));
            }
        })
        .await
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        self.call("state", |state| {
            let now = Instant::now();
            QueueState {
                backlog: state
                    .messages
                    .iter()
                    .any(|message| message.visible_at <= now),
                cycle: CYCLE,
            }
        })
        .await
    }
}
