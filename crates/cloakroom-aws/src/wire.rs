//! The use cases, ready to be run.

use std::sync::Arc;

use cloakroom_app::ports::Queue;
use cloakroom_app::sweep::Rounds;
use cloakroom_app::{
    Admission, DeadLetters, Jobs, Meter, ProducerIntake, Redrive, Registry, Submit, Sweeper,
    SystemHost, Uploads, Worker,
};

use crate::clients::Clients;
use crate::config::{
    DeadLettersConfig, JobsConfig, ProducersConfig, SubmitConfig, SweeperConfig, WorkerConfig,
};
use crate::objects::{S3Objects, S3ProducerPayloads};
use crate::queue::SqsQueue;
use crate::schedule::ScheduledQueue;
use crate::table::DynamoStore;

/// Accepting commands, and making uploads for them ready.
pub fn submit(
    config: &SubmitConfig,
    clients: &Clients,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> (Submit, Uploads) {
    let queue = queue(config, clients).ready();
    let queue: Arc<dyn Queue> = match &config.schedule {
        Some(schedule) => Arc::new(ScheduledQueue::new(queue, clients, schedule)),
        None => Arc::new(queue),
    };
    let submit = accepting(config, clients, queue, commands, meter);
    let uploads = Uploads {
        store: Arc::clone(&submit.store),
        objects: Arc::clone(&submit.objects),
        host: Arc::clone(&submit.host),
    };
    (submit, uploads)
}

fn queue(config: &SubmitConfig, clients: &Clients) -> SqsQueue {
    SqsQueue::new(clients, &config.queue_url).pointing_into(&config.bucket)
}

fn accepting(
    config: &SubmitConfig,
    clients: &Clients,
    queue: Arc<dyn Queue>,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> Submit {
    Submit {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue,
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        host: Arc::new(SystemHost),
        meter,
        commands,
        namespace: config.namespace,
        inline_limit: config.inline_limit,
    }
}

/// Doing what was accepted.
pub fn worker(
    config: &WorkerConfig,
    clients: &Clients,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> Worker {
    Worker {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        host: Arc::new(SystemHost),
        intake: config
            .producers
            .as_ref()
            .map(|it| Arc::new(intake(config, it, clients, &commands, &meter))),
        meter,
        commands,
        settings: config.settings,
        admission: config
            .memory
            .map_or_else(Admission::unlimited, Admission::new),
    }
}

/// Accepting the commands of producers.
fn intake(
    config: &WorkerConfig,
    producers: &ProducersConfig,
    clients: &Clients,
    commands: &Registry,
    meter: &Arc<dyn Meter>,
) -> ProducerIntake {
    let as_submit = SubmitConfig {
        table: config.table.clone(),
        queue_url: config.queue_url.clone(),
        bucket: config.bucket.clone(),
        namespace: producers.namespace,
        inline_limit: producers.inline_limit,
        schedule: None,
        diagnostics: config.diagnostics,
    };
    let queue = Arc::new(queue(&as_submit, clients));
    ProducerIntake {
        submit: accepting(
            &as_submit,
            clients,
            queue,
            commands.clone(),
            Arc::clone(meter),
        ),
        payloads: Arc::new(S3ProducerPayloads::new(clients)),
        buckets: producers.buckets.clone(),
        dead_letters: Arc::new(S3Objects::new(clients, &config.bucket)),
        tenants: producers.tenants.clone(),
    }
}

/// Ending the jobs of dead letters.
pub fn dead_letters(
    config: &DeadLettersConfig,
    clients: &Clients,
    meter: Arc<dyn Meter>,
) -> DeadLetters {
    DeadLetters {
        store: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.dead_letters_url)),
        dead_letters: Arc::new(S3Objects::new(clients, &config.bucket)),
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
    Rounds {
        sweeper,
        lists: Arc::new(SqsQueue::new(clients, &config.lists_url)),
    }
}

/// Sending dead letters back: for an operator, over a table, a queue of commands and a bucket.
pub fn redrive(clients: &Clients, table: &str, queue_url: &str, bucket: &str) -> Redrive {
    Redrive {
        store: Arc::new(DynamoStore::new(clients, table)),
        queue: Arc::new(SqsQueue::new(clients, queue_url).pointing_into(bucket)),
        dead_letters: Arc::new(S3Objects::new(clients, bucket)),
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
