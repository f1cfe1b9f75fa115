//! Ports to the listeners of events, and to the keys that sign for them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_core::{CloudEvent, DeploymentKeys, JobKey, ReplyQueue};

use super::error::PortError;

/// Sender of webhooks.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Posts a body, and returns the HTTP status of the response. The error is a reason that the client may see.
    async fn post(&self, url: &str, headers: &[(&str, &str)], body: Bytes) -> Result<u16, String>;
}

/// A message to a reply queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Id of the event: receivers recognize duplicates by it.
    pub id: String,
    /// Job that the reply is for. Replies of one job are a group of a FIFO queue.
    pub job: JobKey,
    /// The event as JSON.
    pub body: String,
    /// Type of the event.
    pub kind: String,
    /// Id that connects related jobs.
    pub correlation_id: String,
    /// Id of the event or job that caused the event.
    pub causation_id: Option<String>,
}

/// Reply queues of the deployment.
#[async_trait]
pub trait ReplyQueues: Send + Sync {
    /// Sends a reply. A large one is stored, and the message refers to it. Returns false if the deployment has no queue
    /// of this name.
    async fn send_reply(&self, queue: &ReplyQueue, reply: Reply) -> Result<bool, PortError>;
}

/// Event bus of the deployment.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Puts events on the bus, in order. An error means that some may not be there: put all of them again.
    async fn put_events(&self, events: &[CloudEvent]) -> Result<(), PortError>;
}

/// Store of the deployment's keys.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// Returns the current keys.
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError>;
}
