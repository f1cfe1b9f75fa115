//! The use cases, ready to be run.

use std::sync::Arc;

use cloakroom_app::ports::{JobStore, Objects};
use cloakroom_app::sweep::Rounds;
use cloakroom_app::{
    DeadLetters, Intake, Jobs, Meter, Redrive, Registry, Submit, Sweeper, SystemHost, Uploads, Worker,
};

use crate::clients::Clients;
use crate::config::{DeadLettersConfig, JobsConfig, ProducersConfig, SubmitConfig, SweeperConfig, WorkerConfig};
use crate::objects::{S3Objects, S3Parcels};
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
    let queue = SqsQueue::new(clients, &config.queue_url).pointing_into(&config.bucket);
    let store: Arc<dyn JobStore> = Arc::new(DynamoStore::new(clients, &config.table));
    let submit = Submit {
        store: store.clone(),
        queue: Arc::new(queue.scheduled_by(clients, config.schedule.as_ref())),
        objects: objects.clone(),
        host: host.clone(),
        meter,
        commands,
        namespace: config.namespace,
        inline_limit: config.inline_limit,
    };
    (submit, Uploads { store, objects, host })
}

/// Doing what was accepted.
pub fn worker(config: &WorkerConfig, clients: &Clients, commands: Registry, meter: Arc<dyn Meter>) -> Worker {
    Worker {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        host: Arc::new(SystemHost),
        intake: config.producers.as_ref().map(|it| Arc::new(intake(config, it, clients, &commands, &meter))),
        meter,
        commands,
        settings: config.settings,
    }
}

/// Accepting the commands of producers.
fn intake(
    config: &WorkerConfig,
    producers: &ProducersConfig,
    clients: &Clients,
    commands: &Registry,
    meter: &Arc<dyn Meter>,
) -> Intake {
    let as_submit = SubmitConfig {
        table: config.table.clone(),
        queue_url: config.queue_url.clone(),
        bucket: config.bucket.clone(),
        namespace: producers.namespace,
        inline_limit: producers.inline_limit,
        schedule: None,
        diagnostics: config.diagnostics,
    };
    Intake {
        submit: submit(&as_submit, clients, commands.clone(), Arc::clone(meter)).0,
        parcels: Arc::new(S3Parcels::new(clients)),
        buckets: producers.buckets.clone(),
        letters: Arc::new(S3Objects::new(clients, &config.bucket)),
        tenants: producers.tenants.clone(),
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
        queue: Arc::new(SqsQueue::new(clients, queue_url).pointing_into(bucket)),
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
