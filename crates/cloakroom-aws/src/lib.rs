//! AWS adapters: the ports implemented with DynamoDB, SQS and S3, and configuration from the environment.
//!
//! - [`DynamoStore`], [`SqsQueue`], [`S3Objects`]: the ports. A call of a port is usually one call to AWS;
//! - [`message`]: bodies and attributes of messages, including those that others read and write;
//! - [`EmbeddedMetrics`]: the meter, which writes log lines from which CloudWatch extracts metrics;
//! - [`Clients`]: SDK clients with a shared pool of connections, built when they are first needed;
//! - [`config`]: the variables of each function. [`wire`]: builds the use cases with their adapters.
//!
//! This crate has no business rules and no routes. `cloakroom-core` defines the transitions of a job; this crate
//! translates them.

#[cfg(feature = "listeners")]
mod bus;
pub mod clients;
pub mod config;
mod deliveries;
pub mod error;
mod expressions;
pub mod message;
pub mod metrics;
mod objects;
mod queue;
mod record;
mod replies;
mod schedule;
#[cfg(feature = "listeners")]
mod secret;
pub mod stream;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod wire;

#[cfg(test)]
mod requests;
#[cfg(test)]
mod services;

#[cfg(feature = "listeners")]
pub use bus::EventBridgeBus;
pub use clients::{Clients, Local};
pub use config::{
    ConfigError, DeadLettersConfig, DeliverConfig, JobsConfig, MeterConfig, ProducersConfig,
    PublisherConfig, ScheduleConfig, SubmitConfig, SweeperConfig, WorkerConfig, environment,
    http_settings,
};
pub use metrics::EmbeddedMetrics;
pub use objects::S3Objects;
pub use queue::{Queues, SqsQueue, receipts as max_receive_count};
pub use record::name::{EXPIRES_AT as TTL_ATTRIBUTE, PK as KEY_ATTRIBUTE};
pub use replies::SqsReplies;
#[cfg(feature = "listeners")]
pub use secret::SecretKeys;
pub use table::DynamoStore;
pub use wire::{dead_letters, jobs, redrive, rounds, submit, worker};
#[cfg(feature = "listeners")]
pub use wire::{deliver, publisher, with_listeners};
