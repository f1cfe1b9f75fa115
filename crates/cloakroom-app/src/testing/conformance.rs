//! Conformance suites for the ports. They run against the implementations in memory, and against the real adapters on
//! emulated or real services.
//!
//! Each suite uses its own ids, so it can run concurrently with anything else on the same table and bucket. A queue
//! must be exclusive to its suite.

mod dead_letters;
mod deliveries;
mod jobs;
mod objects;
mod parts;
mod queue;

pub use dead_letters::dead_letters;
pub use deliveries::deliveries;
pub use jobs::job_store;
pub use objects::objects;
pub use parts::{LEAST_PART, parts};
pub use queue::{WholeQueue, none, one, queue};
