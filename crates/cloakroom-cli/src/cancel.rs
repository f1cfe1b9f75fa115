//! `cloakroom cancel`.

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job's id or URL
    #[arg(value_name = "ID")]
    job: String,
    /// Print the job as JSON in place of where it stands
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let client = service.client_of(&args.job, &Screen::new())?;
    let job = client.cancel(&args.job).await?;
    if args.json {
        show::json(&job)?;
    } else {
        show::line(job.status.as_str())?;
    }
    Ok(Exit::Success)
}
