//! Estimates a month's AWS bill: the calls that the code makes, multiplied by the prices in a table.
//!
//! - [`Workload`]: the month to estimate. [`Call`]: calls per job. Tests verify these counts against the code;
//! - [`inline`]: the size up to which a payload is cheaper in its message than in the bucket;
//! - [`sizes`]: sizes of messages and records, because queue and table bill by size;
//! - [`Listeners`]: those who wait without polling. [`Way`]: all ways to wait, compared;
//! - [`prices`]: AWS prices. [`Bill`]: the total. [`Lever`]: changes that reduce it.
//!
//! Free tiers and volume discounts are not included, nor are the costs that docs/cost.md excludes.

mod bill;
mod call;
mod calls;
mod deliveries;
mod events;
pub mod inline;
mod levers;
mod listeners;
mod polls;
pub mod prices;
pub mod sizes;
mod time;
mod ways;

use std::time::Duration;

pub use bill::{Bill, Line};
pub use call::{By, Call};
pub use levers::Lever;
pub use listeners::{Listeners, Webhook};
pub use prices::{Meter, Price};
pub use ways::Way;

/// Number of days in the estimated month.
pub const DAYS: f64 = 30.0;

/// A month of identical jobs, and the deployment that runs them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// Number of jobs in the month.
    pub jobs: f64,
    /// Length of a payload in bytes.
    pub payload: u64,
    /// Encoding of the payload in a message.
    pub encoding: Encoding,
    /// Length of a result in bytes; 0 for no result.
    pub result: u64,
    /// Requests per job for its status or result. The last one finds the job ended. Less than 1 if some clients never
    /// poll.
    pub polls: f64,
    /// Duration of a long poll (`Prefer: wait`).
    pub wait: Duration,
    /// Those who wait for the job without polling.
    pub listeners: Listeners,
    /// Attempts per job. The last one ends the job.
    pub attempts: f64,
    /// Duration of an attempt: its handler, and the writes around it.
    pub duration: Duration,
    /// Evenly spaced progress reports per attempt. At most one per second is recorded.
    pub progress: u32,
    /// Messages in a batch. They are processed concurrently, so a batch takes as long as one message.
    pub batch: f64,
    /// Kind of API that the clients call.
    pub api: Api,
    /// Processor architecture of the functions.
    pub architecture: Architecture,
    /// Memory of the worker in megabytes.
    pub worker_memory: u32,
    /// Memory of the functions that handle HTTP requests, in megabytes.
    pub http_memory: u32,
    /// Duration of an HTTP request. This is an assumption, because it depends on AWS.
    pub http_duration: Duration,
    /// Duration of a lease. It is renewed after each third of it.
    pub lease: Duration,
    /// Log volume per invocation in bytes. This is an assumption, because most of it comes from Lambda.
    pub log: u64,
    /// Maximum size in bytes of a message that contains its payload.
    pub inline_limit: u64,
    /// Maximum length of a payload in a request, in bytes. Larger ones are uploaded.
    pub body_limit: u64,
}

/// Encoding of a payload in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Plain text. Characters that JSON escapes are not considered.
    Text,
    /// Base64, which is a third larger.
    Base64,
}

/// Kind of API in API Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// REST API, which the template creates.
    Rest,
    /// HTTP API.
    Http,
}

/// Processor architecture of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Arm.
    Arm64,
    /// x86-64.
    X86,
}

/// Converts a count for arithmetic.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53 bytes, and no bill is to the byte"
)]
const fn float(whole: u64) -> f64 {
    whole as f64
}

/// Returns the number of pieces that are billed for `bytes`: at least one.
fn pieces(bytes: f64, piece: u64) -> f64 {
    (bytes / float(piece)).ceil().max(1.0)
}

#[cfg(test)]
mod tests;
