//! Records of deliveries, and a receiver of webhooks, for a process.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_app::ports::{
    DeliveryStore, KeyStore, PortError, Reply, ReplyQueues, StoredDeliveries, WebhookSender,
};
use cloakroom_core::{CloudEvent, DeliveryLog, DeploymentKeys, JobKey, ReplyQueue, Timestamp};

use super::Process;
use crate::Mutation;
use crate::names::short;
use crate::plan::Service;

/// Number of tries of one event that may fail. A third failure would be followed by half an hour.
const TROUBLED_TRIES: u32 = 2;

#[async_trait]
impl DeliveryStore for Process {
    async fn load_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
    ) -> Result<Option<StoredDeliveries>, PortError> {
        let (life, id) = ((job.clone(), created_at), job.id);
        let what = move || format!("load the deliveries of {}", short(id));
        self.call(Service::Table, what, move |_, state| {
            state.deliveries.get(&life).cloned()
        })
        .await
    }

    async fn save_deliveries(
        &self,
        job: &JobKey,
        created_at: Timestamp,
        log: &DeliveryLog,
        seen: Option<u64>,
        expires_at: Timestamp,
    ) -> Result<bool, PortError> {
        let (life, log, id) = ((job.clone(), created_at), log.clone(), job.id);
        let careless = self.mutation() == Some(Mutation::IgnoreTheRevision);
        let what = move || format!("save the deliveries of {}", short(id));
        self.call(Service::Table, what, move |_, state| {
            let revision = state.deliveries.get(&life).map(|stored| stored.revision);
            if revision != seen && !careless {
                return false;
            }
            let stored = StoredDeliveries {
                log,
                revision: revision.unwrap_or(0) + 1,
                expires_at,
            };
            state.deliveries.insert(life, stored);
            true
        })
        .await
    }
}

#[async_trait]
impl WebhookSender for Process {
    /// The receiver rejects some events, and loses the answers to others.
    async fn post(&self, _: &str, _: &[(&str, &str)], body: Bytes) -> Result<u16, String> {
        let event: CloudEvent = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let tries = {
            let mut state = self.world.state();
            let tries = state.tries.entry(event.id.clone()).or_default();
            *tries += 1;
            *tries
        };
        if tries > TROUBLED_TRIES {
            self.world.state().watch.received_event(&event);
            return Ok(204);
        }
        let rejects = self.world.rate() > 0
            && self
                .dice
                .lock()
                .expect("no simulation panics while it draws")
                .chance(300);
        let what = {
            let id = event.id.clone();
            move || format!("post {id}")
        };
        let posted = self.call(Service::Receiver, what, move |_, state| {
            if rejects {
                return 500;
            }
            state.watch.received_event(&event);
            204
        });
        posted.await.map_err(|error| error.to_string())
    }
}

#[async_trait]
impl ReplyQueues for Process {
    async fn send_reply(&self, _: &ReplyQueue, _: Reply) -> Result<bool, PortError> {
        Ok(true)
    }
}

#[async_trait]
impl KeyStore for Process {
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError> {
        Ok(Arc::new(DeploymentKeys::new([1, 2])))
    }
}
