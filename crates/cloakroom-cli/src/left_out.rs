//! Subcommands that this build leaves out: `dev` without the feature of this name, and those that ask AWS without the feature
//! `deployments`.

use crate::exit::Failure;

/// Any arguments: the command line is not checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _args: Vec<String>,
}

/// Returns an error that says how to build the program with the subcommands that ask AWS.
#[cfg(not(feature = "deployments"))]
pub(crate) fn deployments() -> Failure {
    Failure::usage(
        "this build can't ask AWS about a deployment: build it with the feature `deployments`, as in \
         `cargo run --features deployments -- doctor`",
    )
}

/// Returns an error that says where `dev` is.
pub(crate) fn dev() -> Failure {
    Failure::usage(
        "this program has no commands to serve: run `cargo run` in a project, which `cloakroom new DIR` makes",
    )
}
