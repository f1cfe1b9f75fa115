//! Conformance suite for the queue of messages: the port, and receiving and deleting, which are not part of the port.

use std::time::Duration;

use async_trait::async_trait;
use cloakroom_core::Tenant;

use crate::delivery::Delivery;
use crate::ports::Queue;

/// A queue that is exclusive to the suite, with all its operations.
#[async_trait]
pub trait WholeQueue: Send + Sync {
    /// Returns the port.
    fn port(&self) -> &dyn Queue;

    /// Receives the visible messages, at most ten, and hides them for a minute or more. If time can't be controlled,
    /// waits a while for an `expected` message.
    async fn receive(&self, expected: bool) -> Vec<Delivery>;

    /// Deletes a message by this receipt.
    async fn delete(&self, delivery: &Delivery);

    /// Lets time pass. Returns at once if time can be controlled.
    async fn pass(&self, time: Duration);
}

/// Verifies a queue. The suite uses few and short times, because they may have to pass in reality.
///
/// # Panics
/// If the implementation does not conform.
pub async fn queue(queue: &dyn WholeQueue) {
    comes_hides_and_goes(queue).await;
    a_receipt_that_is_over_is_no_fault(queue).await;
    hides_for_very_long(queue).await;
    holds_back(queue).await;
    for name in [
        ('!'..='~').collect(),
        "a".repeat(128),
        "other/tenant#1".to_owned(),
    ] {
        takes_a_large_message_of(queue, &name.parse().expect("a good name")).await;
    }
}

/// Receives exactly one message.
///
/// # Panics
/// If there is not exactly one.
pub async fn one(queue: &dyn WholeQueue) -> Delivery {
    let mut received = queue.receive(true).await;
    assert_eq!(received.len(), 1, "one message");
    received.pop().expect("one message")
}

/// Checks that no message is visible.
///
/// # Panics
/// If one is visible.
pub async fn none(queue: &dyn WholeQueue) {
    assert_eq!(queue.receive(false).await, []);
}

/// Trace header as Lambda passes it to a function: the trace, its own span, and the lineage that detects loops.
const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:a87bd80c:0";

async fn send(queue: &dyn WholeQueue, tenant: &Tenant, body: &str) {
    queue
        .port()
        .send(tenant, body.to_owned(), Duration::ZERO, Some(XRAY))
        .await
        .expect("send");
}

async fn hide(queue: &dyn WholeQueue, delivery: &Delivery, time: Duration) {
    assert_eq!(queue.port().hide(&delivery.receipt, time).await, Ok(()));
}

async fn comes_hides_and_goes(queue: &dyn WholeQueue) {
    none(queue).await;
    let body = "{\"n\": \"né \u{1f9e5} \\u0000\"}";
    send(queue, &Tenant::default(), body).await;
    let first = one(queue).await;
    assert_eq!((first.body.as_str(), first.receive_count), (body, 1));
    none(queue).await;

    hide(queue, &first, Duration::from_millis(1)).await; // rounded up to a second
    none(queue).await;
    queue.pass(Duration::from_secs(2)).await;
    let second = one(queue).await;
    assert_eq!(
        (&second.message_id, second.receive_count),
        (&first.message_id, 2)
    );

    hide(queue, &second, Duration::from_secs(60)).await;
    hide(queue, &second, Duration::from_secs(2)).await; // replaces the remaining time
    none(queue).await;
    queue.pass(Duration::from_secs(3)).await;
    let third = one(queue).await;
    hide(queue, &third, Duration::ZERO).await;
    let fourth = one(queue).await;
    assert_eq!(
        (&fourth.message_id, fourth.receive_count),
        (&first.message_id, 4)
    );
    queue.delete(&fourth).await;
    queue.pass(Duration::from_secs(2)).await;
    none(queue).await;
}

async fn a_receipt_that_is_over_is_no_fault(queue: &dyn WholeQueue) {
    send(queue, &Tenant::default(), "x").await;
    let delivery = one(queue).await;
    queue.delete(&delivery).await;
    let unheard_of = Delivery {
        receipt: "no receipt at all".into(),
        ..delivery.clone()
    };
    for over in [delivery, unheard_of] {
        hide(queue, &over, Duration::from_secs(5)).await;
        queue.delete(&over).await;
    }
}

async fn hides_for_very_long(queue: &dyn WholeQueue) {
    send(queue, &Tenant::default(), "x").await;
    let delivery = one(queue).await;
    hide(queue, &delivery, Duration::MAX).await;
    queue.pass(Duration::from_secs(2)).await;
    none(queue).await;
    queue.delete(&delivery).await;
}

async fn holds_back(queue: &dyn WholeQueue) {
    for delay in [Duration::from_millis(1001), Duration::from_secs(2)] {
        queue
            .port()
            .send(&Tenant::default(), "later".to_owned(), delay, None)
            .await
            .expect("send");
        none(queue).await;
        queue.pass(Duration::from_secs(3)).await;
        let delivery = one(queue).await;
        assert_eq!(
            (delivery.body.as_str(), delivery.receive_count),
            ("later", 1)
        );
        queue.delete(&delivery).await;
    }
    // Exceeds the queue's maximum delay, but is accepted.
    queue
        .port()
        .send(
            &Tenant::default(),
            "much later".to_owned(),
            Duration::from_secs(86_400),
            None,
        )
        .await
        .expect("send");
    none(queue).await;
    assert!(queue.port().state().await.expect("a state").cycle > Duration::ZERO);
}

async fn takes_a_large_message_of(queue: &dyn WholeQueue, tenant: &Tenant) {
    let body = "x".repeat(1_000_000);
    send(queue, tenant, &body).await;
    let delivery = one(queue).await;
    assert!(delivery.body == body, "another body came than was sent");
    queue.delete(&delivery).await;
}
