//! The state machine: statuses, events, and the legal transitions.

/// Status of a job. `succeeded`, `failed` and `cancelled` are terminal: only a redrive leaves a terminal status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The job is recorded, and no attempt has started.
    Accepted,
    /// A worker holds the lease and runs the handler.
    Running,
    /// An attempt failed, and the next one is scheduled.
    Retrying,
    /// The client requested cancellation, and the worker is stopping the handler.
    Cancelling,
    /// Terminal: the handler succeeded.
    Succeeded,
    /// Terminal: the job failed.
    Failed,
    /// Terminal: the client cancelled the job.
    Cancelled,
}

impl Status {
    /// All statuses, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Running,
        Self::Retrying,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Returns true for a job that has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// Returns the status as the contract spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Event in the life of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker starts an attempt.
    Claim,
    /// The worker extends its lease, and may report progress.
    Renew,
    /// The attempt succeeded.
    Succeed,
    /// The attempt failed, and the job with it.
    Fail,
    /// The attempt failed, and another one follows.
    Retry,
    /// A service was unavailable during the attempt. The attempt is not counted, and another one follows.
    Defer,
    /// The client cancels a job that no attempt runs.
    Withdraw,
    /// The client requests cancellation of a job that an attempt runs.
    AskToCancel,
    /// The worker, or the next claim, ends a job whose cancellation was requested.
    ConfirmCancel,
    /// A worker finds that the last attempt ended or crashed, and that no attempt remains.
    GiveUp,
    /// A worker finds that the job did not start in time.
    Lapse,
    /// The job's message is a dead letter: it will not reach a worker.
    Bury,
    /// The job has no message left, and nothing else will end it.
    Sweep,
    /// An operator restarts a failed job. This is the only event that leaves a terminal status.
    Redrive,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 14] = [
        Self::Claim,
        Self::Renew,
        Self::Succeed,
        Self::Fail,
        Self::Retry,
        Self::Defer,
        Self::Withdraw,
        Self::AskToCancel,
        Self::ConfirmCancel,
        Self::GiveUp,
        Self::Lapse,
        Self::Bury,
        Self::Sweep,
        Self::Redrive,
    ];

    /// Returns the event as a job's history spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Renew => "renew",
            Self::Succeed => "succeed",
            Self::Fail => "fail",
            Self::Retry => "retry",
            Self::Defer => "defer",
            Self::Withdraw => "withdraw",
            Self::AskToCancel => "ask-to-cancel",
            Self::ConfirmCancel => "confirm-cancel",
            Self::GiveUp => "give-up",
            Self::Lapse => "lapse",
            Self::Bury => "bury",
            Self::Sweep => "sweep",
            Self::Redrive => "redrive",
        }
    }
}

/// Error: the job's status does not allow the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} a job that is {}", status.as_str())]
pub struct IllegalTransition {
    /// Status of the job.
    pub status: Status,
    /// Event that the status does not allow.
    pub event: Event,
}

/// Returns the status after an event. This function is the whole state machine.
pub const fn next(status: Status, event: Event) -> Result<Status, IllegalTransition> {
    use Status::{Accepted, Cancelled, Cancelling, Failed, Retrying, Running, Succeeded};
    match (event, status) {
        // A running job can be claimed only after its lease has expired: see `Transition::take_over`.
        (Event::Claim, Accepted | Retrying | Running) => Ok(Running),
        (Event::Renew, Running | Cancelling) => Ok(status),
        // Cancellation is a request: a handler that finishes first wins.
        (Event::Succeed, Running | Cancelling) => Ok(Succeeded),
        (Event::Fail, Running | Cancelling)
        | (Event::GiveUp, Running | Retrying)
        | (Event::Lapse, Accepted)
        | (Event::Bury | Event::Sweep, Accepted | Running | Retrying) => Ok(Failed),
        (Event::Retry | Event::Defer, Running) => Ok(Retrying),
        (Event::Withdraw, Accepted | Retrying) | (Event::ConfirmCancel, Cancelling) => {
            Ok(Cancelled)
        }
        (Event::AskToCancel, Running) => Ok(Cancelling),
        (Event::Redrive, Failed) => Ok(Accepted),
        (
            Event::Claim | Event::AskToCancel | Event::GiveUp | Event::Bury | Event::Sweep,
            Cancelling,
        )
        | (Event::Renew | Event::Succeed | Event::Fail | Event::AskToCancel, Accepted | Retrying)
        | (Event::GiveUp, Accepted)
        | (Event::Retry | Event::Defer, Accepted | Retrying | Cancelling)
        | (Event::Withdraw, Running | Cancelling)
        | (Event::ConfirmCancel, Accepted | Retrying | Running)
        | (Event::Lapse, Retrying | Running | Cancelling)
        | (Event::Redrive, Accepted | Retrying | Running | Cancelling)
        | (_, Succeeded | Failed | Cancelled) => Err(IllegalTransition { status, event }),
    }
}
