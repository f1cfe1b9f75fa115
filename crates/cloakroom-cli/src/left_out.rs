//! Subcommands that ask AWS, in a build without the feature `deployments`.

use crate::exit::Failure;

/// Any arguments: the command line is not judged.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _args: Vec<String>,
}

/// Tells how to build the program with them.
pub(crate) fn failure() -> Failure {
    Failure::usage(
        "this build has nothing that asks AWS about a deployment: build it with the feature `deployments`, as in \
         `cargo run --features deployments -- doctor`",
    )
}
