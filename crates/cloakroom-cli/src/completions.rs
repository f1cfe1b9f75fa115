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

/// Prints the completions of a command line, under the name by which it was called.
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
