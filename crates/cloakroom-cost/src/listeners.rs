//! Those who wait for a job without polling.

use std::time::Duration;

use cloakroom_core::EventScope;

use super::Workload;

/// Those who wait for a job without polling.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Listeners {
    /// Time for which a client follows a job by server-sent events, until its end. Zero if no client does.
    pub followed: Duration,
    /// Webhooks of the jobs.
    pub webhook: Option<Webhook>,
    /// Average number of replies per job: 1, or less if some jobs name no reply queue.
    pub replies: f64,
    /// Changes of every job that the event bus receives.
    pub bus: Option<EventScope>,
}

/// Webhooks of the jobs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Webhook {
    /// Average number of attempts per event. Less than 1 if some jobs have no webhook.
    pub attempts: f64,
    /// Changes that the webhooks receive.
    pub scope: EventScope,
    /// Duration until the receiver responds. This is an assumption, because it depends on the receiver.
    pub duration: Duration,
}

impl Listeners {
    /// Returns true if the records of jobs have listeners. A client that follows a job is not part of its record.
    pub(super) fn are_recorded(&self) -> bool {
        self.webhook.is_some() || self.replies > 0.0 || self.bus.is_some()
    }

    /// Returns the part of the jobs that have a webhook.
    pub(super) fn with_webhook(&self) -> f64 {
        self.webhook.map_or(0.0, |it| it.attempts.min(1.0))
    }
}

impl Workload {
    pub(super) fn has_deliveries(&self) -> bool {
        self.listeners.with_webhook() + self.listeners.replies > 0.0
    }

    /// Returns the number of writes to a job's record.
    pub(super) fn record_changes(&self) -> f64 {
        self.reported_changes() + self.attempts * self.heartbeats()
    }

    /// Returns the number of changes with an event: all but heartbeats.
    pub(super) fn reported_changes(&self) -> f64 {
        let (accepted, ended) = (1.0, 1.0);
        let (claims, retries) = (self.attempts, self.attempts - 1.0);
        accepted + claims + self.attempts * self.reports() + retries + ended
    }

    /// Returns the number of a job's events in a scope.
    pub(super) fn events(&self, scope: EventScope) -> f64 {
        match scope {
            EventScope::Terminal => 1.0,
            EventScope::All => self.reported_changes(),
        }
    }
}
