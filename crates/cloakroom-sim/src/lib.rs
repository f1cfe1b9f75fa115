//! Deterministic simulation: the real use cases on simulated ports, in one thread, with a clock that advances when all
//! tasks wait. A seed determines everything, so a seed that violates an invariant always does.
//!
//! - [`plan`]: the fault of each call. [`world`]: table, queues, objects and stream, and their [`port`]s;
//! - [`clients`]; [`actors`]: workers, the functions that end abandoned jobs, in processes that crash and restart;
//!   operators;
//! - [`invariant`]: conditions on each change and on the final state. [`mutation`]: deliberate faults of the code under
//!   test, which the invariants must detect;
//! - [`run`]: runs one seed, or many on all cores. [`shrink`]: reduces a failing seed to a short story.

pub mod actors;
mod attempts;
pub mod clients;
mod handler;
pub mod invariant;
pub mod mutation;
mod names;
pub mod plan;
pub mod port;
pub mod run;
pub mod shrink;
pub mod world;

pub use mutation::Mutation;
pub use plan::Plan;
pub use run::{Outcome, many, one};
