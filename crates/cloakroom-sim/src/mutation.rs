//! Deliberate faults of the code under test, applied at its ports. Each one represents a line that somebody could omit.
//! The invariants must detect all of them. Each has a recorded seed that reveals it, so that the tests need no search.

use cloakroom_core::transition::Event;
use cloakroom_core::{Isolation, Status, Transition};

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $seed:literal;)*) => {
        /// A deliberate fault of the code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutation { $($(#[$doc])* $name,)* }

        impl Mutation {
            /// All mutations.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns a seed that reveals the mutation. `simulate mutations` prints the lowest.
            pub const fn seed(self) -> u64 {
                match self { $(Self::$name => $seed,)* }
            }
        }
    };
}

mutations! {
    /// The end of an attempt does not check the lease.
    DropTheFence = "drop-the-fence", 26;
    /// A claim does not check whether another worker runs the job.
    ClaimUnderALease = "claim-under-a-lease", 31;
    /// A claim does not count attempts, and attributes no crash to the job.
    EndlessAttempts = "endless-attempts", 14;
    /// No change checks the status.
    AnyStatus = "any-status", 3;
    /// A cancellation does not check whether the job has ended or is running.
    CancelAnything = "cancel-anything", 3;
    /// The worker deletes a message before it has processed it, and there is no sweeper.
    AckBeforeFinish = "ack-before-finish", 1;
    /// The worker deletes a message whose job will be retried, and there is no sweeper.
    AckARetry = "ack-a-retry", 1;
    /// There is no sweeper.
    NoSweeper = "no-sweeper", 1;
    /// The sweeper does not wait for messages that become visible again.
    ImpatientSweeper = "impatient-sweeper", 2;
    /// The sweeper does not check whether the job has changed since it was read.
    SweepWhatMoved = "sweep-what-moved", 58_971;
    /// A record counts as alive until the table has deleted it.
    TrustTheTimeToLive = "trust-the-time-to-live", 39;
    /// The retention of a record counts from its acceptance, not from its last change.
    NeverKeepLonger = "never-keep-longer", 0;
    /// The key of a result does not contain the lease token.
    OneResultKey = "one-result-key", 15_523;
    /// Payloads are deleted when their job is claimed.
    DropThePayload = "drop-the-payload", 0;
    /// A change that could not be published is not published again.
    ForgetAChange = "forget-a-change", 9;
    /// A record of deliveries is replaced without a check that it has not changed.
    IgnoreTheRevision = "ignore-the-revision", 7;
    /// A job is blamed for a crash although its attempt shared its process.
    BlameEveryone = "blame-everyone", 14;
    /// The key of a record does not contain the tenant.
    NoTenant = "no-tenant", 0;
    /// An attempt that was cut short by an unavailable service is counted.
    CountOutages = "count-outages", 163;
    /// The worker is not notified that it lost its lease.
    IgnoreALostLease = "ignore-a-lost-lease", 1_797;
    /// A message whose job must wait is not hidden.
    HideForNothing = "hide-for-nothing", 150;
    /// A second submission with the same key replaces the first record.
    AcceptOver = "accept-over", 4;
    /// An upload is taken without checking which job owns it.
    TakeAnyUpload = "take-any-upload", 42;
    /// The owner of an upload is recorded for an hour only, not for as long as the upload can be used.
    ForgetUploads = "forget-uploads", 42;
    /// A message is accepted for another incarnation of its job's id.
    AnyIncarnation = "any-incarnation", 41;
    /// A job that did not start in time is started anyway.
    BeginLate = "begin-late", 26;
    /// The response to a submission is sent before anything is recorded.
    AnswerBeforeTheRecord = "answer-before-the-record", 0;
}

impl Mutation {
    /// Applies the mutation to a transition.
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

    /// Returns true for a fault that only the listeners of jobs notice.
    pub(crate) fn is_of_listeners(self) -> bool {
        matches!(self, Self::ForgetAChange | Self::IgnoreTheRevision)
    }

    /// Returns true if the sweeper runs.
    pub(crate) fn sweeps(self) -> bool {
        !matches!(
            self,
            Self::NoSweeper | Self::AckBeforeFinish | Self::AckARetry
        )
    }
}

/// Records a different isolation from the attempt's actual one.
fn isolated(transition: &mut Transition, isolation: Isolation) {
    if let Some(lease) = &mut transition.patch.begin {
        lease.isolation = isolation;
    }
}
