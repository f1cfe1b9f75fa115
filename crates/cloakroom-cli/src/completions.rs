//! `cloakroom completions`.

use clap::Command;
use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::show;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to complete for
    shell: Shell,
}

/// Prints the completions of a command line.
pub(crate) fn run(args: &Args, mut command_line: Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command_line, "cloakroom", &mut script);
    show::write(&script)?;
    Ok(Exit::Success)
}
