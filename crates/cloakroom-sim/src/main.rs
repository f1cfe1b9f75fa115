//! `simulate`: runs seeds, replays one, or verifies that the invariants detect all mutations.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use cloakroom_sim::run::Summary;
use cloakroom_sim::shrink::shrink;
use cloakroom_sim::{Mutation, Plan, many, one};

/// Deterministic simulation of Cloakroom's use cases.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run seeds on all cores. The first failing seed is reduced to a short story
    Simulate {
        /// Number of seeds
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
        /// First seed
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Mutate the code in this way
        #[arg(long, value_parser = mutation)]
        mutation: Option<Mutation>,
    },
    /// Run one seed, and print its whole story
    Replay {
        /// Number of the seed
        seed: u64,
        /// Mutate the code in this way
        #[arg(long, value_parser = mutation)]
        mutation: Option<Mutation>,
    },
    /// Mutate the code in every known way, and print how many seeds it takes to detect each mutation
    Mutations {
        /// Maximum number of seeds
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
    },
}

fn mutation(text: &str) -> Result<Mutation, String> {
    let all = || {
        Mutation::ALL
            .iter()
            .map(|it| it.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    Mutation::ALL
        .iter()
        .find(|it| it.as_str() == text)
        .copied()
        .ok_or_else(|| format!("want one of {}", all()))
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Simulate {
            seeds,
            from,
            mutation,
        } => simulate(from, seeds, mutation),
        Command::Replay { seed, mutation } => {
            let outcome = one(Plan {
                mutation,
                tell: true,
                ..Plan::from_seed(seed)
            });
            outcome.story.iter().for_each(|line| println!("{line}"));
            told(outcome.violation.as_deref())
        }
        Command::Mutations { seeds } => mutations(seeds),
    }
}

fn simulate(from: u64, seeds: u64, mutation: Option<Mutation>) -> ExitCode {
    let begun = Instant::now();
    let summary = many(from, seeds, mutation);
    print_summary(&summary, begun);
    let Some((seed, _)) = summary.failed else {
        return ExitCode::SUCCESS;
    };
    let shrunk = shrink(&one(Plan {
        mutation,
        ..Plan::from_seed(seed)
    }));
    shrunk.story.iter().for_each(|line| println!("{line}"));
    println!(
        "seed {seed}, of whose troubles {} were taken away",
        shrunk.plan.spared.len()
    );
    told(shrunk.violation.as_deref())
}

fn print_summary(summary: &Summary, begun: Instant) {
    let Summary {
        seeds,
        calls,
        counts,
        ..
    } = summary;
    println!(
        "{seeds} schedules, {calls} calls, {} jobs ({} of uploads, {} events heard), {} attempts ({} deferred), {} effects, {} ended, {} abandoned, {} lapsed, \
         {} redriven, in {:.1} s",
        counts.jobs,
        counts.uploaded,
        counts.heard,
        counts.attempts,
        counts.deferred,
        counts.effects,
        counts.ended,
        counts.abandoned,
        counts.lapsed,
        counts.redriven,
        begun.elapsed().as_secs_f64()
    );
}

fn told(violation: Option<&str>) -> ExitCode {
    match violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("broken: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn mutations(seeds: u64) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for mutation in Mutation::ALL {
        let summary = many(0, seeds, Some(*mutation));
        match summary.failed {
            Some((seed, violation)) => {
                println!("{:<28} seed {seed}: {violation}", mutation.as_str());
            }
            None => {
                println!("{:<28} not found out in {seeds} seeds", mutation.as_str());
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
