//! `cloakroom result`.

use std::io::IsTerminal as _;

use cloakroom_client::JobResult;

use crate::content;
use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};
use crate::target::Target;

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
    let target = args.output.as_deref().map(Target::parse).transpose()?;
    let client = service.client_of(&args.job, &screen)?;
    match client.result(&args.job).await? {
        JobResult::Content(download) => match target {
            None if std::io::stdout().is_terminal()
                && !content::is_text(download.content_type()) =>
            {
                let what = download.content_type();
                Err(Failure::usage(format!(
                    "the result is {what}: name a file with -o FILE, or say -o - to have it here"
                )))
            }
            target => target.unwrap_or(Target::Stdout).write(download).await,
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
            Err(Failure {
                exit: Exit::Unavailable,
                message,
            })
        }
    }
}
