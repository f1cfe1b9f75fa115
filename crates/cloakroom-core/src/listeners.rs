//! Listeners of a job, and what its events carry for them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::status::Status;
use crate::{CorrelationId, ReplyQueue};

/// Maximum number of events that one handler may publish.
pub const PUBLISHED_LIMIT: usize = 10;

/// Maximum length in bytes of all events that one handler publishes, as JSON.
pub const PUBLISHED_BYTES_LIMIT: usize = 32 * 1024;

/// Changes that a listener is notified of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventScope {
    /// Only the end of the job.
    Terminal,
    /// Every change of the status, the attempt or the progress.
    All,
}

impl EventScope {
    /// Returns the scope as headers and settings spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::All => "all",
        }
    }

    /// Returns true if the scope includes a job with this status.
    pub fn includes(self, status: Status) -> bool {
        self == Self::All || status.is_terminal()
    }
}

/// Webhook of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookListener {
    /// URL that receives the events.
    pub url: String,
    /// Changes that it receives.
    pub scope: EventScope,
}

/// Listeners of a job, and the ids that its events carry. This type is a boundary: later versions read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventContext {
    /// Id that connects related jobs. The default is the job's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
    /// Id of the event or job that caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<CorrelationId>,
    /// W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookListener>,
    /// Queue that receives the end of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<ReplyQueue>,
    /// Changes that the deployment's event bus receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<EventScope>,
}

impl EventContext {
    /// Returns the changes that any listener is notified of. `None` if nobody listens.
    pub fn scope(&self) -> Option<EventScope> {
        let webhook = self.webhook.as_ref().map(|webhook| webhook.scope);
        let reply = self.reply_to.as_ref().map(|_| EventScope::Terminal);
        webhook.max(reply).max(self.bus)
    }
}

/// Event that a handler published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedEvent {
    /// Type of the event, for example `movie.created`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Content.
    pub data: Value,
}

#[cfg(test)]
mod tests;
