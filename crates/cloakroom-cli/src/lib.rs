//! The program of a service, and the installed program `cloakroom`.
//!
//! - [`main()`] is the program of a service: `dev` runs the service on this machine, `localstack` deploys it to an emulator, and
//!   the other subcommands call a service anywhere. It needs the feature `dev`.
//! - [`installed`] is a program without a service: `new` creates a project.
//!
//! `doctor`, `redrive` and `explain --stack` call AWS to examine a deployment. They need the feature `deployments`, which adds
//! one more client of the SDK. A build for development omits it.

mod args;
mod cancel;
mod completions;
mod content;
mod cost;
mod deliveries;
#[cfg(feature = "dev")]
mod dev;
#[cfg(feature = "deployments")]
mod doctor;
mod environment;
mod exit;
mod explain;
mod files;
mod find;
mod left_out;
mod link;
mod localstack;
mod new;
mod redeliver;
#[cfg(feature = "deployments")]
mod redrive;
mod result;
mod service;
mod show;
mod signals;
mod stack;
mod submit;
mod target;
mod unfinished;
mod watch;
mod webhook_secret;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::CommandFactory as _;
use cloakroom_app::Registry;
use exit::{Exit, Failure};
use service::Service;
use signals::Signals;

/// Runs the program of a service with these commands.
///
/// It is the whole `main` of a service:
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     cloakroom_cli::main(cloakroom_app::Registry::new(vec![]))
/// }
/// ```
#[cfg(feature = "dev")]
pub fn main(commands: Registry) -> ExitCode {
    program(Some(commands))
}

/// Runs the program without a service: it creates projects, and calls other services.
pub fn installed() -> ExitCode {
    program(None)
}

fn program(commands: Option<Registry>) -> ExitCode {
    environment::drop_empty_variables();
    let cli = match Cli::read(commands.is_some()) {
        Ok(cli) => cli,
        Err(shown) => return shown.into(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            show::note(&format!("error: failed to start: {error}"));
            return Exit::Usage.into();
        }
    };
    let exit = runtime.block_on(start(cli, commands));
    // A thread that computes or waits for input must not delay the end.
    runtime.shutdown_background();
    exit
}

/// Runs a command until it ends or a signal requests the end. `dev` handles signals itself.
async fn start(cli: Cli, commands: Option<Registry>) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            return failed(&Failure::usage(format!(
                "failed to listen for signals: {error}"
            )));
        }
    };
    let outcome = match (cli.command.unwrap_or_default(), commands) {
        #[cfg(feature = "dev")]
        (Command::Dev(args), Some(commands)) => dev::run(args, commands, signals)
            .await
            .map(|()| Exit::Success)
            .map_err(Failure::usage),
        (Command::Dev(_), _) => Err(left_out::dev()),
        (command, commands) => {
            let commands = commands.unwrap_or_default();
            let running = Box::pin(run(command, &cli.service, &commands));
            match signals::run_until_signal(running, &mut signals).await {
                Ok(outcome) => outcome,
                Err(signal) => return signal.into(),
            }
        }
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    // One line, even if a service wrote the text.
    show::note(&show::printable(&format!("error: {}", failure.message)));
    failure.exit.into()
}

async fn run(command: Command, service: &Service, commands: &Registry) -> Result<Exit, Failure> {
    match command {
        Command::Dev(_) => unreachable!("`start` runs it"),
        Command::Submit(args) => submit::run(args, service).await,
        Command::Watch(args) => watch::run(args, service).await,
        Command::Result(args) => result::run(args, service).await,
        Command::Cancel(args) => cancel::run(args, service).await,
        Command::Find(args) => find::run(args, service).await,
        Command::Explain(args) => explain::run(args, service).await,
        Command::Link(args) => link::run(args, service).await,
        Command::Deliveries(args) => deliveries::run(args, service).await,
        Command::Redeliver(args) => redeliver::run(args, service).await,
        #[cfg(feature = "deployments")]
        Command::Redrive(args) => redrive::run(args).await,
        #[cfg(feature = "deployments")]
        Command::Doctor(args) => doctor::run(args, commands).await,
        #[cfg(not(feature = "deployments"))]
        Command::Redrive(_) | Command::Doctor(_) => {
            let _ = commands;
            Err(left_out::deployments())
        }
        Command::WebhookSecret(args) => webhook_secret::run(args).await,
        Command::Cost(args) => cost::run(&args),
        Command::New(args) => new::run(&args),
        Command::Localstack(args) => localstack::run(args).await,
        Command::Completions(args) => completions::run(&args, Cli::command()),
    }
}
