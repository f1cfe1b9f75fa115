//! The use cases, ready to be run.

use std::sync::Arc;

use cloakroom_app::ports::Objects;
use cloakroom_app::{Jobs, Meter, Registry, Submit, SystemHost, Uploads, Worker};

use crate::clients::Clients;
use crate::config::{JobsConfig, SubmitConfig, WorkerConfig};
use crate::objects::S3Objects;
use crate::queue::SqsQueue;
use crate::table::DynamoStore;

/// Accepting commands, and making uploads for them ready.
pub fn submit(
    config: &SubmitConfig,
    clients: &Clients,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> (Submit, Uploads) {
    let objects: Arc<dyn Objects> = Arc::new(S3Objects::new(clients, &config.bucket));
    let host = Arc::new(SystemHost);
    let submit = Submit {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
        objects: objects.clone(),
        host: host.clone(),
        meter,
        commands,
        namespace: config.namespace,
        inline_limit: config.inline_limit,
    };
    (submit, Uploads { objects, host })
}

/// Doing what was accepted.
pub fn worker(config: &WorkerConfig, clients: &Clients, commands: Registry, meter: Arc<dyn Meter>) -> Worker {
    Worker {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        host: Arc::new(SystemHost),
        meter,
        commands,
        settings: config.settings,
    }
}

/// Polling, finding and cancelling jobs, and handing out their results.
pub fn jobs(config: &JobsConfig, clients: &Clients, meter: Arc<dyn Meter>) -> Jobs {
    Jobs {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        host: Arc::new(SystemHost),
        meter,
        namespace: config.namespace,
    }
}

#[cfg(test)]
mod tests;
