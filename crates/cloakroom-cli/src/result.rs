//! `cloakroom result`.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use cloakroom_client::{Download, JobResult};

use crate::content;
use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job's id or URL
    #[arg(value_name = "ID")]
    job: String,
    /// Where to put it; `-` for standard output, even if that is a terminal and the result is not text
    #[arg(long, short, value_name = "FILE")]
    output: Option<String>,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let screen = Screen::new();
    let client = service.client_of(&args.job, &screen)?;
    match client.result(&args.job).await? {
        JobResult::Content(download) => match args.output.as_deref() {
            None if std::io::stdout().is_terminal() && !content::is_text(download.content_type()) => {
                let what = download.content_type();
                Err(Failure::usage(format!(
                    "the result is {what}: name a file with -o FILE, or say -o - to have it here"
                )))
            }
            None | Some("-") => to_stdout(download).await,
            Some(file) => to_file(download, Path::new(file)).await,
        },
        JobResult::Nothing => {
            show::note("the job succeeded, and has no result");
            Ok(Exit::Success)
        }
        JobResult::NotYet(snapshot) => {
            let job = &snapshot.job;
            let message = format!(
                "job {} is {}: come back, or wait with: cloakroom watch {}{}",
                job.id,
                job.status.as_str(),
                job.id,
                Service::option(&client)
            );
            Err(Failure { exit: Exit::Unavailable, message })
        }
    }
}

async fn to_stdout(mut download: Download) -> Result<Exit, Failure> {
    while let Some(chunk) = download.chunk().await? {
        show::write(&chunk)?;
    }
    Ok(Exit::Success)
}

/// Under another name until it is whole: a file of the name asked for is never half a result.
async fn to_file(download: Download, path: &Path) -> Result<Exit, Failure> {
    let unwritable = |error: std::io::Error| Failure::usage(format!("failed to write {}: {error}", path.display()));
    if path.exists() && !path.is_file() {
        // A pipe or a device can't be replaced.
        fill(File::options().write(true).open(path).map_err(unwritable)?, download, &unwritable).await?;
        return Ok(Exit::Success);
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let filled = fill(File::create(&part).map_err(unwritable)?, download, &unwritable).await;
    match filled.and_then(|()| std::fs::rename(&part, path).map_err(unwritable)) {
        Ok(()) => Ok(Exit::Success),
        Err(failure) => {
            // The failure that matters is the one before.
            let _ = std::fs::remove_file(&part);
            Err(failure)
        }
    }
}

async fn fill(
    mut file: File,
    mut download: Download,
    unwritable: &impl Fn(std::io::Error) -> Failure,
) -> Result<(), Failure> {
    while let Some(chunk) = download.chunk().await? {
        file.write_all(&chunk).map_err(unwritable)?;
    }
    file.flush().map_err(unwritable)
}
