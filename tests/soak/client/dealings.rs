//! Single actions of a client.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cloakroom_app::{Host as _, SystemHost};
use cloakroom_client::{Ask, Error, JobResult, JobView, Poll, Snapshot, Submission, Submitted};
use cloakroom_core::{Status, Timestamp};
use cloakroom_tests::audit::{Sight, Story, Wish};
use serde_json::json;
use tokio::time::sleep;

use super::Site;
use crate::plan::{Plan, Sends};

/// Maximum time between polls, whatever the client is advised.
const PATIENCE: Duration = Duration::from_secs(4);

const COMMAND: &str = "diagnostic.run";

/// Submits the command according to the plan. Returns `None` if the client abandons the submission.
pub(super) async fn submit(site: &Site, plan: &Plan, story: &mut Story) -> Option<Submitted> {
    let command = Submission::json(COMMAND, plan.payload.clone()).key(&story.key);
    let command = match plan.not_before {
        Some(wait) => command.not_before(Timestamp::from_millis(
            SystemHost.now().after(wait).as_millis(),
        )),
        None => command,
    };
    let (client, again) = (&site.client, command.clone());
    let answers = match plan.sends {
        Sends::Once => vec![client.send(command).await],
        Sends::Twice => {
            let (one, other) = tokio::join!(client.send(command), client.send(again));
            vec![one, other]
        }
        Sends::HangsUp => match site.hasty.send(command).await {
            Err(Error::Unavailable { .. }) => vec![client.send(again).await],
            answered => vec![answered, client.send(again).await],
        },
        Sends::GivesUp => match site.weak.send(command).await {
            Err(Error::Unavailable { .. }) => return None,
            answered => vec![answered],
        },
    };
    let mut submitted: Option<Submitted> = None;
    for answer in answers {
        match answer {
            Ok(answer) => {
                site.counts
                    .replayed
                    .fetch_add(u64::from(answer.replayed), Relaxed);
                if let Some(first) = submitted
                    .as_ref()
                    .filter(|first| first.job.id != answer.job.id)
                {
                    story.wrongs.push(format!(
                        "one key made two jobs: {} and {}",
                        first.job.id, answer.job.id
                    ));
                }
                submitted = Some(answer);
            }
            Err(error) => story
                .wrongs
                .push(format!("a client could not submit it: failed to {error}")),
        }
    }
    submitted
}

/// Submits another command with the same key, which must be rejected, and then finds its own job by the key.
pub(super) async fn reuse_key(site: &Site, story: &mut Story) {
    let another =
        Submission::json(COMMAND, json!({"result": "of another command"})).key(&story.key);
    match site.client.send(another).await {
        Err(Error::Problem(problem)) if problem.code == "idempotency-key-reused" => {}
        answered => story.wrongs.push(format!(
            "its key was taken for another command: {answered:?}"
        )),
    }
    match site.client.find(&story.key).await {
        Ok(Some(job)) if job.id == story.id => {}
        found => story
            .wrongs
            .push(format!("its key {} finds {found:?}", story.key)),
    }
}

/// Cancels the job, if the plan says so.
pub(super) async fn cancel(
    site: &Site,
    plan: &Plan,
    location: &str,
) -> Option<Result<JobView, Error>> {
    sleep(plan.cancels_after?).await;
    Some(site.client.cancel(location).await)
}

/// Polls until the job has ended, or until the deadline. Then fetches a result that is too large for a poll.
pub(super) async fn follow(site: &Site, plan: &Plan, location: &str, story: &mut Story) {
    let mut etag = None;
    while !site.is_late() {
        let ask = Ask {
            etag: etag.as_deref(),
            wait_seconds: plan.waits,
        };
        let wait = match site.client.poll(location, ask).await {
            Ok(Poll::Unchanged { retry_after }) => retry_after,
            Ok(Poll::Job(seen)) => {
                let Snapshot {
                    job,
                    etag: tag,
                    retry_after,
                    ..
                } = *seen;
                let (status, tag) = (job.status, tag.unwrap_or_default());
                story.sights.push(Sight {
                    etag: tag.trim_matches('"').to_owned(),
                    job,
                });
                if status.is_terminal() {
                    break;
                }
                etag = Some(tag);
                retry_after
            }
            Err(Error::Unavailable { .. }) => None,
            Err(error) => {
                story.wrongs.push(format!("a poll failed to {error}"));
                break;
            }
        };
        site.counts.polls.fetch_add(1, Relaxed);
        sleep(wait.unwrap_or(PATIENCE).min(PATIENCE)).await;
    }
    let over = story
        .sights
        .last()
        .is_some_and(|sight| sight.job.status == Status::Succeeded);
    if let Wish::Bytes(length) = story.wish
        && over
        && let Err(what) = fetch(site, location, length).await
    {
        story.wrongs.push(what);
    }
}

async fn fetch(site: &Site, location: &str, length: usize) -> Result<(), String> {
    loop {
        let bytes = match site.client.result(location).await {
            Ok(JobResult::Content(content)) => content.bytes().await,
            Ok(answered) => return Err(format!("it succeeded, and its result is {answered:?}")),
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes)
                if bytes.len() == length
                    && bytes
                        .iter()
                        .enumerate()
                        .all(|(n, &it)| usize::from(it) == n % 251) =>
            {
                return Ok(());
            }
            Ok(bytes) => {
                return Err(format!(
                    "its result has {} bytes, and not the {length} that were made",
                    bytes.len()
                ));
            }
            Err(Error::Unavailable { .. } | Error::Transport { .. }) if !site.is_late() => {
                sleep(PATIENCE).await;
            }
            Err(error) => return Err(format!("its result could not be had: failed to {error}")),
        }
    }
}
