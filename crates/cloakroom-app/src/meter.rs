//! What is counted of the jobs' lives: facts, as they happen. Where the numbers go is the meter's business.
//!
//! Every fact is told once, by whoever made it true, after the write that did. A process that dies between the two takes
//! the number along: metrics are for seeing how it goes, and the records are the truth.

use std::time::Duration;

use cloakroom_core::CommandType;

/// A fact, and the command type that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// What was to be done; `None` where a message can't be read.
    pub command: Option<CommandType>,
    /// What happened.
    pub fact: Fact,
}

/// What happens to jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A job was recorded. Under a client job id, a write that was tried again because its answer was lost finds its own
    /// record, which can't be told from another request's of that moment: it is counted as a replay.
    Accepted,
    /// A submission was answered with the job that was there already.
    Replayed,
    /// The first attempt of a job began.
    Started {
        /// From the job's acceptance, or the time before which it was not to begin, to the claim of its first attempt.
        /// Waits for later attempts are not measured: they are wished for.
        queue_delay: Duration,
    },
    /// An attempt ended, and another follows.
    Retried {
        /// How long it took; see [`Fact::Succeeded`].
        run_time: Duration,
    },
    /// An attempt found the object storage or the table unavailable: its result waits to be stored, or it ended and is not counted.
    StorageUnavailable,
    /// A job ended: the work is done.
    Succeeded {
        /// Of its last attempt: from its claim to its end, with the fetch of the payload and the keeping of the result,
        /// without the writes before and after.
        run_time: Duration,
    },
    /// A job ended: the work can't be done.
    Failed {
        /// Why: the handler's code, or the service's own.
        code: String,
        /// Of its last attempt; `None` when that one died, or when the job ended before it began.
        run_time: Option<Duration>,
    },
    /// A job ended: the client no longer wanted it.
    Cancelled {
        /// Of its last attempt; `None` when none ran, or it died.
        run_time: Option<Duration>,
    },
    /// A job ended because its message had come back too often; or a message was given up that is none of a job's.
    Dead {
        /// Why.
        code: String,
    },
    /// A job ended because no message would have brought it to its end.
    Swept,
    /// The sweeper skipped the record of a job that it can't read.
    Unreadable,
}

/// Whoever counts. A port: CloudWatch's is in `cloakroom-aws`, and one that remembers in `testing`.
pub trait Meter: Send + Sync {
    /// Counts. Never waits and never fails: no job depends on it.
    fn record(&self, measure: &Measure);

    /// Counts a fact of a command of this type.
    fn count(&self, command: &CommandType, fact: Fact) {
        self.record(&Measure {
            command: Some(command.clone()),
            fact,
        });
    }
}

/// Counts nothing: shows the facts in the log, to whoever looks at its debug level.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogMeter;

impl Meter for LogMeter {
    fn record(&self, measure: &Measure) {
        tracing::debug!(?measure, "measured");
    }
}

#[cfg(test)]
mod tests;
