//! Use cases, one per file; the ports that they need; and the types of commands and handlers.
//!
//! - [`submit`], [`intake`], [`work`], [`jobs`] (poll, find, cancel, result), [`upload`], [`dead_letters`], [`sweep`]
//!   and [`redrive`]: the use cases, and the order of their effects. [`shared`]: the ports that all of them need;
//! - [`publish`] and [`deliver`]: the events of jobs, and their deliveries. [`links`]: links that can be shared.
//!   [`changes`] and [`observed`]: wake those who wait, where one process knows all changes.
//! - [`command`], [`handler`], [`body`], [`context`]: the definition of a command, and the input of its handler;
//! - [`admission`]: the number of concurrent attempts, based on the memory that they need;
//! - [`ports`]: interfaces to the outside world. [`envelope`]: the content of a message. [`delivery`]: a received
//!   message. [`meter`]: counted facts. [`trace`]: the trace of a job.
//!
//! This crate has no SDK types and no status codes.
//!
//! The feature `handlers` (default) compiles the handlers of commands. A worker does not start without it.

pub mod admission;
pub mod attempt;
pub mod body;
pub mod call;
pub mod changes;
pub mod command;
pub mod context;
pub mod dead_letters;
pub mod deliver;
pub mod delivery;
pub mod envelope;
pub mod extract;
pub mod handler;
pub mod host;
pub mod http_settings;
pub mod intake;
pub mod jobs;
pub mod layer;
pub mod links;
pub mod listeners;
pub mod meter;
pub mod observed;
pub mod output;
pub mod panics;
pub mod payload;
pub mod ports;
pub mod publish;
pub mod redrive;
pub mod registry;
pub mod shared;
mod spawn;
pub mod state;
pub mod submit;
pub mod sweep;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod upload;
pub mod work;

pub use admission::Admission;
pub use body::{BodyError, BodyFile, BodyStream, FromBody};
pub use call::{Handler, blocking};
pub use cloakroom_core as core;
pub use command::Command;
pub use context::JobContext;
pub use dead_letters::DeadLetters;
pub use deliver::Deliver;
pub use extract::{Arguments, FromJob, JobParts};
pub use handler::{HandlerError, Output};
pub use host::{Host, SystemHost};
pub use http_settings::HttpSettings;
pub use intake::ProducerIntake;
pub use jobs::Jobs;
pub use links::Links;
pub use listeners::Listeners;
pub use meter::Meter;
pub use payload::{Payload, PayloadError};
pub use publish::Publisher;
pub use redrive::Redrive;
pub use registry::Registry;
pub use shared::Shared;
pub use state::{State, StateError};
pub use submit::Submit;
pub use sweep::Sweeper;
pub use trace::TraceContext;
pub use upload::Uploads;
pub use work::Worker;
