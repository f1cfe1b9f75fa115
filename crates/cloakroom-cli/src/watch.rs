//! `cloakroom watch`.

use cloakroom_client::{Client, Error, JobView};

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// Print the job as JSON when it ends
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let screen = Screen::new();
    let client = service.client_of(&args.job, &screen)?;
    follow(&client, &args.job, &screen, args.json).await
}

/// Follows a job until it ends, or until Ctrl-C.
pub(crate) async fn follow(
    client: &Client,
    job: &str,
    screen: &Screen,
    json: bool,
) -> Result<Exit, Failure> {
    let outcome = tokio::select! {
        outcome = client.wait(job, |job| screen.update(job)) => outcome,
        Ok(()) = tokio::signal::ctrl_c() => {
            screen.clear();
            let option = Service::option(client);
            show::note(&format!("interrupted: job {job} continues\n  to follow it:  cloakroom watch {job}{option}\n  to cancel it:  cloakroom cancel {job}{option}"));
            return Ok(Exit::Interrupted);
        }
    };
    screen.clear();
    let (job, exit) = match outcome {
        Ok(job) => {
            point_to_result(client, &job, screen);
            (job, Exit::Success)
        }
        // The screen has shown the reason.
        Err(Error::JobFailed(problem)) => (
            *problem.job.expect("a job's own problem has the job"),
            Exit::JobFailed,
        ),
        Err(Error::JobCancelled(problem)) => (
            *problem.job.expect("a job's own problem has the job"),
            Exit::Cancelled,
        ),
        Err(error) => return Err(error.into()),
    };
    if json {
        show::json(&job)?;
    }
    Ok(exit)
}

fn point_to_result(client: &Client, job: &JobView, screen: &Screen) {
    if let Some(place) = &job.resource {
        screen.note(&format!("resource: {place}"));
    }
    if job.result.is_some() || job.result_url.is_some() {
        screen.note(&format!(
            "result: cloakroom result {}{}",
            job.id,
            Service::option(client)
        ));
    }
}
