//! The command line. Each subcommand's arguments stand in its own file.

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use cloakroom_client::redact;

#[cfg(feature = "dev")]
use crate::dev;
use crate::exit::Exit;
#[cfg(not(feature = "deployments"))]
use crate::left_out as doctor;
#[cfg(not(feature = "dev"))]
use crate::left_out as dev;
#[cfg(not(feature = "deployments"))]
use crate::left_out as redrive;
use crate::service::Service;
use crate::{
    cancel, completions, cost, exit, explain, find, localstack, new, result, show, submit, watch,
};
#[cfg(feature = "deployments")]
use crate::{doctor, redrive};

/// Accept work now, do it later
#[derive(Debug, Parser)]
#[command(name = "cloakroom", version, after_help = exit::help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a project, in which a service is written
    New(new::Args),
    /// Run the whole service on this machine; what runs without a command
    Dev(dev::Args),
    /// Deploy the service to LocalStack on this machine, or end it
    Localstack(localstack::Args),
    /// Submit a command, and print its job's id
    #[command(after_help = exit::help())]
    Submit(submit::Args),
    /// Follow a job until it is over
    #[command(after_help = exit::help())]
    Watch(watch::Args),
    /// Get a job's result
    #[command(after_help = exit::help())]
    Result(result::Args),
    /// Ask a job to stop, and print where it stands
    #[command(after_help = exit::help())]
    Cancel(cancel::Args),
    /// Find a job by its idempotency key, and print its id
    #[command(after_help = exit::help())]
    Find(find::Args),
    /// Tell what happened to a job, and why it ended as it did
    #[command(after_help = exit::help())]
    Explain(explain::Args),
    /// List the dead letters of a deployment on AWS, or send chosen ones back to work
    #[command(after_help = exit::help())]
    Redrive(redrive::Args),
    /// Examine a deployment on AWS: what is wrong with it, why it matters, and the command that mends it
    #[command(after_help = exit::help())]
    Doctor(doctor::Args),
    /// Reckon what a month of jobs costs on AWS, and what would lower it
    #[command(after_help = exit::help())]
    Cost(cost::Args),
    /// Print the completions of a shell
    Completions(completions::Args),
}

impl Cli {
    /// Reads the command line of a program with or without a service. Help and errors are shown here; then the exit code is the
    /// result.
    pub(crate) fn read(has_service: bool) -> Result<Self, Exit> {
        let read = |shown: clap::Error| {
            if !shown.use_stderr() {
                // A reader that has gone away does not need help.
                let _ = shown.print();
                return Exit::Success;
            }
            show::note(
                without_secrets(shown.render().to_string(), std::env::args().skip(1)).trim_end(),
            );
            Exit::Usage
        };
        let matches = program(has_service).try_get_matches().map_err(read)?;
        Self::from_arg_matches(&matches).map_err(read)
    }
}

/// Returns the command line of a program with or without a service: each hides what the other is for.
fn program(has_service: bool) -> clap::Command {
    let hide = |command: clap::Command| command.hide(true);
    if has_service {
        return Cli::command().mut_subcommand("new", hide);
    }
    Cli::command()
        .mut_subcommand("dev", hide)
        .mut_subcommand("localstack", hide)
        .subcommand_required(true)
        .arg_required_else_help(true)
}

/// Removes credentials from clap's message, which repeats arguments that it does not expect: a URL in the wrong place.
fn without_secrets(mut message: String, args: impl Iterator<Item = String>) -> String {
    for arg in args.filter(|arg| arg.contains('@')) {
        let value = arg.split_once('=').map_or("", |(_, value)| value);
        for repeated in [arg.as_str(), value]
            .into_iter()
            .filter(|repeated| repeated.contains('@'))
        {
            message = message.replace(repeated, &redact::url(repeated));
        }
    }
    message
}

impl Default for Command {
    /// Returns `dev`, which runs when no command is given.
    fn default() -> Self {
        Cli::parse_from(["cloakroom", "dev"])
            .command
            .expect("a command was given")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        program(true).debug_assert();
        program(false).debug_assert();
    }

    #[test]
    fn without_a_command_everything_runs_here() {
        let cli = Cli::try_parse_from(["cloakroom"]).expect("no argument is needed");
        assert!(cli.command.is_none());
        assert!(matches!(Command::default(), Command::Dev(_)));
    }

    #[test]
    fn parameters_are_pairs_and_keep_their_order() {
        let line = [
            "cloakroom",
            "submit",
            "thumbnail.create",
            "-",
            "--query",
            "width=1",
            "-q",
            "note=a=b",
        ];
        let Some(Command::Submit(args)) =
            Cli::try_parse_from(line).expect("a command line").command
        else {
            panic!("want submit")
        };
        assert_eq!(
            args.query,
            [
                ("width".to_owned(), "1".to_owned()),
                ("note".to_owned(), "a=b".to_owned())
            ]
        );
        assert!(Cli::try_parse_from(["cloakroom", "submit", "x", "--query", "width"]).is_err());
    }
}
