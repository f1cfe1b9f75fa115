//! The state machine: statuses, events, and which event may meet which status.

/// Status of a job. `succeeded`, `failed` and `cancelled` are terminal: a job leaves them by a redrive alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Recorded; no attempt has begun.
    Accepted,
    /// A worker holds the lease and runs the handler.
    Running,
    /// An attempt failed; the next one waits for its time.
    Retrying,
    /// The client requested its end, and the worker stops the handler.
    Cancelling,
    /// Over: the work is done.
    Succeeded,
    /// Over: the work can't be done.
    Failed,
    /// Over: the client no longer wanted it.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a job's life.
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

    /// The contract's word.
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
    /// A worker begins an attempt.
    Claim,
    /// The worker extends its lease, perhaps with progress.
    Renew,
    /// The attempt did the work.
    Succeed,
    /// The attempt failed for good.
    Fail,
    /// The attempt failed, and another follows.
    Retry,
    /// A service was unavailable during the attempt. The attempt is not counted, and another one follows.
    Defer,
    /// The client cancels before an attempt runs.
    Withdraw,
    /// The client cancels while an attempt runs.
    AskToCancel,
    /// The worker, or the claim after it, ends a job whose cancelling was asked for.
    ConfirmCancel,
    /// A worker finds that the last attempt has ended or died, and no attempt is left.
    GiveUp,
    /// A worker finds that the job was not begun in time.
    Lapse,
    /// Its message is among the dead letters: no worker will be brought to it.
    Bury,
    /// It has no message any more, and nobody else will end it.
    Sweep,
    /// An operator sends a job that failed back to work: the one way out of a terminal status.
    Redrive,
}

impl Event {
    /// Every event.
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

    /// Returns its word in a job's history.
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

/// An event that a job in this status can't meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} a job that is {}", status.as_str())]
pub struct IllegalTransition {
    /// Status of the job.
    pub status: Status,
    /// The event that its status does not allow.
    pub event: Event,
}

/// Returns the status after an event. This is the whole state machine.
pub const fn next(status: Status, event: Event) -> Result<Status, IllegalTransition> {
    use Status::{Accepted, Cancelled, Cancelling, Failed, Retrying, Running, Succeeded};
    match (event, status) {
        // Claiming what runs is taking over from a worker whose lease has expired: `Transition::take_over`.
        (Event::Claim, Accepted | Retrying | Running) => Ok(Running),
        (Event::Renew, Running | Cancelling) => Ok(status),
        // Cancelling is a request: a handler that is done first wins.
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
