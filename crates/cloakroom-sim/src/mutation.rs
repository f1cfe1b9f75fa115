//! Deliberate faults of the code under test, made where it meets its ports: each is a line that somebody could leave out.
//! The invariants must catch every one. Each has a recorded seed that shows it, so that the tests need no search.

use cloakroom_core::transition::Event;
use cloakroom_core::{Isolation, Status, Transition};

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $seed:literal;)*) => {
        /// A way to break the code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutation { $($(#[$doc])* $name,)* }

        impl Mutation {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns a seed that catches it. `simulate mutations` prints the lowest.
            pub const fn seed(self) -> u64 {
                match self { $(Self::$name => $seed,)* }
            }
        }
    };
}

mutations! {
    /// The end of an attempt does not ask whose lease it is.
    DropTheFence = "drop-the-fence", 26;
    /// A claim does not ask whether another worker runs the job.
    ClaimUnderALease = "claim-under-a-lease", 31;
    /// A claim does not count attempts, and every crash may be another job's fault.
    EndlessAttempts = "endless-attempts", 14;
    /// No change asks for the status.
    AnyStatus = "any-status", 3;
    /// A cancellation does not ask whether the job is over or runs.
    CancelAnything = "cancel-anything", 3;
    /// The worker deletes a message before it has worked on it, and nobody sweeps.
    AckBeforeFinish = "ack-before-finish", 1;
    /// The worker deletes a message whose job is to be tried again, and nobody sweeps.
    AckARetry = "ack-a-retry", 1;
    /// Nobody sweeps.
    NoSweeper = "no-sweeper", 1;
    /// The sweeper does not wait for messages that come back.
    ImpatientSweeper = "impatient-sweeper", 2;
    /// The sweeper does not ask whether the job has changed since it looked.
    SweepWhatMoved = "sweep-what-moved", 58_971;
    /// A record is there until the table has deleted it.
    TrustTheTimeToLive = "trust-the-time-to-live", 39;
    /// A record is kept from its acceptance, and not from its last change.
    NeverKeepLonger = "never-keep-longer", 0;
    /// A result's key does not hold the lease's token.
    OneResultKey = "one-result-key", 15_523;
    /// Payloads are deleted when their job is claimed.
    DropThePayload = "drop-the-payload", 0;
    /// A job is blamed for a crash although its attempt shared its process.
    BlameEveryone = "blame-everyone", 14;
    /// The key of a record does not hold the tenant.
    NoTenant = "no-tenant", 0;
    /// An attempt that a service cut short is counted.
    CountOutages = "count-outages", 163;
    /// The worker does not hear that it lost its lease.
    IgnoreALostLease = "ignore-a-lost-lease", 1_797;
    /// A message whose job must wait is not hidden.
    HideForNothing = "hide-for-nothing", 150;
    /// A second submission under a key is recorded over the first.
    AcceptOver = "accept-over", 4;
    /// An upload is taken without asking whose it is.
    TakeAnyUpload = "take-any-upload", 42;
    /// Whose an upload is, is known for an hour, and not for as long as it can be named.
    ForgetUploads = "forget-uploads", 42;
    /// A message's job is not held to be of the message's time: an earlier life of the same id will do.
    AnyIncarnation = "any-incarnation", 41;
    /// A job that was not begun in time is begun all the same.
    BeginLate = "begin-late", 26;
    /// The submission answers before it has recorded anything.
    AnswerBeforeTheRecord = "answer-before-the-record", 0;
}

impl Mutation {
    /// What becomes of a change.
    pub(crate) fn change(self, transition: &mut Transition) {
        let event = transition
            .patch
            .step
            .as_ref()
            .map_or(Event::Renew, |step| step.event);
        let guard = &mut transition.guard;
        match self {
            Self::DropTheFence => guard.token = None,
            Self::ClaimUnderALease if event == Event::Claim => {
                guard.ready_by = None;
                guard.statuses.push(Status::Running);
            }
            Self::EndlessAttempts if event == Event::Claim => {
                guard.attempts_below = None;
                isolated(transition, Isolation::Shared);
            }
            Self::BlameEveryone if event == Event::Claim => isolated(transition, Isolation::Alone),
            Self::AnyStatus => guard.statuses = Status::ALL.to_vec(),
            Self::CancelAnything if matches!(event, Event::Withdraw | Event::AskToCancel) => {
                guard.statuses = Status::ALL.to_vec();
            }
            Self::AnyIncarnation => guard.created_at = None,
            Self::BeginLate if event == Event::Lapse => guard.statuses.clear(),
            Self::CountOutages if event == Event::Defer => transition.patch.uncounted = 0,
            Self::SweepWhatMoved if event == Event::Sweep => guard.version = None,
            _ => {}
        }
    }

    /// Whether the sweeper is there.
    pub(crate) fn sweeps(self) -> bool {
        !matches!(
            self,
            Self::NoSweeper | Self::AckBeforeFinish | Self::AckARetry
        )
    }
}

/// Records another isolation than the attempt has.
fn isolated(transition: &mut Transition, isolation: Isolation) {
    if let Some(lease) = &mut transition.patch.begin {
        lease.isolation = isolation;
    }
}
