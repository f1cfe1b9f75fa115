//! The hall: one use case a file, the ports they need, and what a handler sees.
//!
//! - [`submit`], [`intake`], [`work`], [`jobs`] (poll, find, cancel, result), [`upload`], [`dead_letters`], [`sweep`] and [`redrive`]: the
//!   use cases, and the order of their effects;
//! - [`command`], [`handler`], [`body`], [`context`]: how a command is defined and what its handler is given;
//! - [`admission`]: how many attempts run side by side, by the memory that they need;
//! - [`ports`]: what the use cases need of the world; [`envelope`]: what travels in a message; [`meter`]: what is counted
//!   of it all, and [`trace`]: which trace it belongs to.
//!
//! No SDK types and no status codes: those are the rooms on either side.

pub mod admission;
pub mod attempt;
pub mod body;
pub mod command;
pub mod context;
pub mod dead_letters;
mod elsewhere;
pub mod envelope;
pub mod handler;
pub mod host;
pub mod intake;
pub mod jobs;
pub mod meter;
pub mod panics;
pub mod payload;
pub mod ports;
pub mod redrive;
pub mod submit;
pub mod sweep;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod upload;
pub mod work;

pub use admission::Admission;
pub use body::{BodyError, BodyFile, BodyStream, FromBody};
pub use cloakroom_core as core;
pub use command::{Command, Registry};
pub use context::JobContext;
pub use dead_letters::DeadLetters;
pub use handler::{HandlerError, Output};
pub use host::{Host, SystemHost};
pub use intake::ProducerIntake;
pub use jobs::Jobs;
pub use meter::Meter;
pub use payload::{Payload, PayloadError};
pub use redrive::Redrive;
pub use submit::Submit;
pub use sweep::Sweeper;
pub use trace::TraceContext;
pub use upload::Uploads;
pub use work::Worker;
