//! Cause of a job: ids that connect it with the job whose handler submitted it.

/// Ids that a job hands on to the jobs that its handler submits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Id that connects all of these jobs.
    pub correlation_id: String,
    /// Id of the job whose handler submits the others.
    pub causation_id: String,
    /// W3C `traceparent` of the attempt.
    pub traceparent: String,
    /// W3C `tracestate` that belongs to it.
    pub tracestate: Option<String>,
}
