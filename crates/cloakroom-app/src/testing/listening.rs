//! Publisher and deliveries on ports in memory.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{Job, Status};
use tokio::time::{Instant, sleep_until};

use super::host::TestHost;
use super::jobs::{new_job, tenant};
use super::memory::Memory;
use crate::delivery::Disposition;
use crate::host::Host as _;
use crate::{Deliver, Publisher};
use cloakroom_core::listeners::{EventContext, EventScope, WebhookListener};

/// Visibility timeout of the queue of deliveries.
const VISIBILITY: Duration = Duration::from_secs(60);

/// A publisher and the handler of its deliveries, on ports in memory.
pub struct Listening {
    /// All ports.
    pub memory: Arc<Memory>,
    /// Clock and randomness.
    pub host: Arc<TestHost>,
    /// Publication of changes.
    pub publisher: Publisher,
    /// Deliveries of events.
    pub deliver: Deliver,
}

impl Default for Listening {
    fn default() -> Self {
        let (memory, host) = (Arc::new(Memory::default()), Arc::new(TestHost::new(7)));
        Self {
            publisher: Publisher {
                host: host.clone(),
                deliveries: memory.clone(),
                queue: memory.clone(),
                bus: Some(memory.clone()),
                base_path: String::new(),
            },
            deliver: Deliver {
                host: host.clone(),
                deliveries: memory.clone(),
                queue: memory.clone(),
                webhooks: memory.clone(),
                replies: memory.clone(),
                keys: memory.clone(),
                objects: memory.clone(),
            },
            memory,
            host,
        }
    }
}

impl Listening {
    /// Returns a job with this status and version, and a webhook that receives all changes.
    pub fn job(&self, status: Status, version: u64) -> Job {
        let mut job = new_job(self.host.now(), 1);
        job.tenant = tenant();
        // A change is published, listed and shared after it was made.
        job.updated_at = self.host.now().before(Duration::from_millis(1));
        (job.status, job.version) = (status, version);
        job.created_at = cloakroom_core::Timestamp::from_millis(1234);
        job.events = Some(Box::new(EventContext {
            webhook: Some(WebhookListener {
                url: "https://hooks.example:8443/a?secret=1".to_owned(),
                scope: EventScope::All,
            }),
            ..EventContext::default()
        }));
        job
    }

    /// Handles the next visible message. Returns false if no message is visible.
    pub async fn deliver_once(&self) -> bool {
        let Some(received) = self.memory.receive(VISIBILITY) else {
            return false;
        };
        let dispositions = self
            .deliver
            .handle_batch(std::slice::from_ref(&received))
            .await;
        if dispositions == [Disposition::Done] {
            self.memory.delete(&received);
        }
        true
    }

    /// Handles messages until none is left. Waits for hidden ones.
    ///
    /// # Panics
    /// If there is no end to them.
    pub async fn deliver_all(&self) {
        for _ in 0..10_000 {
            if self.deliver_once().await {
                continue;
            }
            match self.memory.messages() {
                (0, _) | (_, None) => return,
                (_, Some(visible_at)) => {
                    sleep_until(visible_at.max(Instant::now() + Duration::from_millis(1))).await;
                }
            }
        }
        panic!("there is no end to the deliveries");
    }
}
