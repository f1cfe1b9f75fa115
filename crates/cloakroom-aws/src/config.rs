//! Configuration from variables. Each function has a file, and reads only what it needs.
//!
//! A function provides the variables, so that tests don't have to change the process environment.

mod dead_letters;
mod events;
mod http;
mod jobs;
mod meter;
mod resources;
mod submit;
mod sweeper;
mod variable;
mod worker;

pub use dead_letters::DeadLettersConfig;
pub use events::{DeliverConfig, PublisherConfig};
pub use http::http_settings;
pub use jobs::{JobListenersConfig, JobsConfig};
pub use meter::MeterConfig;
pub use submit::{ScheduleConfig, SubmitConfig};
pub use sweeper::SweeperConfig;
pub use variable::{ConfigError, Lookup, environment};
pub use worker::{ProducersConfig, WorkerConfig};

#[cfg(test)]
mod tests;
