//! Configuration from variables. Each function has a file, and reads only what it needs.
//!
//! The variables come through a function, so that a test needs no process environment of its own.

mod dead_letters;
mod http;
mod jobs;
mod meter;
mod resources;
mod submit;
mod sweeper;
mod variable;
mod worker;

pub use dead_letters::DeadLettersConfig;
pub use http::http_settings;
pub use jobs::JobsConfig;
pub use meter::MeterConfig;
pub use submit::{ScheduleConfig, SubmitConfig};
pub use sweeper::SweeperConfig;
pub use variable::{ConfigError, Lookup, environment};
pub use worker::{ProducersConfig, WorkerConfig};

#[cfg(test)]
mod tests;
