//! The job and its rules, as pure code: no async, clock, randomness, AWS or HTTP. Time and randomness are arguments, so
//! each rule is tested on plain values.
//!
//! - [`status`]: the state machine. [`job`]: the record of a command. [`transition`]: the conditional writes that
//!   change it.
//! - [`history`]: the steps of a job in its record.
//! - [`ids`]: identifiers, with the derivation of a job's id from the client's.
//! - [`retry`] and [`poll`]: retry delays and polling intervals.
//! - [`redact`]: removes credentials from texts that people read.
//! - [`events`] and [`listeners`]: the events of a job, and who listens to them. [`delivery`]: the record of their deliveries.
//! - [`cause`]: what a job hands on to those that its handler submits.
//! - [`secrets`], [`ticket`] and [`webhook`]: the deployment's keys, and what they sign.
//! - [`view`] and [`problem`]: the documents of the HTTP contract, which the client library also reads.

pub mod cause;
pub mod delivery;
pub mod digest;
pub mod events;
pub mod history;
pub mod ids;
pub mod job;
pub mod listeners;
pub mod outcome;
pub mod parts;
pub mod poll;
pub mod problem;
pub mod redact;
pub mod retry;
pub mod secrets;
pub mod status;
pub mod ticket;
pub mod time;
pub mod transition;
pub mod view;
pub mod webhook;

pub use cause::Cause;
pub use delivery::{DeliveryKind, DeliveryLog, DeliveryState};
pub use digest::{Digest, DigestBuilder, Fingerprint};
pub use events::CloudEvent;
pub use history::Step;
pub use ids::{
    ClientJobId, CommandType, CorrelationId, JobId, JobKey, LeaseToken, Namespace, ReplyQueue,
    Tenant, UploadId,
};
pub use job::{Isolation, Job, Lease, NewJob, OVERTIME, Progress};
pub use listeners::{EventContext, EventScope, PublishedEvent, WebhookListener};
pub use outcome::{AttemptEnd, Failure, Resource, ResultRef, Success};
pub use parts::PartLayout;
pub use problem::{Code, Problem};
pub use retry::RetryPolicy;
pub use secrets::DeploymentKeys;
pub use status::{Event, Status};
pub use ticket::{Ticket, TicketScope};
pub use time::Timestamp;
pub use transition::{Guard, Patch, Transition};
