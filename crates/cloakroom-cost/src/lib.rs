//! What a month of jobs costs on AWS: the calls that the code makes, counted, by the prices of a table.
//!
//! - [`Workload`] what is asked about, and [`Call`] what is called for it: the counts of the code, which tests hold them to;
//! - [`inline`] up to which size a payload is cheaper in its message than in the bucket;
//! - [`sizes`] what a message and a record weigh, as queue and table bill by size;
//! - [`prices`] what AWS asks; [`Bill`] all of it together, and [`Lever`] what would make it less.
//!
//! Free tiers and the discounts of large volumes are left out, and so is what docs/cost.md names beside them.

mod bill;
mod calls;
pub mod inline;
mod levers;
pub mod prices;
pub mod sizes;

use std::time::Duration;

pub use bill::{Bill, Line};
pub use calls::{By, Call};
pub use levers::Lever;
pub use prices::{Meter, Price};

/// Days in the month that is reckoned with.
pub const DAYS: f64 = 30.0;

/// A month of jobs, all alike, and the deployment that does them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    /// How many in the month.
    pub jobs: f64,
    /// Bytes of a payload.
    pub payload: u64,
    /// How a message carries it.
    pub encoding: Encoding,
    /// Bytes of a result; 0 is none.
    pub result: u64,
    /// Requests for a job or its result, of which the last one finds it over. With less than 1, some clients never ask.
    pub polls: f64,
    /// How long a poll is held (`Prefer: wait`).
    pub wait: Duration,
    /// Attempts that a job takes, of which the last one ends it.
    pub attempts: f64,
    /// How long an attempt takes: its handler, and the writes around it.
    pub duration: Duration,
    /// Progress reports in an attempt, at even distances. No more than one a second is written.
    pub progress: u32,
    /// Messages in a batch. They are worked on side by side, so that a batch takes no longer than one of them.
    pub batch: f64,
    /// What the clients call.
    pub api: Api,
    /// What the functions run on.
    pub architecture: Architecture,
    /// Megabytes of the worker.
    pub worker_memory: u32,
    /// Megabytes of the functions that answer HTTP.
    pub http_memory: u32,
    /// How long those take to answer; an assumption, as it depends on AWS's services.
    pub http_duration: Duration,
    /// How long a lease lasts without a sign of life; renewed at every third of it.
    pub lease: Duration,
    /// Bytes that an invocation logs; an assumption, as most of it is Lambda's own.
    pub log: u64,
    /// Bytes of the largest message that carries its payload itself.
    pub inline_limit: u64,
    /// Bytes of the largest payload in a request; larger ones are uploaded.
    pub body_limit: u64,
}

/// How a message carries a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is. What JSON escapes in it is not counted.
    Text,
    /// In Base64, a third larger.
    Base64,
}

/// Kinds of an API on API Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// A REST API, which the template makes.
    Rest,
    /// An HTTP API.
    Http,
}

/// Processors of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Arm's.
    Arm64,
    /// Intel's and AMD's.
    X86,
}

/// For arithmetic on what is counted whole.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53 bytes, and no bill is to the byte"
)]
const fn float(whole: u64) -> f64 {
    whole as f64
}

/// How many of these pieces are billed for so many bytes: at least one.
fn pieces(bytes: f64, piece: u64) -> f64 {
    (bytes / float(piece)).ceil().max(1.0)
}

#[cfg(test)]
mod tests;
