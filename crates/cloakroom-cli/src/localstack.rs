//! `localstack`: deploys the project to an emulator of AWS on this machine, with the scripts in the program.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::exit::{Exit, Failure};
use crate::files::{self, LOCALSTACK};

/// Folder of the scripts, and of all files that they download.
const FOLDER: &str = ".cloakroom/localstack";

/// `up --help` lists the arguments of `up`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// up: start LocalStack and deploy infra/template.yaml; status: show what is running; down: stop it, and delete its data
    #[arg(value_parser = ["up", "status", "down"])]
    verb: String,
    /// Arguments of the script
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::usage(format!("failed to {what}: {error}"))
    };
    let project = std::env::current_dir().map_err(|error| failed("find the project", &error))?;
    if !project.join("infra/template.yaml").is_file() {
        return Err(Failure::usage(
            "infra/template.yaml does not exist: run this command in the folder of a project",
        ));
    }
    let folder = Path::new(FOLDER);
    for (path, text) in LOCALSTACK {
        files::write(folder, path, text)
            .map_err(|error| failed("write the scripts of LocalStack", &error))?;
    }
    let status = Command::new(project.join(folder).join(&args.verb))
        .args(&args.args)
        .env("CLOAKROOM_PROJECT", &project)
        .stdin(Stdio::null())
        .status()
        .await
        .map_err(|error| failed("run Python 3.13 as python3", &error))?;
    // The script has printed the reason.
    Ok(if status.success() {
        Exit::Success
    } else {
        Exit::Usage
    })
}
