//! Runs seeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_core::transition::{OUTAGE, SLACK};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::invariant::Counts;
use crate::plan::{Dice, Plan};
use crate::world::{CYCLE, World};
use crate::{Mutation, actors, clients};

/// Time after the last fault within which every job must end. A job that was delayed by half an hour may start then,
/// and its attempts take their times. If its message is lost, the sweeper waits for a cycle, an outage and its slack.
pub const BOUND: Duration =
    Duration::from_secs(2000 + 900 + CYCLE.as_secs() + OUTAGE.as_secs() + SLACK.as_secs() + 120);

/// Outcome of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// First violation of an invariant.
    pub violation: Option<String>,
    /// Events, line by line, if the story is recorded.
    pub story: Vec<String>,
    /// Number of calls to ports.
    pub calls: u64,
    /// Counts of events.
    pub counts: Counts,
}

/// Runs one plan.
pub fn one(plan: Plan) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime
        .expect("a runtime of one thread")
        .block_on(run(plan))
}

async fn run(plan: Plan) -> Outcome {
    let world = World::new(plan.clone());
    let mut dice = Dice::new(plan.seed, 4);
    let mut functions = JoinSet::new();
    for n in 0..=dice.below(2) {
        functions.spawn(actors::worker(Arc::clone(&world), format!("worker {n}")));
    }
    functions.spawn(actors::dead_letters(Arc::clone(&world)));
    functions.spawn(actors::expiry(Arc::clone(&world)));
    functions.spawn(actors::purger(Arc::clone(&world)));
    functions.spawn(actors::redriver(Arc::clone(&world)));
    if plan.listens() {
        functions.spawn(actors::publisher(Arc::clone(&world)));
        functions.spawn(actors::deliver(Arc::clone(&world)));
    }
    if plan.mutation.is_none_or(Mutation::sweeps) {
        functions.spawn(actors::sweeper(Arc::clone(&world)));
    }
    let mut clients = JoinSet::new();
    for n in 0..=dice.below(3) {
        clients.spawn(clients::client(Arc::clone(&world), n));
    }
    let whole = async {
        while let Some(done) = clients.join_next().await {
            done.expect("no client panics");
        }
        // Faults end at their time. After that, the run continues for the documented bound.
        sleep(plan.calm_from().saturating_sub(world.age()) + BOUND).await;
        world.state().watch.all_ended(BOUND);
        let jobs: Vec<_> = world.state().jobs.values().cloned().collect();
        world.state().watch.all_heard(&jobs);
        for job in &jobs {
            clients::check_objects(&world, job);
        }
    };
    tokio::select! { biased; () = world.broken() => {}, () = whole => {} }
    functions.abort_all();
    let state = world.state();
    let (violation, counts) = (state.watch.violation.clone(), state.watch.counts);
    drop(state);
    Outcome {
        plan,
        violation,
        story: world.story(),
        calls: world.calls(),
        counts,
    }
}

/// Outcome of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Number of seeds.
    pub seeds: u64,
    /// Number of calls to ports.
    pub calls: u64,
    /// Counts of events.
    pub counts: Counts,
    /// Lowest seed that violated an invariant, with the violation.
    pub failed: Option<(u64, String)>,
}

/// Runs seeds starting at `from` on all cores, until one fails.
pub fn many(from: u64, seeds: u64, mutation: Option<Mutation>) -> Summary {
    let (next, summary) = (AtomicU64::new(from), Mutex::new(Summary::default()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds
                        || summary.lock().expect("no run panics here").failed.is_some()
                    {
                        return;
                    }
                    let outcome = one(Plan {
                        mutation,
                        ..Plan::from_seed(seed)
                    });
                    summary.lock().expect("no run panics here").add(&outcome);
                }
            });
        }
    });
    summary.into_inner().expect("all runs are over")
}

impl Summary {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.calls += outcome.calls;
        let (all, one) = (&mut self.counts, outcome.counts);
        all.jobs += one.jobs;
        all.attempts += one.attempts;
        all.deferred += one.deferred;
        all.effects += one.effects;
        all.ended += one.ended;
        all.abandoned += one.abandoned;
        all.lapsed += one.lapsed;
        all.redriven += one.redriven;
        all.uploaded += one.uploaded;
        all.heard += one.heard;
        if let Some(violation) = &outcome.violation
            && self
                .failed
                .as_ref()
                .is_none_or(|(seed, _)| outcome.plan.seed < *seed)
        {
            self.failed = Some((outcome.plan.seed, violation.clone()));
        }
    }
}
