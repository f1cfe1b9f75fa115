//! Subcommands that this build omits: `dev` without the feature of this name, and those that call AWS without the feature
//! `deployments`.

use crate::exit::Failure;

/// Any arguments: the command line is not checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _args: Vec<String>,
}

/// Returns an error that says how to build the program with the subcommands that call AWS.
#[cfg(not(feature = "deployments"))]
pub(crate) fn deployments() -> Failure {
    Failure::usage(
        "this build can't examine a deployment on AWS: build it with the feature `deployments`, for example \
         `cargo run --features deployments -- doctor`",
    )
}

/// Returns an error that says which program has `dev`.
pub(crate) fn dev() -> Failure {
    Failure::usage(
        "this program has no service to run: create a project with `cloakroom new DIR`, and use `cargo run` there",
    )
}
