//! Use cases, assembled with their adapters.

use std::sync::Arc;

use cloakroom_app::meter::LogMeter;
use cloakroom_app::ports::Queue;
use cloakroom_app::sweep::Rounds;
use cloakroom_app::work::Handlers;
use cloakroom_app::{
    Admission, DeadLetters, Jobs, Meter, ProducerIntake, Redrive, Registry, Shared, Submit,
    Sweeper, SystemHost, Uploads, Worker,
};
#[cfg(feature = "listeners")]
use cloakroom_app::{
    Deliver, Links, Publisher,
    ports::{EventBus, WebhookSender},
};

use crate::clients::Clients;
use crate::config::{
    DeadLettersConfig, JobsConfig, ProducersConfig, SubmitConfig, SweeperConfig, WorkerConfig,
};
use crate::objects::{S3Objects, S3ProducerPayloads};
use crate::queue::SqsQueue;
use crate::schedule::ScheduledQueue;
use crate::table::DynamoStore;
#[cfg(feature = "listeners")]
use crate::{
    bus::EventBridgeBus,
    config::{DeliverConfig, PublisherConfig},
    replies::SqsReplies,
    secret::SecretKeys,
};

/// Builds the use cases that accept commands and create uploads.
pub fn submit(
    config: &SubmitConfig,
    clients: &Clients,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> (Submit, Uploads) {
    let queue = queue(config, clients).connected();
    let queue: Arc<dyn Queue> = match &config.schedule {
        Some(schedule) => Arc::new(ScheduledQueue::new(queue, clients, schedule)),
        None => Arc::new(queue),
    };
    let submit = accepting(config, clients, queue, commands, meter);
    let uploads = Uploads {
        shared: submit.shared.clone(),
        objects: Arc::clone(&submit.objects),
        parts: Arc::clone(&submit.parts),
    };
    (submit, uploads)
}

/// Builds the ports that every use case needs.
fn shared(clients: &Clients, table: &str, meter: Arc<dyn Meter>) -> Shared {
    Shared {
        store: Arc::new(DynamoStore::new(clients, table)),
        host: Arc::new(SystemHost),
        meter,
    }
}

fn queue(config: &SubmitConfig, clients: &Clients) -> SqsQueue {
    SqsQueue::new(clients, &config.queue_url).with_payload_bucket(&config.bucket)
}

fn accepting(
    config: &SubmitConfig,
    clients: &Clients,
    queue: Arc<dyn Queue>,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> Submit {
    let objects = Arc::new(S3Objects::new(clients, &config.bucket));
    Submit {
        shared: shared(clients, &config.table, meter),
        queue,
        objects: objects.clone(),
        parts: objects,
        commands,
        namespace: config.namespace,
        inline_limit: config.inline_limit,
        listeners: config.listeners.clone(),
    }
}

/// Builds the worker.
pub fn worker(
    config: &WorkerConfig,
    clients: &Clients,
    commands: Registry,
    meter: Arc<dyn Meter>,
) -> Worker {
    Worker {
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        intake: config
            .producers
            .as_ref()
            .map(|it| Arc::new(intake(config, it, clients, &commands, &meter))),
        shared: shared(clients, &config.table, meter),
        commands: Handlers::new(commands),
        settings: config.settings,
        admission: config
            .memory
            .map_or_else(Admission::unlimited, Admission::new),
    }
}

/// Builds the intake of producers' commands.
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
        listeners: producers.listeners.clone(),
        webhooks: false,
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

/// Builds the use case that ends the jobs of dead letters.
pub fn dead_letters(
    config: &DeadLettersConfig,
    clients: &Clients,
    meter: Arc<dyn Meter>,
) -> DeadLetters {
    DeadLetters {
        shared: shared(clients, &config.table, meter),
        queue: Arc::new(SqsQueue::new(clients, &config.dead_letters_url)),
        dead_letters: Arc::new(S3Objects::new(clients, &config.bucket)),
    }
}

/// Builds the use case that ends abandoned jobs.
pub fn rounds(config: &SweeperConfig, clients: &Clients, meter: Arc<dyn Meter>) -> Rounds {
    let sweeper = Sweeper {
        shared: shared(clients, &config.table, meter),
        queue: Arc::new(SqsQueue::new(clients, &config.queue_url)),
    };
    Rounds {
        sweeper,
        lists: Arc::new(SqsQueue::new(clients, &config.lists_url)),
    }
}

/// Builds the redrive of dead letters, for operators' tools.
pub fn redrive(clients: &Clients, table: &str, queue_url: &str, bucket: &str) -> Redrive {
    Redrive {
        // Redrive records no metrics.
        shared: shared(clients, table, Arc::new(LogMeter)),
        queue: Arc::new(SqsQueue::new(clients, queue_url).with_payload_bucket(bucket)),
        dead_letters: Arc::new(S3Objects::new(clients, bucket)),
    }
}

/// Builds the use cases that poll, find and cancel jobs, and return their results.
pub fn jobs(config: &JobsConfig, clients: &Clients, meter: Arc<dyn Meter>) -> Jobs {
    Jobs {
        shared: shared(clients, &config.table, meter),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
        namespace: config.namespace,
        publisher: None,
        links: None,
    }
}

/// Adds deliveries and shared links to the use cases of jobs, where they are configured.
#[cfg(feature = "listeners")]
#[must_use]
pub fn with_listeners(jobs: Jobs, config: &JobsConfig, clients: &Clients) -> Jobs {
    let Some(listeners) = &config.listeners else {
        return jobs;
    };
    let keys = Arc::new(SecretKeys::new(clients, &listeners.keys_secret));
    let publisher = PublisherConfig {
        table: config.table.clone(),
        deliveries_url: listeners.deliveries_url.clone(),
        event_bus: None,
        base_path: listeners.base_path.clone(),
    };
    Jobs {
        publisher: Some(self::publisher(&publisher, clients)),
        links: Some(Links {
            host: Arc::clone(&jobs.shared.host),
            keys,
        }),
        ..jobs
    }
}

/// Builds the use case that publishes the changes of jobs.
#[cfg(feature = "listeners")]
pub fn publisher(config: &PublisherConfig, clients: &Clients) -> Publisher {
    let bus = config.event_bus.as_ref();
    Publisher {
        host: Arc::new(SystemHost),
        deliveries: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.deliveries_url)),
        bus: bus.map(|name| Arc::new(EventBridgeBus::new(clients, name)) as Arc<dyn EventBus>),
        base_path: config.base_path.clone(),
    }
}

/// Builds the use case that delivers events.
#[cfg(feature = "listeners")]
pub fn deliver(
    config: &DeliverConfig,
    clients: &Clients,
    webhooks: Arc<dyn WebhookSender>,
) -> Deliver {
    let replies = SqsReplies::new(clients, config.reply_queues.clone(), &config.bucket);
    Deliver {
        host: Arc::new(SystemHost),
        deliveries: Arc::new(DynamoStore::new(clients, &config.table)),
        queue: Arc::new(SqsQueue::new(clients, &config.deliveries_url)),
        webhooks,
        replies: Arc::new(replies),
        keys: Arc::new(SecretKeys::new(clients, &config.keys_secret)),
        objects: Arc::new(S3Objects::new(clients, &config.bucket)),
    }
}

#[cfg(test)]
mod tests;
