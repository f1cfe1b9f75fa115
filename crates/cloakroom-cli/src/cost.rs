//! `cloakroom cost`: an estimate of a month's AWS bill, by the model of `cloakroom-cost`.

mod crossover;
mod listeners;
mod page;
mod read;
mod ways;

use std::time::Duration;

use clap::ValueEnum;
use cloakroom_app::command::BODY_LIMIT;
use cloakroom_app::submit::INLINE_LIMIT;
use cloakroom_cost::{Api, Architecture, Encoding, Workload};

use crate::exit::{Exit, Failure};
use crate::show;

/// The defaults are those of the template, and of a small job.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Jobs in a month, such as 5e6, 5M or `5_000_000`
    #[arg(long, value_name = "N", default_value = "1M", allow_hyphen_values = true, value_parser = read::jobs)]
    jobs: f64,
    /// Size of a payload, such as 512, 40KiB or 1MB
    #[arg(long, value_name = "SIZE", default_value = "1KiB", allow_hyphen_values = true, value_parser = read::payload)]
    payload: u64,
    /// Encoding in a message: JSON and other text unchanged, binary in Base64
    #[arg(long, value_name = "KIND", default_value = "text")]
    payload_kind: Kind,
    /// Size of a result; 0 for none
    #[arg(long, value_name = "SIZE", default_value = "1KiB", allow_hyphen_values = true, value_parser = read::result)]
    result: u64,
    /// Average number of requests for a job or its result
    #[arg(long, value_name = "N", default_value = "2", allow_hyphen_values = true, value_parser = read::polls)]
    polls: f64,
    /// Average time that the service holds a poll (Prefer: wait)
    #[arg(long, value_name = "TIME", default_value = "0s", allow_hyphen_values = true, value_parser = read::wait)]
    wait: Duration,
    #[command(flatten)]
    listeners: listeners::ListenerArgs,
    /// Duration of an attempt, such as 800ms, 2s or 1m
    #[arg(long, value_name = "TIME", default_value = "1s", allow_hyphen_values = true, value_parser = read::duration)]
    duration: Duration,
    /// Average number of attempts of a job
    #[arg(long, value_name = "N", default_value = "1", allow_hyphen_values = true, value_parser = read::attempts)]
    attempts: f64,
    /// Number of progress reports in an attempt
    #[arg(long, value_name = "N", default_value = "0", allow_hyphen_values = true, value_parser = read::progress)]
    progress: u32,
    /// Average number of jobs in a batch of the worker: more than 1 only if jobs arrive faster than they are received
    #[arg(long, value_name = "N", default_value = "1", allow_hyphen_values = true, value_parser = read::batch)]
    batch: f64,
    /// Memory of the worker, in MB
    #[arg(long, value_name = "MB", default_value = "1024", allow_hyphen_values = true, value_parser = read::memory)]
    memory: u32,
    /// Memory of the functions that serve HTTP, in MB
    #[arg(long, value_name = "MB", default_value = "256", allow_hyphen_values = true, value_parser = read::memory)]
    http_memory: u32,
    /// Duration of a request in these functions: an assumption
    #[arg(long, value_name = "TIME", default_value = "20ms", allow_hyphen_values = true, value_parser = read::duration)]
    http_duration: Duration,
    /// Duration of a lease, which is renewed at every third of it
    #[arg(long, value_name = "TIME", default_value = "30s", allow_hyphen_values = true, value_parser = read::lease)]
    lease: Duration,
    /// Log of an invocation, including Lambda's own lines: an assumption
    #[arg(long, value_name = "SIZE", default_value = "1KiB", allow_hyphen_values = true, value_parser = read::log)]
    log: u64,
    /// Kind of the API; the template has a REST API
    #[arg(long, value_name = "KIND", default_value = "rest")]
    api: Gateway,
    /// Processor of the functions
    #[arg(long, value_name = "NAME", default_value = "arm64")]
    architecture: Processor,
    /// Print the size from which a payload is cheaper in the bucket than in its message, instead of a bill
    #[arg(long, conflicts_with = "ways")]
    crossover: bool,
    /// Print the cost of each way to wait for the end of these jobs, instead of a bill
    #[arg(long)]
    ways: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Text,
    Binary,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Gateway {
    Rest,
    Http,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Processor {
    Arm64,
    #[value(name = "x86_64")]
    X86,
}

impl Args {
    fn workload(&self) -> Workload {
        Workload {
            jobs: self.jobs,
            payload: self.payload,
            encoding: match self.payload_kind {
                Kind::Text => Encoding::Text,
                Kind::Binary => Encoding::Base64,
            },
            result: self.result,
            polls: self.polls,
            wait: self.wait,
            listeners: self.listeners.listeners(),
            attempts: self.attempts,
            duration: self.duration,
            progress: self.progress,
            batch: self.batch,
            api: match self.api {
                Gateway::Rest => Api::Rest,
                Gateway::Http => Api::Http,
            },
            architecture: match self.architecture {
                Processor::Arm64 => Architecture::Arm64,
                Processor::X86 => Architecture::X86,
            },
            worker_memory: self.memory,
            http_memory: self.http_memory,
            http_duration: self.http_duration,
            lease: self.lease,
            log: self.log,
            inline_limit: INLINE_LIMIT as u64,
            body_limit: BODY_LIMIT,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.crossover {
        let text = if args.json {
            format!("{}\n", crossover::document())
        } else {
            crossover::page()
        };
        show::write(text.as_bytes())?;
        return Ok(Exit::Success);
    }
    let workload = args.workload();
    if args.ways {
        let text = if args.json {
            format!("{}\n", ways::document(&workload))
        } else {
            ways::page(&workload)
        };
        show::write(text.as_bytes())?;
        return Ok(Exit::Success);
    }
    let (bill, levers) = (workload.bill(), workload.levers());
    if args.json {
        show::line(&page::document(&bill, &levers).to_string())?;
    } else {
        show::write(page::page(&bill, &levers).as_bytes())?;
    }
    Ok(Exit::Success)
}
