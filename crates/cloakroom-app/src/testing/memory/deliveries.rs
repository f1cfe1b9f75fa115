//! Records of deliveries, listeners and keys in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_core::{CloudEvent, DeliveryLog, DeploymentKeys, JobKey, ReplyQueue, Timestamp};

use super::Memory;
use crate::ports::{
    DeliveryStore, EventBus, KeyStore, PortError, Reply, ReplyQueues, StoredDeliveries,
    WebhookSender,
};

/// A webhook that was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// URL.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl Posted {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Memory {
    /// Returns the webhooks that were posted since the last call, and clears them.
    pub fn posted(&self) -> Vec<Posted> {
        std::mem::take(&mut self.state().posted)
    }

    /// Rejects the next writes of deliveries, as if another writer had changed the record before each of them.
    pub fn contend(&self, writes: u32) {
        self.state().contended = writes;
    }

    /// Sets the responses to the next webhooks. After them, each is answered 200.
    pub fn respond(&self, responses: impl IntoIterator<Item = Result<u16, &'static str>>) {
        self.state().responses.extend(responses);
    }

    /// Returns the replies that were sent since the last call, and clears them.
    pub fn replies(&self) -> Vec<(ReplyQueue, Reply)> {
        std::mem::take(&mut self.state().replies)
    }

    /// Returns the events that were put on the bus since the last call, and clears them.
    pub fn bus(&self) -> Vec<CloudEvent> {
        std::mem::take(&mut self.state().bus)
    }
}

#[async_trait]
impl DeliveryStore for Memory {
    async fn load_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
    ) -> Result<Option<StoredDeliveries>, PortError> {
        let key = (job.clone(), created_at);
        self.record("load_deliveries", |state| {
            state.readable(job)?;
            Ok(state.deliveries.get(&key).cloned())
        })
        .await?
    }

    async fn save_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
        log: &DeliveryLog,
        seen: Option<u64>,
        expires_at: Timestamp,
    ) -> Result<bool, PortError> {
        let key = (job.clone(), created_at);
        self.record("save_deliveries", |state| {
            let revision = state.deliveries.get(&key).map(|stored| stored.revision);
            if let Some(left) = state.contended.checked_sub(1) {
                state.contended = left;
                return false;
            }
            if revision != seen {
                return false;
            }
            let stored = StoredDeliveries {
                log: log.clone(),
                revision: revision.unwrap_or(0) + 1,
                expires_at,
            };
            state.deliveries.insert(key.clone(), stored);
            true
        })
        .await
    }
}

#[async_trait]
impl WebhookSender for Memory {
    async fn post(&self, url: &str, headers: &[(&str, &str)], body: Bytes) -> Result<u16, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let posted = Posted {
            url: url.to_owned(),
            headers: headers.iter().map(own).collect(),
            body,
        };
        let response = self.call("post", |state| {
            state.posted.push(posted.clone());
            state.responses.pop_front().unwrap_or(Ok(200))
        });
        let response = response.await.map_err(|error| error.to_string())?;
        response.map_err(ToOwned::to_owned)
    }
}

#[async_trait]
impl ReplyQueues for Memory {
    async fn send_reply(&self, queue: &ReplyQueue, reply: Reply) -> Result<bool, PortError> {
        self.call("send_reply", |state| {
            state.replies.push((queue.clone(), reply.clone()));
            queue.as_str() != "gone"
        })
        .await
    }
}

#[async_trait]
impl EventBus for Memory {
    async fn put_events(&self, events: &[CloudEvent]) -> Result<(), PortError> {
        self.call("put_events", |state| state.bus.extend_from_slice(events))
            .await
    }
}

#[async_trait]
impl KeyStore for Memory {
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError> {
        self.call("keys", |_| Arc::new(DeploymentKeys::new([1, 2])))
            .await
    }
}
