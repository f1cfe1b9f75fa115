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
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// File for the result; `-` for standard output, even if it is a terminal and the result is not text
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
                    "the result is {what}: write it to a file with -o FILE, or to this terminal with -o -"
                )))
            }
            target => target.unwrap_or(Target::Stdout).write(download).await,
        },
        JobResult::Nothing => {
            show::note("the job succeeded without a result");
            Ok(Exit::Success)
        }
        JobResult::NotYet(snapshot) => {
            let job = &snapshot.job;
            let message = format!(
                "job {} has not ended ({}): retry later, or wait with: cloakroom watch {}{}",
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
