//! What every function does at its start, what lies between API Gateway and the router, between a queue and messages,
//! and between a table's stream and jobs.

pub mod batch;
mod gateway;
mod log;
mod start;
pub mod stream;
mod tenant;

pub use gateway::{behind_gateway, serve, site};
pub use start::{answer, configured, meter, run};
