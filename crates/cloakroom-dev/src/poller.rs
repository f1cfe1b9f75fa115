//! Receives messages and passes them to the worker, as a replacement for Lambda's event source mapping.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::delivery::{Delivery, Disposition};
use cloakroom_app::{DeadLetters, Deliver, Worker};
use cloakroom_aws::SqsQueue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Maximum number of messages per receive.
const BATCH: usize = 10;

/// Duration of a long poll for messages.
const WAIT: Duration = Duration::from_secs(20);

/// Number of deliveries at the same time.
const DELIVERIES: usize = 64;

/// Only the command's own timeout ends a handler here.
const NO_END: Duration = Duration::from_secs(24 * 3600);

/// Processes the queue until the future is dropped, with up to `workers` concurrent jobs, which are dropped with it.
pub(crate) async fn work(queue: Arc<SqsQueue>, worker: Worker, workers: u16) {
    let places = Arc::new(Semaphore::new(usize::from(workers)));
    let mut running = JoinSet::new();
    loop {
        let mut permits = vec![
            Arc::clone(&places)
                .acquire_owned()
                .await
                .expect("it is never closed"),
        ];
        permits.extend(
            std::iter::from_fn(|| Arc::clone(&places).try_acquire_owned().ok()).take(BATCH - 1),
        );
        let max = u8::try_from(permits.len()).expect("at most ten");
        match queue.receive(max, WAIT).await {
            Ok(deliveries) => {
                for (delivery, permit) in deliveries.into_iter().zip(permits) {
                    running.spawn(handle(Arc::clone(&queue), worker.clone(), delivery, permit));
                }
                while running.try_join_next().is_some() {}
            }
            Err(error) => {
                tracing::error!(%error, "failed to receive messages");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Ends the jobs of dead letters until the future is dropped.
pub(crate) async fn bury(queue: Arc<SqsQueue>, dead_letters: DeadLetters) {
    let most = u8::try_from(BATCH).expect("ten");
    loop {
        let letters = match queue.receive(most, WAIT).await {
            Ok(letters) => letters,
            Err(error) => {
                tracing::error!(%error, "failed to receive dead letters");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let dispositions = dead_letters.handle_batch(&letters).await;
        for (letter, _) in letters
            .iter()
            .zip(dispositions)
            .filter(|(_, end)| *end == Disposition::Done)
        {
            delete(&queue, letter).await;
        }
    }
}

/// Delivers events until the future is dropped. Slow receivers delay no others, up to the number of places.
pub(crate) async fn deliver(queue: Arc<SqsQueue>, deliver: Deliver) {
    let places = Arc::new(Semaphore::new(DELIVERIES));
    let mut running = JoinSet::new();
    loop {
        let first = Arc::clone(&places).acquire_owned().await;
        let mut permits = vec![first.expect("it is never closed")];
        permits.extend(
            std::iter::from_fn(|| Arc::clone(&places).try_acquire_owned().ok()).take(BATCH - 1),
        );
        let max = u8::try_from(permits.len()).expect("at most ten");
        match queue.receive(max, WAIT).await {
            Ok(deliveries) => {
                for (delivery, permit) in deliveries.into_iter().zip(permits) {
                    let (queue, deliver) = (Arc::clone(&queue), deliver.clone());
                    running.spawn(async move {
                        if deliver.handle(&delivery).await == Disposition::Done {
                            delete(&queue, &delivery).await;
                        }
                        drop(permit);
                    });
                }
                while running.try_join_next().is_some() {}
            }
            Err(error) => {
                tracing::error!(%error, "failed to receive deliveries");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn handle(
    queue: Arc<SqsQueue>,
    worker: Worker,
    delivery: Delivery,
    _place: OwnedSemaphorePermit,
) {
    let ends_at = worker.shared.host.now().after(NO_END);
    if worker.handle(&delivery, ends_at).await == Disposition::Done {
        delete(&queue, &delivery).await;
    }
}

async fn delete(queue: &SqsQueue, delivery: &Delivery) {
    if let Err(error) = queue.delete(&delivery.receipt).await {
        // The message becomes visible again, finds its job ended, and is deleted then.
        tracing::warn!(%error, "failed to delete a message");
    }
}
