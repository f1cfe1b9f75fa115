//! The use cases, ready to be run.

use std::sync::Arc;

use cloakroom_app::ports::Objects;
use cloakroom_app::sweep::Rounds;
use cloakroom_app::{DeadLetters, Jobs, Meter, Redrive, Registry, Submit, Sweeper, SystemHost, Uploads, Worker};

use crate::clients::Clients;
use crate::config::{DeadLettersConfig, JobsConfig, SubmitConfig, SweeperConfig, WorkerConfig};
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
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url).scheduled_by(clients, config.schedule.as_ref())),
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

/// Ending the jobs of dead letters.
pub fn dead_letters(config: &DeadLettersConfig, clients: &Clients, meter: Arc<dyn Meter>) -> DeadLetters {
    DeadLetters {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.dead_letters_url)),
        letters: Arc::new(S3Objects::new(clients, &config.bucket)),
        host: Arc::new(SystemHost),
        meter,
    }
}

/// Ending abandoned jobs.
pub fn rounds(config: &SweeperConfig, clients: &Clients, meter: Arc<dyn Meter>) -> Rounds {
    let sweeper = Sweeper {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
        host: Arc::new(SystemHost),
        meter,
    };
    Rounds { sweeper, lists: Arc::new(SqsQueue::new(clients, &config.lists_url)) }
}

/// Sending dead letters back: for an operator, over a table, a queue of commands and a bucket.
pub fn redrive(clients: &Clients, table: &str, queue_url: &str, bucket: &str) -> Redrive {
    Redrive {
        store: Arc::new(DynamoStore::new(clients, table)),
        queue: Arc::new(SqsQueue::new(clients, queue_url)),
        letters: Arc::new(S3Objects::new(clients, bucket)),
        host: Arc::new(SystemHost),
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
