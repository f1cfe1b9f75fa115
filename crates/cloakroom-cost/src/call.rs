//! A call, which a meter bills.

use super::Meter;

/// Origin of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The submit function.
    Submit,
    /// The worker.
    Worker,
    /// The status function.
    Status,
    /// The sweeper.
    Sweeper,
    /// The function that streams events.
    Events,
    /// The publisher.
    Publisher,
    /// The function that sends webhooks and replies.
    Deliver,
    /// The client, to the API or to a presigned link.
    Client,
    /// AWS itself: calls by the gateway, the queue and the bucket.
    Aws,
}

/// Calls of one kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// Origin of the call.
    pub by: By,
    /// Name of the call in the SDK.
    pub name: &'static str,
    /// Meter that bills the call.
    pub meter: Meter,
    /// Average number of calls per job.
    pub a_job: f64,
    /// Number of billed units per call.
    pub units: f64,
}

/// Creates a call.
pub(super) const fn call(by: By, name: &'static str, meter: Meter, a_job: f64, units: f64) -> Call {
    Call {
        by,
        name,
        meter,
        a_job,
        units,
    }
}
