//! `cloakroom cancel`.

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// Print the job as JSON instead of its status
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
