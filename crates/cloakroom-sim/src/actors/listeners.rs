//! Simulated functions that notify the listeners of jobs.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::{Deliver, Publisher};
use tokio::time::sleep;

use super::delete_done;
use crate::Mutation;
use crate::port::{Process, ProcessQueue};
use crate::world::{Lane, VISIBILITY, World};

/// Number of records in a batch of the stream.
const BATCH: usize = 5;

/// Runs the publisher through all lives of its process. It reads the table's stream.
pub(crate) async fn publisher(world: Arc<World>) {
    for life in 0.. {
        let process = Process::start(&world, "publisher", life);
        let publisher = Publisher {
            host: process.clone(),
            deliveries: process.clone(),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Deliveries)),
            bus: None,
            base_path: String::new(),
        };
        let work = async {
            loop {
                world.changed().await;
                sleep(Duration::from_secs(1)).await;
                let batch: Vec<_> = world.state().changes.iter().take(BATCH).cloned().collect();
                let mut done = 0;
                for job in &batch {
                    let forgetful = world.plan.mutation == Some(Mutation::ForgetAChange);
                    if publisher.publish(job).await.is_err() && !forgetful {
                        // The stream delivers this record and all later ones again.
                        break;
                    }
                    done += 1;
                }
                world.state().changes.drain(..done);
            }
        };
        process.live(work).await;
        sleep(Duration::from_secs(5)).await;
    }
}

/// Runs the function that delivers events through all lives of its process.
pub(crate) async fn deliver(world: Arc<World>) {
    for life in 0.. {
        let process = Process::start(&world, "deliver", life);
        let deliver = Deliver {
            host: process.clone(),
            deliveries: process.clone(),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Deliveries)),
            webhooks: process.clone(),
            replies: process.clone(),
            keys: process.clone(),
            objects: process.clone(),
        };
        let work = async {
            loop {
                let batch = world.receive(Lane::Deliveries, 10, VISIBILITY).await;
                let dispositions = deliver.handle_batch(&batch).await;
                delete_done(&process, Lane::Deliveries, &batch, &dispositions).await;
            }
        };
        process.live(work).await;
        sleep(Duration::from_secs(5)).await;
    }
}
