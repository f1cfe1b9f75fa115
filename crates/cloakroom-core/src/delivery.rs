//! Record of a job's deliveries: the notifications that the job's listeners receive, and each attempt to deliver one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Delays before the second and the following attempts. After the last one, a delivery has failed.
pub const DELAYS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(10 * 3600),
];

/// Time for which a delivery may take, from the change to its last attempt: the sum of the delays with their jitter, and
/// some hours for outages.
pub const DELIVERY_LIFE: Duration = Duration::from_secs(48 * 3600);

/// Time after which the message of a delivery that is due counts as lost. Later events of the job wait no longer for it.
pub const LOST_AFTER: Duration = Duration::from_secs(300);

/// Time for which an attempt is claimed: longer than any attempt takes.
pub const CLAIM: Duration = Duration::from_secs(60);

/// Maximum number of deliveries in a log. Older ones that have ended are dropped.
const LOG_LIMIT: usize = 100;

/// Maximum number of attempts that a delivery records. The oldest are dropped after repeated redeliveries.
const ATTEMPTS_LIMIT: usize = 20;

/// Receiver of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryKind {
    /// The URL of a request's `Callback-Url`.
    Webhook,
    /// A reply queue.
    Reply,
}

impl DeliveryKind {
    /// Returns the kind as documents spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Reply => "reply",
        }
    }
}

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// An attempt follows.
    Pending,
    /// The receiver accepted the event.
    Delivered,
    /// No attempt follows.
    Failed,
}

impl DeliveryState {
    /// Returns the state as documents spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// Time of the attempt.
    pub at: Timestamp,
    /// HTTP status of the receiver, if it responded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Reason why there was no response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A delivery of one event to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Id, unique in its job: the event's version and the kind of receiver.
    pub id: String,
    /// Receiver.
    pub kind: DeliveryKind,
    /// Scheme and host of a URL, or the name of a reply queue.
    pub target: String,
    /// State.
    pub state: DeliveryState,
    /// Attempts, in order.
    #[serde(default)]
    pub attempts: Vec<DeliveryAttempt>,
    /// Time of the next attempt, while the delivery is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Time at which the attempt was claimed that is not recorded yet. `next_at` is the end of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Timestamp>,
    /// Version of the job that the event reports.
    pub version: u64,
    /// Number of attempts since the event, or since the last redelivery.
    #[serde(default)]
    pub tries: u32,
}

impl Delivery {
    /// Returns true if a later delivery of this kind waits for this one.
    fn precedes(&self, kind: DeliveryKind) -> bool {
        self.kind == kind && self.state == DeliveryState::Pending
    }

    /// Returns true if no message brings this delivery to its attempt.
    fn is_lost(&self, now: Timestamp) -> bool {
        self.next_at.is_none_or(|at| now.since(at) >= LOST_AFTER)
    }

    /// Returns the time at which a later delivery looks again: after the next attempt, and less often the longer that is
    /// overdue or takes.
    fn look_after(&self, now: Timestamp) -> Timestamp {
        if let Some(claimed_at) = self.claimed_at.filter(|_| self.next_at > Some(now)) {
            let taken = now.since(claimed_at);
            return now.after(taken.clamp(Duration::from_secs(1), Duration::from_secs(15)));
        }
        let overdue = self.next_at.map_or(Duration::ZERO, |at| now.since(at));
        let pause = overdue.clamp(Duration::from_secs(1), Duration::from_secs(60));
        self.next_at
            .map_or(now, |at| at.max(now))
            .max(now.after(pause))
    }

    fn overtaken(&mut self, now: Timestamp) {
        self.state = DeliveryState::Failed;
        self.next_at = None;
        self.add_attempt(DeliveryAttempt {
            at: now,
            status: None,
            error: Some("a later event overtook this one".to_owned()),
        });
    }

    fn add_attempt(&mut self, attempt: DeliveryAttempt) {
        self.attempts.push(attempt);
        if self.attempts.len() > ATTEMPTS_LIMIT {
            self.attempts.remove(0);
        }
    }
}

/// Outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver responded with this HTTP status.
    Status(u16),
    /// There was no response, for this reason.
    NoResponse(String),
    /// The queue accepted the message.
    Sent,
    /// No attempt can succeed, for this reason.
    Impossible(String),
}

/// Deliveries of a job. This type is a boundary: later versions read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryLog {
    /// Deliveries, in the order of their events.
    pub deliveries: Vec<Delivery>,
    /// True after a webhook's receiver responded with 410: it receives no further events.
    #[serde(default)]
    pub gone: bool,
}

/// Decision about the message of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Nothing: the delivery has ended.
    Over,
    /// Attempt it now.
    Attempt,
    /// Wait until this time.
    Wait(Timestamp),
}

impl DeliveryLog {
    /// Adds a delivery, unless it exists. Returns true if an attempt is still to come.
    pub fn add(
        &mut self,
        kind: DeliveryKind,
        target: &str,
        version: u64,
        suffix: &str,
        now: Timestamp,
    ) -> bool {
        let id = delivery_id(kind, version, suffix);
        if let Some(existing) = self.find(&id) {
            return existing.state == DeliveryState::Pending && existing.attempts.is_empty();
        }
        let gone = self.gone && kind == DeliveryKind::Webhook;
        self.deliveries.push(Delivery {
            id,
            kind,
            target: target.to_owned(),
            state: if gone {
                DeliveryState::Failed
            } else {
                DeliveryState::Pending
            },
            attempts: Vec::new(),
            next_at: (!gone).then_some(now),
            claimed_at: None,
            version,
            tries: 0,
        });
        if self.deliveries.len() > LOG_LIMIT {
            let ended = |delivery: &Delivery| delivery.state != DeliveryState::Pending;
            let oldest = self.deliveries.iter().position(ended).unwrap_or(0);
            self.deliveries.remove(oldest);
        }
        !gone
    }

    /// Returns the delivery with this id.
    pub fn find(&self, id: &str) -> Option<&Delivery> {
        self.deliveries.iter().find(|delivery| delivery.id == id)
    }

    /// Decides about the message of a delivery. Deliveries of the same kind are attempted in the order of their events,
    /// so an earlier one that is pending comes first. One that is overdue by [`LOST_AFTER`] has lost its message: the
    /// later event overtakes it.
    pub fn next_step(&self, id: &str, now: Timestamp) -> NextStep {
        let Some(this) = self.find(id) else {
            return NextStep::Over;
        };
        if this.state != DeliveryState::Pending {
            return NextStep::Over;
        }
        let earlier = self
            .deliveries
            .iter()
            .take_while(|delivery| delivery.id != id)
            .find(|delivery| delivery.precedes(this.kind) && !delivery.is_lost(now));
        match (earlier, this.next_at) {
            (Some(earlier), _) => NextStep::Wait(earlier.look_after(now)),
            (None, Some(at)) if at > now => NextStep::Wait(at),
            (None, _) => NextStep::Attempt,
        }
    }

    /// Claims the next attempt of a delivery: until [`CLAIM`] has passed, no other message attempts it, or a later one.
    /// Earlier deliveries whose messages are lost are overtaken.
    pub fn claim(&mut self, id: &str, now: Timestamp) {
        let Some(at) = self.deliveries.iter().position(|it| it.id == id) else {
            return;
        };
        let (earlier, rest) = self.deliveries.split_at_mut(at);
        (rest[0].claimed_at, rest[0].next_at) = (Some(now), Some(now.after(CLAIM)));
        for lost in earlier
            .iter_mut()
            .filter(|earlier| earlier.precedes(rest[0].kind) && earlier.is_lost(now))
        {
            lost.overtaken(now);
        }
    }

    /// Records the outcome of an attempt. `unit` is the jitter, drawn uniformly from 0 to 1. Returns the time of the next
    /// attempt, if there is one.
    pub fn record(
        &mut self,
        id: &str,
        outcome: &AttemptOutcome,
        now: Timestamp,
        unit: f64,
    ) -> Option<Timestamp> {
        if *outcome == AttemptOutcome::Status(410) {
            self.gone = true;
        }
        let at = self.deliveries.iter().position(|it| it.id == id)?;
        let (delivery, later) = self.deliveries[at..].split_first_mut()?;
        let (status, error) = match outcome {
            AttemptOutcome::Status(status) => (Some(*status), None),
            AttemptOutcome::NoResponse(reason) | AttemptOutcome::Impossible(reason) => {
                (None, Some(reason.clone()))
            }
            AttemptOutcome::Sent => (None, None),
        };
        delivery.add_attempt(DeliveryAttempt {
            at: now,
            status,
            error,
        });
        delivery.tries = delivery.tries.saturating_add(1);
        delivery.claimed_at = None;
        let delay = DELAYS.get(delivery.tries.saturating_sub(1) as usize);
        let (state, next_at) = match (outcome, delay) {
            (AttemptOutcome::Sent | AttemptOutcome::Status(200..=299), _) => {
                (DeliveryState::Delivered, None)
            }
            (AttemptOutcome::Impossible(_) | AttemptOutcome::Status(410), _) | (_, None) => {
                (DeliveryState::Failed, None)
            }
            (AttemptOutcome::Status(_) | AttemptOutcome::NoResponse(_), Some(delay)) => (
                DeliveryState::Pending,
                Some(now.after(delay.mul_f64(1.0 + unit.clamp(0.0, 1.0) / 10.0))),
            ),
        };
        (delivery.state, delivery.next_at) = (state, next_at);
        if state != DeliveryState::Pending {
            // Those that waited for this one are due from now on: none of their messages is lost because of that.
            for waiting in later.iter_mut().filter(|it| it.precedes(delivery.kind)) {
                waiting.next_at = waiting.next_at.max(Some(now));
            }
        }
        if self.gone {
            self.end_webhooks();
        }
        next_at
    }

    /// Makes a delivery pending again, with all its attempts. A receiver that was gone is asked again. Returns false if
    /// there is no such delivery.
    pub fn redeliver(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(delivery) = self
            .deliveries
            .iter_mut()
            .find(|delivery| delivery.id == id)
        else {
            return false;
        };
        delivery.state = DeliveryState::Pending;
        (delivery.next_at, delivery.claimed_at) = (Some(now), None);
        delivery.tries = 0;
        self.gone &= delivery.kind != DeliveryKind::Webhook;
        true
    }

    fn end_webhooks(&mut self) {
        let pending = self.deliveries.iter_mut().filter(|delivery| {
            delivery.kind == DeliveryKind::Webhook && delivery.state == DeliveryState::Pending
        });
        for delivery in pending {
            delivery.state = DeliveryState::Failed;
            delivery.next_at = None;
        }
    }
}

/// Returns the id of a delivery. `suffix` distinguishes a handler's own events of one version.
pub fn delivery_id(kind: DeliveryKind, version: u64, suffix: &str) -> String {
    format!("{version}-{}{suffix}", kind.as_str())
}

#[cfg(test)]
mod tests;
