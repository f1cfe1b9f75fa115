//! Deterministic simulation: the real use cases over simulated ports, in one thread, with a clock that moves when nobody is
//! at work. A seed decides everything, so a seed that breaks an invariant breaks it again.
//!
//! - [`plan`] what goes wrong at which call; [`world`] table, queues, objects and stream, and the [`port`]s over them;
//! - [`clients`]; [`actors`] workers, and the functions that end what nobody ends, with processes that crash and come back;
//! - [`invariant`] what must hold of every change, and in the end; [`mutation`] deliberate faults of the code under test,
//!   which the invariants must catch;
//! - [`run`] one seed, or many on all cores; [`shrink`] a failing seed to a short story.

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
