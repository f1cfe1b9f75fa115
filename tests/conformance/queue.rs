//! Conformance of the queue of messages.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::ports::Queue;
use cloakroom_app::testing::conformance::{self, WholeQueue, none, one};
use cloakroom_aws::{Queues, SqsQueue};
use cloakroom_core::Tenant;
use cloakroom_tests::fresh_key;

use crate::place::{Open, Place, cleaned_up};

/// A queue, and the place that controls its time.
struct Timed<'a> {
    queue: &'a SqsQueue,
    place: &'a Open,
}

#[async_trait]
impl WholeQueue for Timed<'_> {
    fn port(&self) -> &dyn Queue {
        self.queue
    }

    async fn receive(&self, expected: bool) -> Vec<Delivery> {
        let wait = if expected {
            self.place.patience()
        } else {
            Duration::ZERO
        };
        self.queue.receive(10, wait).await.expect("receive")
    }

    async fn delete(&self, delivery: &Delivery) {
        self.queue.delete(&delivery.receipt).await.expect("delete");
    }

    async fn pass(&self, time: Duration) {
        self.place.pass(time).await;
    }
}

/// Creates queues, tests them, and removes them.
async fn tested(
    place: &Place,
    visibility: Duration,
    max_receive_count: u32,
    test: impl AsyncFnOnce(&Open, &Queues),
) {
    let open = place.open().await;
    let name = fresh_key("cloakroom-conformance");
    let queues = SqsQueue::create(&open.clients, &name, visibility, max_receive_count)
        .await
        .expect("make the queues");
    cleaned_up(
        Box::pin(test(&open, &queues)),
        Box::pin(remove(&open, &queues)),
    )
    .await;
}

/// Removes queues.
pub(crate) async fn remove(open: &Open, queues: &Queues) {
    let Some(sdk) = &open.sdk else { return };
    for queue in [&queues.queue, &queues.dead_letters] {
        Client::new(sdk)
            .delete_queue()
            .queue_url(queue.url())
            .send()
            .await
            .expect("remove the queue");
    }
}

pub(crate) async fn is_a_queue_of_messages(place: Place) {
    tested(&place, Duration::from_secs(60), 9, async |place, queues| {
        conformance::queue(&Timed {
            queue: &queues.queue,
            place,
        })
        .await;
    })
    .await;
}

pub(crate) async fn puts_what_was_received_too_often_among_the_dead_letters(place: Place) {
    let visibility = Duration::from_secs(1);
    tested(&place, visibility, 2, async |place, queues| {
        let (queue, dead) = (
            Timed {
                queue: &queues.queue,
                place,
            },
            Timed {
                queue: &queues.dead_letters,
                place,
            },
        );
        queue
            .port()
            .send(&Tenant::default(), "poison".into(), Duration::ZERO, None)
            .await
            .expect("send");
        for count in 1..=2 {
            assert_eq!(one(&queue).await.receive_count, count);
            place.pass(visibility + Duration::from_secs(1)).await;
        }
        none(&queue).await;
        assert_eq!(one(&dead).await.body, "poison");
    })
    .await;
}
