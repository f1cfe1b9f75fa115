//! What every function does at its start, what lies between API Gateway and the router, and between a queue and messages.

pub mod batch;
mod gateway;
mod start;
mod tenant;

pub use gateway::{serve, site};
pub use start::{configured, start};
