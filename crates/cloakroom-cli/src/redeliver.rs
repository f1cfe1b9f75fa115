//! `cloakroom redeliver`.

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::Screen;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// Id of the delivery, as `cloakroom deliveries` prints it
    delivery: String,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let client = service.client_of(&args.job, &Screen::new())?;
    client.redeliver(&args.job, &args.delivery).await?;
    Ok(Exit::Success)
}
