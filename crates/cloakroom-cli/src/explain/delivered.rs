//! Deliveries of a job's events in plain lines.

use cloakroom_client::DeliveryView;

use crate::deliveries::outcome;
use crate::show::printable;

/// Formats a line for each delivery, and one for each of its attempts.
pub(super) fn told(deliveries: &[DeliveryView]) -> String {
    let lines = deliveries.iter().flat_map(|delivery| {
        let attempts = delivery.attempts.iter().enumerate();
        let attempts = attempts
            .map(|(n, attempt)| format!("{}  attempt {}: {}", attempt.at, n + 1, outcome(attempt)));
        std::iter::once(summary(delivery)).chain(attempts)
    });
    lines.map(|line| printable(&line) + "\n").collect()
}

fn summary(delivery: &DeliveryView) -> String {
    let DeliveryView {
        id, kind, target, ..
    } = delivery;
    let next = delivery
        .next_at
        .map(|at| format!(", next attempt at {at}"))
        .unwrap_or_default();
    format!(
        "delivery {id} to {kind} {target}: {}{next}",
        delivery.state.as_str()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_delivery_and_each_attempt_is_a_line() {
        let deliveries = json!([
            {
                "id": "3-webhook", "kind": "webhook", "target": "https://hooks.example.com", "state": "pending",
                "attempts": [
                    { "at": "2026-11-21T08:00:00.400Z", "status": 503 },
                    { "at": "2026-11-21T08:00:05.700Z", "error": "connection\nrefused" },
                ],
                "next_at": "2026-11-21T08:05:12.000Z",
            },
            {
                "id": "3-reply", "kind": "reply", "target": "orders", "state": "delivered",
                "attempts": [{ "at": "2026-11-21T08:00:01.000Z" }],
            },
            { "id": "4-reply", "kind": "reply", "target": "orders", "state": "failed" },
        ]);
        let deliveries: Vec<_> = serde_json::from_value(deliveries).expect("deliveries");
        insta::assert_snapshot!(told(&deliveries), @"
            delivery 3-webhook to webhook https://hooks.example.com: pending, next attempt at 2026-11-21T08:05:12.000Z
            2026-11-21T08:00:00.400Z  attempt 1: status 503
            2026-11-21T08:00:05.700Z  attempt 2: connection refused
            delivery 3-reply to reply orders: delivered
            2026-11-21T08:00:01.000Z  attempt 1: sent
            delivery 4-reply to reply orders: failed
        ");
    }
}
