//! Publication of a job's change: puts its event on the bus, and prepares its deliveries.
//!
//! A change is published at least once. The record of deliveries is written before their messages are sent, and
//! publishing the same change again sends only the messages of deliveries that were not attempted yet.

use std::sync::Arc;

use cloakroom_core::delivery::{DELIVERY_LIFE, delivery_id};
use cloakroom_core::events::CloudEvent;
use cloakroom_core::listeners::EventContext;
use cloakroom_core::{
    DeliveryKind, DeliveryLog, Job, JobId, JobKey, ResultRef, Status, Tenant, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::ports::{DeliveryStore, EventBus, PortError, Queue, json_body};

const VERSION: u32 = 1;

/// Maximum number of writes that are tried while the record of deliveries changes concurrently.
pub(crate) const MOST_CHANGES: u32 = 10;

/// The use case, with its ports.
#[derive(Clone)]
pub struct Publisher {
    /// Clock.
    pub host: Arc<dyn Host>,
    /// Records of deliveries.
    pub deliveries: Arc<dyn DeliveryStore>,
    /// Queue of deliveries.
    pub queue: Arc<dyn Queue>,
    /// Event bus, if the deployment has one.
    pub bus: Option<Arc<dyn EventBus>>,
    /// Path of the public base URL, for the links in events.
    pub base_path: String,
}

/// A message of the queue of deliveries. This type is a boundary: later versions read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DeliveryMessage {
    v: u32,
    tenant: Tenant,
    job: JobId,
    created_at: i64,
    /// Id of the delivery.
    pub(crate) delivery: String,
    /// Kind of the receiver.
    pub(crate) kind: DeliveryKind,
    /// URL, or name of a reply queue.
    pub(crate) to: String,
    /// Key of a large result that a reply contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result_key: Option<String>,
    /// Event.
    pub(crate) event: CloudEvent,
}

impl DeliveryMessage {
    pub(crate) fn read(body: &str) -> Result<Self, String> {
        let message: Self = serde_json::from_str(body).map_err(|error| error.to_string())?;
        if message.v != VERSION {
            return Err(format!("it has version {} instead of {VERSION}", message.v));
        }
        Ok(message)
    }

    pub(crate) fn write(&self) -> String {
        json_body(self)
    }

    pub(crate) fn job(&self) -> JobKey {
        JobKey {
            tenant: self.tenant.clone(),
            id: self.job,
        }
    }

    pub(crate) fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_at)
    }
}

/// Reason why a delivery can't be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeliverError {
    /// The job has no delivery with this id.
    Unknown,
    /// A later event has replaced the one of the delivery.
    Overtaken,
    /// A port failed.
    Unavailable(PortError),
}

impl From<PortError> for RedeliverError {
    fn from(error: PortError) -> Self {
        Self::Unavailable(error)
    }
}

/// A delivery that a change requires.
struct Planned {
    message: DeliveryMessage,
    target: String,
    suffix: String,
}

impl Publisher {
    /// Publishes the current state of a job to its listeners. Repeat it after an error.
    pub async fn publish(&self, job: &Job) -> Result<(), PortError> {
        let Some(context) = job.events.as_deref() else {
            return Ok(());
        };
        match self.prepare_deliveries(job, context).await {
            // Publishing it again does not help, and would hold up the changes of all other jobs.
            Err(error @ PortError::Unreadable { .. }) => {
                tracing::error!(%error, job_id = %job.id, "failed to prepare deliveries; the webhook and the reply queue are not notified");
            }
            prepared => prepared?,
        }
        // Last, so that a bus that is unavailable delays no other listener of this job.
        if let Some(bus) = &self.bus
            && context.bus.is_some_and(|scope| scope.includes(job.status))
        {
            bus.put_events(&events(job, &self.base_path)).await?;
        }
        Ok(())
    }

    async fn prepare_deliveries(&self, job: &Job, context: &EventContext) -> Result<(), PortError> {
        let planned = self.plan(job, context);
        if planned.is_empty() {
            return Ok(());
        }
        let due = self.record(job, &planned).await?;
        for planned in planned {
            if due.contains(&planned.message.delivery) {
                self.send(&planned.message).await?;
            }
        }
        Ok(())
    }

    /// Returns the deliveries of a job.
    pub async fn deliveries(&self, job: &Job) -> Result<DeliveryLog, PortError> {
        let stored = self
            .deliveries
            .load_deliveries(&job.key(), job.created_at)
            .await?;
        Ok(stored.map(|stored| stored.log).unwrap_or_default())
    }

    /// Sends a delivery again, with all its attempts. Only the latest event of a job can be sent again.
    pub async fn redeliver(&self, job: &Job, id: &str) -> Result<(), RedeliverError> {
        let planned = job.events.as_deref().map(|context| self.plan(job, context));
        let planned = planned
            .into_iter()
            .flatten()
            .find(|planned| planned.message.delivery == id);
        for _ in 0..MOST_CHANGES {
            let stored = self
                .deliveries
                .load_deliveries(&job.key(), job.created_at)
                .await?
                .ok_or(RedeliverError::Unknown)?;
            let mut log = stored.log;
            if !log.redeliver(id, self.host.now()) {
                return Err(RedeliverError::Unknown);
            }
            let message = &planned.as_ref().ok_or(RedeliverError::Overtaken)?.message;
            if self.save(job, &log, Some(stored.revision)).await? {
                return Ok(self.send(message).await?);
            }
        }
        Err(overtaken().into())
    }

    /// Adds deliveries to the job's record of them. Returns the ids of those that were not attempted yet.
    async fn record(&self, job: &Job, planned: &[Planned]) -> Result<Vec<String>, PortError> {
        for _ in 0..MOST_CHANGES {
            let stored = self
                .deliveries
                .load_deliveries(&job.key(), job.created_at)
                .await?;
            let seen = stored.as_ref().map(|stored| stored.revision);
            let before = stored.map(|stored| stored.log).unwrap_or_default();
            let (mut log, mut due, now) = (before.clone(), Vec::new(), self.host.now());
            for Planned {
                message,
                target,
                suffix,
            } in planned
            {
                if log.add(message.kind, target, job.version, suffix, now) {
                    due.push(message.delivery.clone());
                }
            }
            if log == before || self.save(job, &log, seen).await? {
                return Ok(due);
            }
        }
        Err(overtaken())
    }

    async fn save(
        &self,
        job: &Job,
        log: &DeliveryLog,
        seen: Option<u64>,
    ) -> Result<bool, PortError> {
        let expires_at = job
            .expires_at
            .max(self.host.now().after(DELIVERY_LIFE + job.retention));
        self.deliveries
            .save_deliveries(&job.key(), job.created_at, log, seen, expires_at)
            .await
    }

    async fn send(&self, message: &DeliveryMessage) -> Result<(), PortError> {
        self.queue
            .send(
                &message.tenant,
                message.write(),
                std::time::Duration::ZERO,
                None,
            )
            .await
    }

    fn plan(&self, job: &Job, context: &EventContext) -> Vec<Planned> {
        let mut planned = vec![];
        let own = || CloudEvent::from_job(job, &self.base_path);
        let mut add = |kind, to: &str, target: String, suffix: String, event: CloudEvent| {
            let result_key = (kind == DeliveryKind::Reply && suffix.is_empty())
                .then(|| large_json(job))
                .flatten();
            planned.push(Planned {
                message: DeliveryMessage {
                    v: VERSION,
                    tenant: job.tenant.clone(),
                    job: job.id,
                    created_at: job.created_at.as_millis(),
                    delivery: delivery_id(kind, job.version, &suffix),
                    kind,
                    to: to.to_owned(),
                    result_key,
                    event,
                },
                target,
                suffix,
            });
        };
        if let Some(webhook) = &context.webhook
            && webhook.scope.includes(job.status)
        {
            let target = origin(&webhook.url).to_owned();
            add(
                DeliveryKind::Webhook,
                &webhook.url,
                target,
                String::new(),
                own(),
            );
        }
        if let Some(queue) = &context.reply_to
            && job.status.is_terminal()
        {
            let name = queue.as_str();
            for (n, event) in published(job, &self.base_path).into_iter().enumerate() {
                let target = name.to_owned();
                add(DeliveryKind::Reply, name, target, format!("-{n}"), event);
            }
            add(
                DeliveryKind::Reply,
                name,
                name.to_owned(),
                String::new(),
                own(),
            );
        }
        planned
    }
}

/// Returns the events of a job's current state: those that its handler published, then its own.
fn events(job: &Job, base: &str) -> Vec<CloudEvent> {
    let mut events = published(job, base);
    events.push(CloudEvent::from_job(job, base));
    events
}

/// Returns the events that the handler published, if the job has just succeeded.
fn published(job: &Job, base: &str) -> Vec<CloudEvent> {
    if job.status == Status::Succeeded {
        CloudEvent::published(job, base)
    } else {
        Vec::new()
    }
}

/// Returns the key of a JSON result that is not in the job document.
fn large_json(job: &Job) -> Option<String> {
    match job.success.as_ref()?.result.as_ref()? {
        ResultRef::Stored {
            key, content_type, ..
        } if content_type == "application/json" => Some(key.clone()),
        ResultRef::Stored { .. } | ResultRef::Inline { .. } => None,
    }
}

/// Returns scheme and host of a URL: its path and query may contain secrets.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']);
    end.map_or(url, |at| &url[..host + at])
}

/// Returns the error for a record of deliveries that changed at each of [`MOST_CHANGES`] writes.
pub(crate) fn overtaken() -> PortError {
    PortError::Unavailable {
        service: "the table",
        reason: "the deliveries of a job changed too often while they were recorded".into(),
    }
}

#[cfg(test)]
mod tests;
