//! `cloakroom redrive`: lists the dead letters of a deployment, and runs their jobs again.

use std::time::Duration;

use cloakroom_app::core::{JobId, Tenant};
use cloakroom_app::redrive::{DeadLetter, RedriveOutcome};
use cloakroom_aws::Clients;
use cloakroom_doctor::deployment;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::{Exit, Failure};
use crate::show;
use crate::stack::Stack;

/// Without ids and without --all, it only lists the stored dead letters and their jobs.
///
/// Region, credentials and `AWS_ENDPOINT_URL` are those of the environment, as for any AWS tool.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Jobs to redrive
    #[arg(value_name = "ID")]
    jobs: Vec<JobId>,
    /// Redrive all listed jobs
    #[arg(long, conflicts_with = "jobs")]
    all: bool,
    /// Only dead letters of this tenant
    #[arg(long)]
    tenant: Option<Tenant>,
    /// Only dead letters whose job failed with this code, such as worker-crashed
    #[arg(long)]
    code: Option<String>,
    /// Maximum number of jobs to redrive per second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    #[command(flatten)]
    about: Stack,
    /// Print a JSON object for each dead letter
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    let clients = Clients::load().await;
    let found = deployment::find(&clients, &args.about.stack).await?;
    let redrive = cloakroom_aws::redrive(&clients, &found.table, &found.queue_url, &found.bucket);
    let mut pace = interval(Duration::from_secs(1) / args.rate);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut seen, mut sent, mut refused) = (0_u64, 0_u64, 0_u64);
    let mut missing = args.jobs.clone();
    let mut after = None;
    loop {
        let letters = redrive.list(args.tenant.as_ref(), after.as_deref()).await?;
        let Some(last) = letters.last() else { break };
        after = Some(last.key.clone());
        for letter in letters.iter().filter(|letter| args.wants(letter)) {
            seen += 1;
            missing.retain(|id| letter.job.as_ref().is_none_or(|job| job.id != *id));
            let mut came = None;
            if args.sends() {
                pace.tick().await;
                let outcome = redrive.send(letter).await?;
                let count = if outcome == RedriveOutcome::Sent {
                    &mut sent
                } else {
                    &mut refused
                };
                *count += 1;
                came = Some(outcome);
            }
            show::line(&if args.json {
                document(letter, came.as_ref())
            } else {
                line(letter, came.as_ref())
            })?;
        }
    }
    for id in &missing {
        show::note(&format!("job {id} has no stored dead letter"));
    }
    show::note(&match (args.sends(), seen) {
        (false, 0) => "there are no stored dead letters".to_owned(),
        (false, _) => {
            format!("dead letters: {seen}; to redrive them, specify job ids or --all")
        }
        (true, _) => format!("redriven: {sent}, rejected: {refused}"),
    });
    Ok(if refused > 0 || !missing.is_empty() {
        Exit::Refused
    } else {
        Exit::Success
    })
}

impl Args {
    fn sends(&self) -> bool {
        self.all || !self.jobs.is_empty()
    }

    fn wants(&self, letter: &DeadLetter) -> bool {
        let named = self.jobs.is_empty()
            || letter
                .job
                .as_ref()
                .is_some_and(|job| self.jobs.contains(&job.id));
        named
            && self
                .code
                .as_deref()
                .is_none_or(|code| code_of(letter) == Some(code))
    }
}

fn code_of(letter: &DeadLetter) -> Option<&str> {
    letter
        .record
        .as_ref()?
        .failure
        .as_ref()
        .map(|failure| failure.code.as_str())
}

fn status_of(letter: &DeadLetter) -> &'static str {
    letter
        .record
        .as_ref()
        .map_or("gone", |job| job.status.as_str())
}

fn line(letter: &DeadLetter, came: Option<&RedriveOutcome>) -> String {
    let Some(job) = &letter.job else {
        return format!("{}  unknown message{}", letter.key, said(came));
    };
    let command = letter
        .record
        .as_ref()
        .map_or("-", |job| job.command.as_str());
    let at = letter
        .record
        .as_ref()
        .map_or_else(|| "-".to_owned(), |job| job.updated_at.to_string());
    let code = code_of(letter)
        .map(|code| format!(" ({code})"))
        .unwrap_or_default();
    format!(
        "{}  {at}  {}  {command}  {}{code}{}",
        job.id,
        job.tenant,
        status_of(letter),
        said(came)
    )
}

fn said(came: Option<&RedriveOutcome>) -> String {
    match came {
        None => String::new(),
        Some(RedriveOutcome::Sent) => "  redriven".to_owned(),
        Some(RedriveOutcome::Rejected(why)) => format!("  rejected: {why}"),
    }
}

fn document(letter: &DeadLetter, came: Option<&RedriveOutcome>) -> String {
    let refused = if let Some(RedriveOutcome::Rejected(why)) = came {
        Some(why)
    } else {
        None
    };
    let record = letter.record.as_ref();
    json!({
        "letter": letter.key,
        "job": letter.job.as_ref().map(|job| job.id),
        "tenant": letter.job.as_ref().map(|job| &job.tenant),
        "type": record.map(|job| &job.command),
        "status": status_of(letter),
        "code": code_of(letter),
        "attempt": record.map(|job| job.attempt),
        "updated_at": record.map(|job| job.updated_at),
        "sent": came.map(|came| *came == RedriveOutcome::Sent),
        "refused": refused,
    })
    .to_string()
}
