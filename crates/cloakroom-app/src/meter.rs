//! Metrics: facts about jobs, counted as they happen. The implementation decides where the numbers go.
//!
//! Each fact is recorded once, by the code that caused it, after the corresponding write. A crash between the two loses
//! the count: metrics show trends, and the records are authoritative.

use std::time::Duration;

use cloakroom_core::CommandType;

/// A fact, and the command type that it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Type of the command; `None` if a message can't be read.
    pub command: Option<CommandType>,
    /// The fact.
    pub fact: Fact,
}

/// A fact about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A job was recorded. Under a client job id, an internally retried write whose first response was lost finds its
    /// own record. That can't be distinguished from a concurrent request, and is counted as a replay.
    Accepted,
    /// A submission returned an existing job.
    Replayed,
    /// The first attempt of a job started.
    Started {
        /// Time from the job's acceptance, or from its earliest start, to the claim of its first attempt. Delays before
        /// later attempts are intended, so they are not measured.
        queue_delay: Duration,
    },
    /// An attempt ended, and another one follows.
    Retried {
        /// Duration of the attempt; see [`Fact::Succeeded`].
        run_time: Duration,
    },
    /// An attempt found object storage or the table unavailable. Its result waits to be stored, or the attempt ended
    /// and is not counted.
    StorageUnavailable,
    /// A job succeeded.
    Succeeded {
        /// Duration of the last attempt, from its claim to its end. Includes fetching the payload and storing the
        /// result, but not the writes before and after.
        run_time: Duration,
    },
    /// A job failed.
    Failed {
        /// Code of the failure: the handler's, or the service's own.
        code: String,
        /// Duration of the last attempt; `None` if its worker crashed, or if the job ended before an attempt.
        run_time: Option<Duration>,
    },
    /// A job was cancelled.
    Cancelled {
        /// Duration of the last attempt; `None` if there was none, or if its worker crashed.
        run_time: Option<Duration>,
    },
    /// A job ended because its message became a dead letter; or a message without a job became a dead letter.
    Dead {
        /// Code of the failure.
        code: String,
    },
    /// The sweeper ended a job that no message would have brought to an end.
    Swept,
    /// The sweeper skipped a job whose record can't be read.
    Unreadable,
}

/// Port for metrics. `cloakroom-aws` implements it for CloudWatch, and `testing` in memory.
pub trait Meter: Send + Sync {
    /// Records a fact. Returns immediately and never fails, because no job may depend on it.
    fn record(&self, measure: &Measure);

    /// Records a fact about a command of this type.
    fn count(&self, command: &CommandType, fact: Fact) {
        self.record(&Measure {
            command: Some(command.clone()),
            fact,
        });
    }
}

/// Meter that only writes the facts to the log, at debug level.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogMeter;

impl Meter for LogMeter {
    fn record(&self, measure: &Measure) {
        tracing::debug!(?measure, "measured");
    }
}

#[cfg(test)]
mod tests;
