//! Command line. The arguments of each subcommand are in its own file.

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
    cancel, completions, cost, deliveries, exit, explain, find, link, localstack, new, redeliver,
    result, show, submit, watch, webhook_secret,
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
    /// Create a project for a new service
    New(new::Args),
    /// Run the whole service on this machine (the default command)
    Dev(dev::Args),
    /// Deploy the service to LocalStack on this machine, or stop it
    Localstack(localstack::Args),
    /// Submit a command, and print the id of its job
    #[command(after_help = exit::help())]
    Submit(submit::Args),
    /// Follow a job until it ends
    #[command(after_help = exit::help())]
    Watch(watch::Args),
    /// Get the result of a job
    #[command(after_help = exit::help())]
    Result(result::Args),
    /// Cancel a job, and print its status
    #[command(after_help = exit::help())]
    Cancel(cancel::Args),
    /// Find a job by its idempotency key, and print its id
    #[command(after_help = exit::help())]
    Find(find::Args),
    /// Show the history of a job, and why it ended
    #[command(after_help = exit::help())]
    Explain(explain::Args),
    /// Create a link that gives access to a job without credentials, and print its URL
    #[command(after_help = exit::help())]
    Link(link::Args),
    /// List the deliveries of a job's events to webhooks and queues
    #[command(after_help = exit::help())]
    Deliveries(deliveries::Args),
    /// Request another attempt of a delivery
    #[command(after_help = exit::help())]
    Redeliver(redeliver::Args),
    /// Print the secret that signs a tenant's webhooks, or replace it
    #[command(after_help = exit::help())]
    WebhookSecret(webhook_secret::Args),
    /// List the dead letters of a deployment on AWS, or run their jobs again
    #[command(after_help = exit::help())]
    Redrive(redrive::Args),
    /// Check a deployment on AWS: what is wrong, why it matters, and the command that fixes it
    #[command(after_help = exit::help())]
    Doctor(doctor::Args),
    /// Estimate a month's AWS bill, and ways to lower it
    #[command(after_help = exit::help())]
    Cost(cost::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

impl Cli {
    /// Parses the command line of a program with or without a service. Prints help and errors, and then returns the exit code.
    pub(crate) fn read(has_service: bool) -> Result<Self, Exit> {
        let read = |shown: clap::Error| {
            if !shown.use_stderr() {
                // A closed standard output is not an error.
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

/// Returns the command line of a program with or without a service. Each hides the subcommands of the other.
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

/// Removes credentials from clap's message, which repeats unexpected arguments, such as a URL in the wrong place.
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
    /// Returns `dev`, the default command.
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

    #[test]
    fn events_are_selected_for_a_callback_alone() {
        let parse = |more: &[&str]| {
            Cli::try_parse_from([&["cloakroom", "submit", "x"], more].concat()).is_ok()
        };
        let url = ["--callback-url", "https://host/hook"];
        assert!(parse(&url));
        assert!(parse(&[&url[..], &["--callback-events", "all"]].concat()));
        assert!(!parse(&[&url[..], &["--callback-events", "some"]].concat()));
        assert!(!parse(&["--callback-events", "all"]));
    }

    #[test]
    fn a_link_lives_from_a_minute_to_a_day_and_its_scope_is_a_list() {
        let parse = |more: &[&str]| {
            Cli::try_parse_from([&["cloakroom", "link", "x"], more].concat()).is_ok()
        };
        assert!(parse(&["--scope", "read,cancel,signal", "--ttl", "60"]));
        assert!(parse(&["--ttl", "86400"]));
        for bad in [["--ttl", "59"], ["--ttl", "86401"], ["--scope", "write"]] {
            assert!(!parse(&bad), "{bad:?}");
        }
    }
}
