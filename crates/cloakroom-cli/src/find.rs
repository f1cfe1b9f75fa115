//! `cloakroom find`.

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Idempotency key of the job
    key: String,
    /// Print the job as JSON instead of its id
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let client = service.client(&Screen::new())?;
    let Some(job) = client.find(&args.key).await? else {
        return Err(Failure {
            exit: Exit::Unknown,
            message: format!("no job has the key {:?}, or it has expired", args.key),
        });
    };
    if args.json {
        show::json(&job)?;
    } else {
        show::line(&job.id)?;
    }
    Ok(Exit::Success)
}
