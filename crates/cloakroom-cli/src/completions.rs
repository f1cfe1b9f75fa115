//! `cloakroom completions`.

use clap::Command;
use clap_complete::Shell;

use crate::exit::{Exit, Failure};
use crate::show;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the shell
    shell: Shell,
}

/// Prints the completions of a command line, for the name of the program in the call.
pub(crate) fn run(args: &Args, mut command_line: Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let called = std::env::args_os().next();
    let name = called
        .as_ref()
        .and_then(|path| std::path::Path::new(path).file_stem()?.to_str())
        .unwrap_or("cloakroom");
    clap_complete::generate(args.shell, &mut command_line, name, &mut script);
    show::write(&script)?;
    Ok(Exit::Success)
}
