//! Calls of the publisher, and of the function that sends webhooks and replies.

use cloakroom_core::EventScope;
use cloakroom_core::delivery::DELAYS;

use super::call::{By, Call, call};
use super::listeners::Webhook;
use super::sizes::{
    DELIVERIES_BYTES, DELIVERY_BYTES, EVENT_BYTES, GIGABYTE, MESSAGE_PIECE, READ_PIECE, WRITE_PIECE,
};
use super::time::{billed, gigabytes};
use super::{DAYS, Meter, Workload, float, pieces};

/// Longest wait in seconds for which a delivery's message is hidden. For a longer one it is sent again.
const LONGEST_HIDE: f64 = 60.0;

/// Longest delay of a message in seconds.
const LONGEST_DELAY: f64 = 900.0;

/// Average length of a delay, as up to a tenth is added to it.
const JITTER: f64 = 1.05;

/// Maximum size of a reply in bytes. A larger one is a claim check.
const REPLY_LIMIT: u64 = 256 * 1024;

/// Maximum length of a result in a reply. A larger one is only linked.
const REPLY_RESULT_LIMIT: u64 = 32 * 1024 * 1024;

/// Storage time of a large reply in days, until the rules run at midnight.
const REPLY_DAYS: f64 = 32.5;

/// Waits between the attempts of a delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Waits {
    /// Messages that are hidden.
    hides: f64,
    /// Messages that are sent again with a delay.
    sends: f64,
    /// Receipts at which an attempt is not due.
    looks: f64,
}

impl Webhook {
    /// Returns the waits of a delivery with this average number of attempts.
    fn waits(&self) -> Waits {
        let (mut waits, mut again) = (Waits::default(), self.attempts - 1.0);
        for delay in DELAYS {
            let (part, delay) = (again.clamp(0.0, 1.0), delay.as_secs_f64() * JITTER);
            if delay <= LONGEST_HIDE {
                waits.hides += part;
            } else {
                let sends = (delay / LONGEST_DELAY).ceil();
                waits.sends += part * sends;
                waits.looks += part * (sends - 1.0);
            }
            again -= part;
        }
        waits
    }
}

impl Workload {
    pub(super) fn publish(&self) -> Vec<Call> {
        let it = &self.listeners;
        let (webhooks, records) = (self.webhook_deliveries(), self.records());
        let size = self.deliveries_size();
        let on_bus = it.bus.map_or(0.0, |scope| self.events(scope));
        let mut calls = self.notify(self.publisher_invocations(), 0.0);
        calls.extend([
            call(
                By::Publisher,
                "DynamoDB.GetItem",
                Meter::DeliveryReads,
                records,
                pieces(size, READ_PIECE),
            ),
            call(
                By::Publisher,
                "DynamoDB.PutItem",
                Meter::DeliveryWrites,
                records,
                pieces(size, WRITE_PIECE),
            ),
            // An event has at most 32 KiB of a result, so its message is one unit.
            call(
                By::Publisher,
                "SQS.SendMessage",
                Meter::DeliveryMessages,
                webhooks + it.replies,
                1.0,
            ),
            call(
                By::Publisher,
                "EventBridge.PutEvents",
                Meter::BusEvents,
                on_bus,
                1.0,
            ),
        ]);
        calls
    }

    pub(super) fn deliver(&self) -> Vec<Call> {
        let replies = self.listeners.replies;
        let (mut attempts, mut waits, mut waited) = (replies, Waits::default(), 0.0);
        if let Some(webhook) = self.listeners.webhook {
            let (events, one) = (self.events(webhook.scope), webhook.waits());
            let posts = webhook.attempts * events;
            attempts += posts;
            waited = posts * billed(webhook.duration);
            waits = Waits {
                hides: one.hides * events,
                sends: one.sends * events,
                looks: one.looks * events,
            };
        }
        let (receipts, deliveries) = (attempts + waits.looks, self.webhook_deliveries() + replies);
        let size = self.deliveries_size();
        let mut calls = self.notify(receipts, waited);
        calls.extend([
            call(
                By::Aws,
                "SQS.ReceiveMessage",
                Meter::DeliveryMessages,
                receipts,
                1.0,
            ),
            call(
                By::Aws,
                "SQS.DeleteMessageBatch",
                Meter::DeliveryMessages,
                deliveries + waits.sends,
                1.0,
            ),
            call(
                By::Deliver,
                "DynamoDB.GetItem",
                Meter::DeliveryReads,
                receipts,
                pieces(size, READ_PIECE),
            ),
            // Each attempt is claimed, and its outcome recorded.
            call(
                By::Deliver,
                "DynamoDB.PutItem",
                Meter::DeliveryWrites,
                2.0 * attempts,
                pieces(size, WRITE_PIECE),
            ),
            call(
                By::Deliver,
                "SQS.ChangeMessageVisibility",
                Meter::DeliveryMessages,
                waits.hides,
                1.0,
            ),
            call(
                By::Deliver,
                "SQS.SendMessage",
                Meter::DeliveryMessages,
                waits.sends,
                1.0,
            ),
            call(
                By::Aws,
                "a result",
                Meter::Transfer,
                self.listeners.webhook.map_or(0.0, |it| it.attempts),
                float(self.inline_result()) / GIGABYTE,
            ),
        ]);
        calls.extend(self.reply());
        calls
    }

    fn reply(&self) -> Vec<Call> {
        let replies = self.listeners.replies;
        let stored = if self.result_is_stored() {
            replies
        } else {
            0.0
        };
        let result = if self.result > REPLY_RESULT_LIMIT {
            0
        } else {
            self.result
        };
        let size = EVENT_BYTES + result;
        let (large, carried) = if size > REPLY_LIMIT {
            (replies, EVENT_BYTES)
        } else {
            (0.0, size)
        };
        vec![
            call(By::Deliver, "S3.GetObject", Meter::Gets, stored, 1.0),
            call(By::Deliver, "S3.PutObject", Meter::Puts, large, 1.0),
            call(
                By::Deliver,
                "SQS.SendMessage",
                Meter::DeliveryMessages,
                replies,
                pieces(float(carried), MESSAGE_PIECE),
            ),
            call(
                By::Aws,
                "an object",
                Meter::Storage,
                large,
                float(size) / GIGABYTE * REPLY_DAYS / DAYS,
            ),
        ]
    }

    /// Returns the invocations that pass the filter of the publisher. Each change is one, as it is while few jobs change
    /// at once.
    fn publisher_invocations(&self) -> f64 {
        let it = &self.listeners;
        let with_webhook = it.with_webhook();
        let all = match (it.bus, it.webhook.map(|webhook| webhook.scope)) {
            (Some(EventScope::All), _) => 1.0,
            (_, Some(EventScope::All)) => with_webhook,
            _ => 0.0,
        };
        let any = match it.bus {
            Some(_) => 1.0,
            None => with_webhook.max(it.replies),
        };
        all * self.record_changes() + (any - all)
    }

    /// Returns the number of a job's deliveries to its webhook.
    fn webhook_deliveries(&self) -> f64 {
        let scope = self.listeners.webhook.map(|webhook| webhook.scope);
        self.listeners.with_webhook() * scope.map_or(0.0, |scope| self.events(scope))
    }

    /// Returns the number of changes that add deliveries. Webhook and reply of one change are added together.
    fn records(&self) -> f64 {
        let with_webhook = self.listeners.with_webhook();
        self.webhook_deliveries() - with_webhook + with_webhook.max(self.listeners.replies)
    }

    /// Returns the average size of a record of deliveries in bytes, which grows with each event.
    fn deliveries_size(&self) -> f64 {
        let scope = self.listeners.webhook.map(|webhook| webhook.scope);
        let webhooks = scope.map_or(0.0, |scope| f64::midpoint(self.events(scope), 1.0));
        let deliveries = webhooks + self.listeners.replies.ceil();
        float(DELIVERIES_BYTES) + float(DELIVERY_BYTES) * deliveries
    }

    /// Returns the calls that start a function of listeners. It waits for this time in seconds, in all invocations.
    fn notify(&self, invocations: f64, waited: f64) -> Vec<Call> {
        let time = invocations * billed(self.http_duration) + waited;
        vec![
            call(
                By::Aws,
                "Lambda.Invoke",
                Meter::NotifyInvocations,
                invocations,
                1.0,
            ),
            call(
                By::Aws,
                "a run",
                Meter::NotifyTime,
                time,
                gigabytes(self.http_memory),
            ),
            self.logs(invocations),
        ]
    }
}
