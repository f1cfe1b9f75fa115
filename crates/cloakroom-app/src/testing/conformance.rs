//! What every implementation of a port must do. Run against the one in memory, and against the real adapters over
//! whatever stands in for the services.
//!
//! Each suite keeps to ids of its own, so that it may run beside anything else on the same table and bucket. A queue is its
//! own.

mod dead_letters;
mod jobs;
mod objects;
mod parts;
mod queue;

pub use dead_letters::dead_letters;
pub use jobs::job_store;
pub use objects::objects;
pub use parts::{LEAST_PART, parts};
pub use queue::{WholeQueue, none, one, queue};
