//! The command line. Each subcommand's arguments stand in its own file.

use clap::{Parser, Subcommand};
use cloakroom_client::redact;

use crate::exit::Exit;
#[cfg(not(feature = "deployments"))]
use crate::left_out as doctor;
#[cfg(not(feature = "deployments"))]
use crate::left_out as redrive;
use crate::service::Service;
use crate::{cancel, completions, cost, dev, exit, explain, find, result, show, submit, watch};
#[cfg(feature = "deployments")]
use crate::{doctor, redrive};

/// Accept work now, do it later.
///
/// Without a command: runs everything on this machine, as `dev` does.
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
    /// Run the whole service on this machine
    Dev(dev::Args),
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
    /// Reads the command line. Help and errors are shown here; then the exit code is the result.
    pub(crate) fn read() -> Result<Self, Exit> {
        Self::try_parse().map_err(|shown| {
            if !shown.use_stderr() {
                // A reader that has gone away does not need help.
                let _ = shown.print();
                return Exit::Success;
            }
            show::note(
                without_secrets(shown.render().to_string(), std::env::args().skip(1)).trim_end(),
            );
            Exit::Usage
        })
    }
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

impl Command {
    /// What runs when no command is given.
    pub(crate) fn unsaid() -> Self {
        Cli::parse_from(["cloakroom", "dev"])
            .command
            .expect("a command was given")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_everything_runs_here() {
        let cli = Cli::try_parse_from(["cloakroom"]).expect("no argument is needed");
        assert!(cli.command.is_none());
        assert!(matches!(Command::unsaid(), Command::Dev(_)));
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
