//! Simulated functions that process and end jobs, in processes that crash and restart; and operators.

mod listeners;

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::delivery::{Delivery, Disposition};
use cloakroom_app::sweep::Rounds;
use cloakroom_app::work::{Handlers, WorkerSettings};
use cloakroom_app::{Admission, DeadLetters, Host as _, Redrive, Sweeper, Worker};
use tokio::time::{sleep, timeout};

pub(crate) use listeners::{deliver, publisher};

use crate::Mutation;
use crate::handler::registry;
use crate::plan::Dice;
use crate::port::{Process, ProcessQueue, shared};
use crate::world::{Lane, VISIBILITY, World};

/// Timeout of a worker's function.
const FUNCTION: Duration = Duration::from_secs(30);

/// Duration of a lease.
const LEASE: Duration = Duration::from_secs(9);

/// Runs a worker through all lives of its process.
pub(crate) async fn worker(world: Arc<World>, name: String) {
    let early = world.plan.mutation == Some(Mutation::AckBeforeFinish);
    let hasty = world.plan.mutation == Some(Mutation::AckARetry);
    for life in 0.. {
        let process = Process::start(&world, name.clone(), life);
        let worker = Worker {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
            objects: process.clone(),
            commands: Handlers::new(registry(&process)),
            settings: WorkerSettings {
                lease: LEASE,
                ..WorkerSettings::default()
            },
            admission: Admission::unlimited(),
            intake: None,
        };
        let work = async {
            loop {
                let batch = world.receive(Lane::Commands, 3, VISIBILITY).await;
                let ends_at = process.now().after(FUNCTION);
                for delivery in batch.iter().filter(|_| early) {
                    process.delete(Lane::Commands, &delivery.receipt).await;
                }
                // At the function's timeout, its process ends with everything that still runs.
                let Ok(dispositions) =
                    timeout(FUNCTION, worker.handle_batch(&batch, ends_at)).await
                else {
                    return;
                };
                for (delivery, disposition) in batch.iter().zip(dispositions) {
                    if disposition == Disposition::Done || hasty {
                        process.delete(Lane::Commands, &delivery.receipt).await;
                    }
                }
            }
        };
        process.live(work).await;
        process.die();
        world.tell(|| format!("{name} died"));
        sleep(Duration::from_secs(2)).await;
    }
}

/// Deletes the finished messages of a batch, like Lambda's event source mapping.
async fn delete_done(
    process: &Process,
    lane: Lane,
    batch: &[Delivery],
    dispositions: &[Disposition],
) {
    for (delivery, _) in batch
        .iter()
        .zip(dispositions)
        .filter(|(_, end)| **end == Disposition::Done)
    {
        process.delete(lane, &delivery.receipt).await;
    }
}

/// Runs the function for dead letters through all lives of its process.
pub(crate) async fn dead_letters(world: Arc<World>) {
    for life in 0.. {
        let process = Process::start(&world, "dead-letters", life);
        let dead_letters = DeadLetters {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::DeadLetters)),
            dead_letters: process.clone(),
        };
        let work = async {
            loop {
                let batch = world.receive(Lane::DeadLetters, 10, VISIBILITY).await;
                let dispositions = dead_letters.handle_batch(&batch).await;
                delete_done(&process, Lane::DeadLetters, &batch, &dispositions).await;
            }
        };
        process.live(work).await;
        sleep(Duration::from_secs(5)).await;
    }
}

/// Runs the sweeper's function through all lives of its process. It reads the table's stream and its own lists.
pub(crate) async fn sweeper(world: Arc<World>) {
    for life in 0.. {
        let process = Process::start(&world, "sweeper", life);
        let lists = Arc::new(ProcessQueue(process.clone(), Lane::Lists));
        let sweeper = Sweeper {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
        };
        let rounds = Rounds { sweeper, lists };
        let stream = async {
            loop {
                sleep(Duration::from_secs(60)).await;
                let accepted: Vec<_> = world.state().stream.iter().cloned().collect();
                // A failed batch is delivered again.
                if !accepted.is_empty() && rounds.begin(&accepted).await.is_ok() {
                    world.state().stream.drain(..accepted.len());
                }
            }
        };
        let again = async {
            loop {
                let batch = world
                    .receive(Lane::Lists, 1, Duration::from_secs(360))
                    .await;
                let dispositions = rounds.resume(&batch).await;
                delete_done(&process, Lane::Lists, &batch, &dispositions).await;
            }
        };
        process.live(async { tokio::join!(stream, again) }).await;
        sleep(Duration::from_secs(5)).await;
    }
}

/// Simulates an operator who redrives dead letters during faults.
pub(crate) async fn redriver(world: Arc<World>) {
    let mut dice = Dice::new(world.plan.seed, 8);
    for life in 0.. {
        sleep(dice.millis(60_000, 1_800_000)).await;
        if world.rate() == 0 {
            return;
        }
        let process = Process::start(&world, "redrive", life);
        let redrive = Redrive {
            shared: shared(&process),
            queue: Arc::new(ProcessQueue(process.clone(), Lane::Commands)),
            dead_letters: process.clone(),
        };
        let work = async {
            for letter in redrive.list(None, None).await.unwrap_or_default() {
                if dice.chance(500) && redrive.send(&letter).await.is_err() {
                    return;
                }
            }
        };
        process.live(work).await;
    }
}

/// Simulates an operator who purges the queue, in some runs.
pub(crate) async fn purger(world: Arc<World>) {
    let mut dice = Dice::new(world.plan.seed, 6);
    let trouble = u64::try_from(world.plan.trouble().as_millis()).unwrap_or(0);
    while world.plan.rate() > 0 && dice.chance(200) {
        sleep(dice.millis(0, trouble)).await;
        if world.rate() == 0 {
            return;
        }
        world.tell(|| "an operator purges the queue".to_owned());
        world.state().purge(Lane::Commands);
    }
}

/// Deletes expired records and objects, like the table and the bucket.
pub(crate) async fn expiry(world: Arc<World>) {
    let life = registry(&Process::start(&world, "expiry", 0)).objects_life();
    loop {
        sleep(Duration::from_secs(600)).await;
        world.delete_expired(life);
    }
}
