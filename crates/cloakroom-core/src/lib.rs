//! The still room: what a job is, and what may happen to it.
//!
//! Nothing here waits, reads a clock, draws a random number, or knows AWS or HTTP: time and randomness
//! are arguments, so that every rule can be tested as a value.
//!
//! - [`job`] the record of a command, and [`transition`] the conditional writes that may change it;
//! - [`history`] what happened to a job, as its record keeps it;
//! - [`ids`] the names things go by, with the derivation of a job's id from the client's;
//! - [`retry`] and [`poll`] the arithmetic of waiting;
//! - [`redact`] removes credentials from texts that people read;
//! - [`view`] and [`problem`] what a client is shown: the contract's types, also read by the client library.

pub mod digest;
pub mod history;
pub mod ids;
pub mod job;
pub mod outcome;
pub mod parts;
pub mod poll;
pub mod problem;
pub mod redact;
pub mod retry;
pub mod time;
pub mod transition;
pub mod view;

pub use digest::{Digest, DigestBuilder, Fingerprint};
pub use history::Step;
pub use ids::{ClientJobId, CommandType, JobId, JobKey, LeaseToken, Namespace, Tenant, UploadId};
pub use job::{Isolation, Job, Lease, NewJob, OVERTIME, Progress, Status};
pub use outcome::{AttemptEnd, Failure, Resource, ResultRef, Success};
pub use parts::Division;
pub use problem::{Code, Problem};
pub use retry::RetryPolicy;
pub use time::Timestamp;
pub use transition::{Guard, Patch, Transition};
