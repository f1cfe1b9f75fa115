//! What every function does at its start, and what lies between API Gateway and the router.

mod gateway;
mod start;
mod tenant;

pub use gateway::{serve, site};
pub use start::{configured, start};
