//! `cloakroom explain`: the history of a job in plain sentences, and the deliveries of its events.

mod delivered;
#[cfg(feature = "deployments")]
mod record;
mod story;

use cloakroom_app::core::view::{HistoryView, StepView};
use cloakroom_app::core::{Tenant, Timestamp};
use cloakroom_client::Error;

use self::story::Story;
use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen, printable};
use crate::stack;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// Read the table of this stack on AWS instead of calling the service: for operators, for any tenant
    #[arg(long, value_parser = stack::name)]
    stack: Option<String>,
    /// Tenant of the job
    #[arg(long, requires = "stack", default_value = "default")]
    tenant: Tenant,
    /// Print the history and the deliveries as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let story = match &args.stack {
        None => ask(&args.job, service).await?,
        #[cfg(feature = "deployments")]
        Some(stack) => record::load(stack, &args.job, &args.tenant).await?,
        #[cfg(not(feature = "deployments"))]
        Some(_) => return Err(crate::left_out::deployments()),
    };
    if args.json {
        show::line(&serde_json::to_string(&story).expect("a story is JSON"))?;
    } else {
        let text = told(&story.history) + &delivered::told(&story.deliveries);
        show::write(text.as_bytes())?;
    }
    Ok(Exit::Success)
}

/// Asks the service for a job's history and deliveries.
async fn ask(job: &str, service: &Service) -> Result<Story, Failure> {
    let client = service.client_of(job, &Screen::new())?;
    let history = client.history(job).await?;
    let deliveries = match client.deliveries(job).await {
        Ok(deliveries) => deliveries,
        // A service of an earlier version has no deliveries.
        Err(Error::Problem(problem)) if problem.status == 404 => vec![],
        Err(error) => return Err(error.into()),
    };
    Ok(Story {
        history,
        deliveries,
    })
}

/// Formats a line for the job, one for each step, and one for its current state.
fn told(story: &HistoryView) -> String {
    let job = &story.job;
    let key = job
        .client_job_id
        .as_ref()
        .map(|key| format!(", key {key}"))
        .unwrap_or_default();
    let mut lines = vec![format!("{} {}{key}", job.command, job.id)];
    let mut before: Option<&StepView> = None;
    for step in &story.history {
        lines.push(format!("{}  {}", step.at, sentence(step, before)));
        before = Some(step);
    }
    lines.push(match (job.status.is_terminal(), job.not_before) {
        (true, _) => format!("{}  expires", job.expires_at),
        (false, Some(at)) => format!("{at}  earliest start"),
        (false, None) => format!(
            "{}  last change; status: {}",
            job.updated_at,
            show::describe(job)
        ),
    });
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn sentence(step: &StepView, before: Option<&StepView>) -> String {
    let attempt = step.attempt;
    let reason = step
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let after = before
        .map(|before| took(before.at, step.at))
        .unwrap_or_default();
    match step.event.as_str() {
        "accept" => "accepted".to_owned(),
        "claim" if before.is_some_and(|before| before.event == "claim") => {
            format!(
                "attempt {attempt} started, {after} after the previous one, whose lease expired"
            )
        }
        "claim" => format!("attempt {attempt} started, {after} later"),
        "succeed" => format!("succeeded in attempt {attempt}, after {after}"),
        "fail" => format!("failed in attempt {attempt}, after {after}{reason}"),
        "retry" => {
            format!("attempt {attempt} failed after {after} and is retried{reason}")
        }
        "renew" => format!("attempt {attempt} continues{reason}"),
        "defer" => {
            format!(
                "attempt {attempt} was interrupted after {after}; it is not counted and starts again{reason}"
            )
        }
        "withdraw" => "cancelled by the client before it started".to_owned(),
        "ask-to-cancel" => "the client requested to cancel it".to_owned(),
        "confirm-cancel" => "cancelled".to_owned(),
        "give-up" => format!("failed, because no attempts were left{reason}"),
        "lapse" => format!("failed, because it did not start in time{reason}"),
        "bury" => format!("failed, because its message became a dead letter{reason}"),
        "sweep" => format!("failed, because it was abandoned{reason}"),
        "redrive" => "redriven by an operator, with all its attempts".to_owned(),
        other => format!("{other}{reason}"),
    }
}

/// Formats a duration for a person.
fn took(from: Timestamp, to: Timestamp) -> String {
    let time = to.since(from);
    match time.as_secs() {
        0..120 => format!("{:.1} s", time.as_secs_f64()),
        120..7200 => format!("{} min", time.as_secs() / 60),
        _ => format!("{:.1} h", (time / 3600).as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_story_is_told_in_plain_lines() {
        let at =
            |seconds: u32| format!("2026-11-21T08:{:02}:{:02}.000Z", seconds / 60, seconds % 60);
        let step = |seconds, event: &str, attempt: u32, reason: Option<&str>| json!({ "at": at(seconds), "event": event, "attempt": attempt, "reason": reason });
        let story = json!({
            "job": {
                "id": "0d5f1c0e", "type": "thumbnail.create", "client_job_id": "order-1042", "status": "succeeded",
                "attempt": 3, "created_at": at(0), "updated_at": at(400), "expires_at": at(900),
                "links": { "self": "/jobs/1", "result": "/jobs/1/result" },
            },
            "history": [
                step(0, "accept", 0, None),
                step(1, "claim", 1, None),
                step(5, "retry", 1, Some("job-failed: out of paper")),
                step(7, "claim", 2, None),
                step(9, "defer", 2, Some("storage-unavailable: the payload could not be fetched")),
                step(11, "claim", 2, None),
                step(67, "claim", 3, None),
                step(367, "bury", 3, Some("worker-crashed: gave up")),
                step(368, "redrive", 0, None),
                step(370, "teleport", 0, Some("new: to this program\n")),
                step(400, "succeed", 1, None),
            ],
        });
        insta::assert_snapshot!(told(&serde_json::from_value(story).expect("a story")), @"
            thumbnail.create 0d5f1c0e, key order-1042
            2026-11-21T08:00:00.000Z  accepted
            2026-11-21T08:00:01.000Z  attempt 1 started, 1.0 s later
            2026-11-21T08:00:05.000Z  attempt 1 failed after 4.0 s and is retried: job-failed: out of paper
            2026-11-21T08:00:07.000Z  attempt 2 started, 2.0 s later
            2026-11-21T08:00:09.000Z  attempt 2 was interrupted after 2.0 s; it is not counted and starts again: storage-unavailable: the payload could not be fetched
            2026-11-21T08:00:11.000Z  attempt 2 started, 2.0 s later
            2026-11-21T08:01:07.000Z  attempt 3 started, 56.0 s after the previous one, whose lease expired
            2026-11-21T08:06:07.000Z  failed, because its message became a dead letter: worker-crashed: gave up
            2026-11-21T08:06:08.000Z  redriven by an operator, with all its attempts
            2026-11-21T08:06:10.000Z  teleport: new: to this program 
            2026-11-21T08:06:40.000Z  succeeded in attempt 1, after 30.0 s
            2026-11-21T08:15:00.000Z  expires
        ");
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let from = Timestamp::from_seconds(0);
        let said = [300, 1500, 120_000, 7_300_000]
            .map(|millis| took(from, Timestamp::from_millis(millis)));
        assert_eq!(said, ["0.3 s", "1.5 s", "2 min", "2.0 h"]);
    }
}
