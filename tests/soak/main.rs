//! Runs many jobs on an emulator on this machine. Meanwhile, the processes of the functions are killed, and the
//! services are throttled, slow, disconnected, and duplicate messages. At the end, the responses to clients are
//! compared with the effects.
//!
//! `localstack/soak` starts the emulator, runs this program, and stops the emulator. The seed determines the commands
//! and the faults, but not their timing, which differs between runs.

mod client;
mod plan;
mod processes;
mod proxy;
mod report;
mod stack;
mod troubles;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_tests::{Target, root};
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use client::Site;
use plan::Plan;
use report::Report;
use stack::Stack;
use troubles::Troubles;

/// Directory of the handlers' ledgers: one directory per emulator, beside its logs.
const LEDGERS: &str = "localstack/.run";

/// Soak test of a deployment on an emulator of this machine.
#[derive(Debug, Parser)]
#[command(args_override_self = true)]
struct Arguments {
    /// Number of jobs. Without it, the program does nothing, so that regular test runs skip it
    #[arg(long)]
    jobs: Option<u64>,
    /// Seed of the commands and the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of concurrent clients
    #[arg(long, default_value_t = 60)]
    clients: usize,
    /// Average number of accepted jobs between two kills of a process
    #[arg(long, default_value_t = 15)]
    kill_every: u64,
    /// Number of clients per thousand that abandon a submission without a response
    #[arg(long, default_value_t = 0)]
    give_up: u64,
    /// Visibility timeout of the queue, in seconds
    #[arg(long, default_value_t = 10)]
    visibility: u32,
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is what the program says to whoever runs it"
)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let target = match (arguments.jobs, Target::from_deployment_env()) {
        (None, _) => {
            println!("left out: the soak is run by localstack/soak");
            return ExitCode::SUCCESS;
        }
        (Some(_), Ok(target @ (Target::LocalStack | Target::MiniStack))) => target,
        (Some(_), Ok(target)) => {
            eprintln!(
                "the soak kills the functions' processes, and {target} has none on this machine"
            );
            return ExitCode::FAILURE;
        }
        (Some(_), Err(error)) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let report = soak(&arguments, target).await;
    println!("{report}");
    if report.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn soak(arguments: &Arguments, target: Target) -> Report {
    let jobs = arguments.jobs.unwrap_or_default();
    let stack = Stack::find().await;
    let troubles = Arc::new(Troubles::new(arguments.seed));
    let proxy = proxy::start(&stack.endpoint, Arc::clone(&troubles)).await;
    // Each run starts with an empty ledger.
    let ledger = root()
        .canonicalize()
        .expect("a path")
        .join(LEDGERS)
        .join(target.to_string())
        .join("ledger");
    std::fs::write(&ledger, "").expect("the ledger can be written");
    let undo = stack.hand_over(&proxy, &ledger, arguments.visibility).await;

    let (till, deadline) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let site = Site::new(&stack.url.replace(&stack.endpoint, &proxy), deadline);
    let (counts, bound, before) = (
        Arc::clone(&site.counts),
        stack.bound(arguments.visibility),
        stack.records().await,
    );
    troubles.begin();
    let begun = Instant::now();
    let killing = processes::kill(
        proxy.clone(),
        arguments.seed,
        arguments.kill_every,
        counts.accepted(),
        stopped,
    );
    let killing = tokio::spawn(killing);
    let plans = (0..jobs).map(|n| Plan::from_seed(arguments.seed, n, arguments.give_up));
    let stories = futures::stream::iter(plans)
        .map(|plan| client::play(&site, plan))
        .buffer_unordered(arguments.clients);
    let calm = async {
        counts.submitted(jobs).await;
        // The last accepted jobs must also experience faults.
        sleep(Duration::from_secs(5)).await;
        stop.send_replace(true);
        let killed = killing.await.expect("nothing stops it but us");
        troubles.end();
        till.send_replace(Some(Instant::now() + bound));
        (killed, begun.elapsed(), SystemHost.now())
    };
    let (stories, (kills, trouble_time, calm)) = tokio::join!(stories.collect::<Vec<_>>(), calm);
    let verdict = verdict::of(&site, &stack, stories, before, &ledger).await;
    stack.take_back(undo).await;
    Report {
        target,
        jobs,
        seed: arguments.seed,
        counts,
        troubles: troubles.counts(),
        kills,
        trouble_time,
        calm,
        bound,
        figures: verdict.figures,
        violations: verdict.violations,
    }
}
