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

/// By when every job has ended, counted from the last trouble: a job that was put off for half an hour may begin then; its
/// attempts take their times; and if its message is gone by then, the sweeper waits for a cycle, an outage and its slack.
pub const BOUND: Duration =
    Duration::from_secs(2000 + 900 + CYCLE.as_secs() + OUTAGE.as_secs() + SLACK.as_secs() + 120);

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// The first broken invariant.
    pub violation: Option<String>,
    /// What happened, line by line, if it was to be told.
    pub story: Vec<String>,
    /// How many calls of ports there were.
    pub calls: u64,
    /// How much happened.
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
        // The trouble ends at its time; what goes on then is given the time that is published.
        sleep(plan.calm_from().saturating_sub(world.age()) + BOUND).await;
        world.state().watch.all_ended(BOUND);
        let jobs: Vec<_> = world.state().jobs.values().cloned().collect();
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

/// What came of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How many were run.
    pub seeds: u64,
    /// How many calls of ports there were.
    pub calls: u64,
    /// How much happened.
    pub counts: Counts,
    /// The lowest seed that broke an invariant, with which one.
    pub failed: Option<(u64, String)>,
}

/// Runs seeds from `from` on, on all cores, until one fails.
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
