//! The sweeper: ends jobs that nothing else would end, for example after a lost message. Such a job has a record, but no
//! message brings it to a worker.
//!
//! Its caller names the jobs (from the table's stream, or the dev runner's own list). It looks at each until the job has
//! ended. Most have ended at the first look.

mod rounds;
mod sweeper;

pub use rounds::Rounds;
pub use sweeper::{SweepReport, Sweeper};
