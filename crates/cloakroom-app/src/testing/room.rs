//! All use cases on the ports in memory, and a worker that is called for each message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{Job, JobKey, Namespace, Timestamp};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::host::TestHost;
use super::jobs::tenant;
use super::memory::Memory;
use super::meter::MemoryMeter;
use crate::command::Command;
use crate::delivery::Disposition;
use crate::envelope::RequestTrace;
use crate::host::Host;
use crate::registry::Registry;
use crate::submit::{Body, INLINE_LIMIT, Submission, SubmitError, Submitted};
use crate::work::{Handlers, WorkerSettings};
use crate::{
    Admission, DeadLetters, Jobs, Links, Listeners, Publisher, Redrive, Shared, Submit, Sweeper,
    Uploads, Worker,
};

/// Visibility timeout of the queue: longer than the first heartbeat interval.
const VISIBILITY: Duration = Duration::from_secs(15);

/// Timeout of a function.
const FUNCTION: Duration = Duration::from_secs(900);

/// A deployment in memory.
#[derive(Clone)]
pub struct Room {
    /// All ports.
    pub memory: Arc<Memory>,
    /// Clock and randomness.
    pub host: Arc<TestHost>,
    /// Recorded facts.
    pub meter: Arc<MemoryMeter>,
    /// Submission of commands.
    pub submit: Submit,
    /// Preparation of uploads.
    pub uploads: Uploads,
    /// Polling and cancellation.
    pub jobs: Jobs,
    /// Execution of handlers.
    pub worker: Worker,
    /// Handling of dead letters.
    pub dead_letters: DeadLetters,
    /// Sweeping of abandoned jobs.
    pub sweeper: Sweeper,
    /// Redriving of dead letters.
    pub redrive: Redrive,
}

impl Room {
    /// Returns a deployment with these commands. Requires tokio's time to be paused.
    pub fn new(commands: Vec<Command>) -> Self {
        let (memory, host) = (Arc::new(Memory::default()), Arc::new(TestHost::new(7)));
        let meter = Arc::new(MemoryMeter::default());
        let shared = Shared {
            store: memory.clone(),
            host: host.clone(),
            meter: meter.clone(),
        };
        let (commands, namespace) = (
            Registry::new(commands),
            Namespace::from_uuid(Uuid::from_u128(7)),
        );
        Self {
            submit: Submit {
                shared: shared.clone(),
                queue: memory.clone(),
                objects: memory.clone(),
                parts: memory.clone(),
                commands: commands.clone(),
                namespace,
                inline_limit: INLINE_LIMIT,
                listeners: Listeners::default(),
            },
            uploads: Uploads {
                shared: shared.clone(),
                objects: memory.clone(),
                parts: memory.clone(),
            },
            jobs: Jobs {
                shared: shared.clone(),
                objects: memory.clone(),
                namespace,
                publisher: Some(Publisher {
                    host: host.clone(),
                    deliveries: memory.clone(),
                    queue: Arc::new(Memory::default()),
                    bus: None,
                    base_path: String::new(),
                }),
                links: Some(Links {
                    host: host.clone(),
                    keys: memory.clone(),
                }),
            },
            worker: Worker {
                shared: shared.clone(),
                queue: memory.clone(),
                objects: memory.clone(),
                commands: Handlers::new(commands),
                settings: WorkerSettings::default(),
                admission: Admission::unlimited(),
                intake: None,
            },
            dead_letters: DeadLetters {
                shared: shared.clone(),
                queue: memory.clone(),
                dead_letters: memory.clone(),
            },
            sweeper: Sweeper {
                shared: shared.clone(),
                queue: memory.clone(),
            },
            redrive: Redrive {
                shared,
                queue: memory.clone(),
                dead_letters: memory.clone(),
            },
            memory,
            host,
            meter,
        }
    }

    /// Returns a submission without a key.
    ///
    /// # Panics
    /// If the name is not valid.
    pub fn submission(command: &str, body: Body) -> Submission {
        Submission {
            tenant: tenant(),
            command: command.parse().expect("a good name"),
            client_job_id: None,
            body,
            query: String::new(),
            not_before: None,
            trace: RequestTrace::default(),
            events: None,
        }
    }

    /// Submits a JSON payload.
    pub async fn send(
        &self,
        command: &str,
        key: Option<&str>,
        json: &str,
    ) -> Result<Submitted, SubmitError> {
        let body = Body::Sent {
            content_type: Some("application/json".into()),
            bytes: Bytes::copy_from_slice(json.as_bytes()),
        };
        self.send_body(command, key, "", body).await
    }

    /// Submits any payload.
    ///
    /// # Panics
    /// If a name is not valid.
    pub async fn send_body(
        &self,
        command: &str,
        key: Option<&str>,
        query: &str,
        body: Body,
    ) -> Result<Submitted, SubmitError> {
        let submission = Submission {
            client_job_id: key.map(|key| key.parse().expect("a good key")),
            query: query.to_owned(),
            ..Self::submission(command, body)
        };
        let submitted = self.submit.submit(submission).await;
        // A submission takes time: what comes next has other times than the job's own.
        sleep(Duration::from_millis(1)).await;
        submitted
    }

    /// Handles the next visible message. Returns false if no message is visible.
    ///
    /// # Panics
    /// If the worker runs longer than its function.
    pub async fn work_once(&self) -> bool {
        let Some(delivery) = self.memory.receive(VISIBILITY) else {
            return false;
        };
        let ends_at = self.host.now().after(FUNCTION);
        let handled = timeout(FUNCTION, self.worker.handle(&delivery, ends_at)).await;
        if handled.expect("a worker is done before its function ends") == Disposition::Done {
            self.memory.delete(&delivery);
        }
        true
    }

    /// Handles messages until none is left. Waits for hidden ones.
    ///
    /// # Panics
    /// If there are too many messages.
    pub async fn work_until_idle(&self) {
        for _ in 0..1000 {
            if self.work_once().await {
                continue;
            }
            match self.memory.messages() {
                (0, _) | (_, None) => return,
                (_, Some(visible_at)) => {
                    sleep_until(visible_at.max(Instant::now() + Duration::from_millis(1))).await;
                }
            }
        }
        panic!(
            "there is no end to the messages: {:?}",
            self.memory.messages()
        );
    }

    /// Waits until this time.
    pub async fn until(&self, time: Timestamp) {
        sleep(time.since(self.host.now())).await;
    }

    /// Returns the job as a poll finds it.
    ///
    /// # Panics
    /// If the job does not exist.
    pub async fn poll(&self, key: &JobKey) -> Job {
        self.jobs
            .get(key)
            .await
            .expect("the memory does not fail here")
            .expect("the job is known")
    }
}
