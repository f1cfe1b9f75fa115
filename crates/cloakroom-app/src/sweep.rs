//! The sweeper ends jobs that nothing else would end, for example after a lost message. Such a job has a record, but no
//! message brings it to a worker.
//!
//! The caller provides the jobs (from the table's stream, or from the dev runner's own list). The sweeper examines each
//! one until it has ended. Most jobs have ended at the first look.

mod rounds;
mod sweeper;

pub use rounds::Rounds;
pub use sweeper::{SweepReport, Sweeper};
