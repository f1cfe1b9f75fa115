//! `cloakroom`: the program. `dev` runs everything on one machine; the rest talks to a service, here or anywhere.

mod args;
mod cancel;
mod completions;
mod content;
mod cost;
mod dev;
mod doctor;
mod environment;
mod exit;
mod explain;
mod find;
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

use std::process::ExitCode;

use args::{Cli, Command};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    environment::drop_empty_variables();
    match Cli::read() {
        Ok(cli) => start(cli),
        Err(shown) => shown.into(),
    }
}

#[tokio::main]
async fn start(cli: Cli) -> ExitCode {
    match run(cli).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // One line, also where a service wrote the text.
            show::note(&show::printable(&format!("error: {}", failure.message)));
            failure.exit.into()
        }
    }
}

async fn run(Cli { service, command }: Cli) -> Result<Exit, Failure> {
    match command.unwrap_or_else(Command::unsaid) {
        Command::Dev(args) => dev::run(args).await.map(|()| Exit::Success).map_err(Failure::usage),
        Command::Submit(args) => submit::run(args, &service).await,
        Command::Watch(args) => watch::run(args, &service).await,
        Command::Result(args) => result::run(args, &service).await,
        Command::Cancel(args) => cancel::run(args, &service).await,
        Command::Find(args) => find::run(args, &service).await,
        Command::Explain(args) => explain::run(args, &service).await,
        Command::Redrive(args) => redrive::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Cost(args) => cost::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
