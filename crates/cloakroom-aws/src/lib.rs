//! The only room that knows AWS: the ports over DynamoDB, SQS and S3, and configuration from the environment.
//!
//! - [`DynamoStore`], [`SqsQueue`], [`S3Objects`]: the ports; each call of a port is one call to AWS;
//! - [`message`]: what is a body's and what is an attribute's, also of messages that others read and write;
//! - [`EmbeddedMetrics`]: the meter, as lines of the log that CloudWatch makes metrics of;
//! - [`Clients`]: the SDK's clients, built when they are first needed, over one pool of connections;
//! - [`config`]: what each function reads of the environment; [`wire`]: the use cases, ready to be run.
//!
//! No business rules and no routes: what may happen to a job stands in `cloakroom`, and is only translated here.

pub mod clients;
pub mod config;
pub mod error;
mod expressions;
pub mod message;
pub mod metrics;
mod objects;
mod queue;
mod record;
mod schedule;
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod wire;

#[cfg(test)]
mod requests;
#[cfg(test)]
mod services;

pub use clients::{Clients, Local};
pub use config::{
    ConfigError, DeadLettersConfig, JobsConfig, MeterConfig, ProducersConfig, ScheduleConfig,
    SubmitConfig, SweeperConfig, WorkerConfig, environment, http_settings,
};
pub use metrics::EmbeddedMetrics;
pub use objects::S3Objects;
pub use queue::{Queues, SqsQueue, receipts as max_receive_count};
pub use record::name::{EXPIRES_AT as TTL_ATTRIBUTE, PK as KEY_ATTRIBUTE};
pub use table::DynamoStore;
pub use wire::{dead_letters, jobs, redrive, rounds, submit, worker};
