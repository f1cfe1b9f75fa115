//! End of a run: compares each job with the responses to its client and with the entries of its handler.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use cloakroom_client::HistoryView;
use cloakroom_core::{Status, Timestamp};
use cloakroom_tests::audit::{Entry, Ledger, Mark, Story, is_taken_over, wrongs};
use futures::StreamExt as _;
use tokio::time::sleep;

use crate::client::Site;
use crate::stack::Stack;

/// Number of jobs that are examined concurrently.
const AT_ONCE: usize = 8;

/// Results of a run.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) figures: Figures,
    /// Violations, with the id of the job.
    pub(crate) violations: Vec<(String, String)>,
}

/// Counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Jobs with a 202, or recorded although their client abandoned the submission.
    pub(crate) jobs: u64,
    /// Recorded jobs of abandoned submissions.
    pub(crate) recorded_unanswered: u64,
    /// Ended jobs by status and code of the failure.
    pub(crate) ended: BTreeMap<String, u64>,
    /// Calls of handlers.
    pub(crate) began: u64,
    /// Effects of handlers.
    pub(crate) effects: u64,
    /// Jobs with effects.
    pub(crate) jobs_with_effects: u64,
    /// Effects of jobs that did not succeed.
    pub(crate) effects_of_failures: u64,
    /// Entries after the job's end.
    pub(crate) late: u64,
    /// Jobs with more than one attempt.
    pub(crate) tried_again: u64,
    /// Attempts whose worker crashed.
    pub(crate) taken_over: u64,
    /// Time at which the last job ended.
    pub(crate) last_end: Option<Timestamp>,
    /// Ended jobs by the step that ended them.
    pub(crate) ended_by: BTreeMap<String, u64>,
}

pub(crate) async fn of(
    site: &Site,
    stack: &Stack,
    mut stories: Vec<Story>,
    before: u64,
    ledger: &Path,
) -> Verdict {
    let mut verdict = Verdict::default();
    // Jobs of abandoned submissions may take longer.
    stories.sort_by_key(|story| !story.promised);
    let looks = futures::stream::iter(stories)
        .map(|story| look(site, story))
        .buffer_unordered(AT_ONCE);
    let looks: Vec<_> = looks.collect().await;
    let ledger = Ledger::read(&std::fs::read_to_string(ledger).expect("the ledger"));
    let mut known = HashSet::new();
    for (story, last) in looks {
        match last {
            Ok(None) => {}
            Ok(Some(last)) => {
                let noted = ledger.of(&story.id);
                let found = wrongs(&story, &last, noted, stack.lease);
                verdict
                    .violations
                    .extend(found.into_iter().map(|what| (story.id.clone(), what)));
                verdict.figures.count(&story, &last, noted);
                known.insert(story.id);
            }
            Err(what) => {
                verdict.violations.extend(
                    story
                        .wrongs
                        .iter()
                        .map(|wrong| (story.id.clone(), wrong.clone())),
                );
                verdict.violations.push((story.id, what));
            }
        }
    }
    for job in ledger.jobs().filter(|job| !known.contains(*job)) {
        verdict
            .violations
            .push((job.to_owned(), "ran, and nobody asked for it".to_owned()));
    }
    let (records, jobs) = (stack.records().await - before, known.len() as u64);
    if records != jobs {
        verdict.violations.push((
            String::new(),
            format!("the table has {records} new records, of {jobs} jobs"),
        ));
    }
    verdict
}

/// Returns the job with its history. Returns `None` if its client abandoned the submission and no job has its key.
async fn look(site: &Site, mut story: Story) -> (Story, Result<Option<HistoryView>, String>) {
    if !story.promised {
        match site.client.find(&story.key).await {
            Ok(Some(job)) => story.id = job.id,
            Ok(None) => return (story, Ok(None)),
            Err(error) => {
                return (
                    story,
                    Err(format!("could not be found by its key: failed to {error}")),
                );
            }
        }
    }
    loop {
        match site.client.history(&story.id).await {
            Ok(last) if last.job.status.is_terminal() || site.is_late() => {
                return (story, Ok(Some(last)));
            }
            Ok(_) => sleep(Duration::from_secs(2)).await,
            Err(error) => {
                return (
                    story,
                    Err(format!("its history can't be had: failed to {error}")),
                );
            }
        }
    }
}

impl Figures {
    fn count(&mut self, story: &Story, last: &HistoryView, noted: &[Entry]) {
        let job = &last.job;
        let count = |mark| noted.iter().filter(|entry| entry.mark == mark).count() as u64;
        let effects = count(Mark::Did);
        self.jobs += 1;
        self.recorded_unanswered += u64::from(!story.promised);
        let code = job
            .error
            .as_ref()
            .filter(|_| job.status == Status::Failed)
            .map(|error| format!(": {}", error.code));
        *self
            .ended
            .entry(format!(
                "{}{}",
                job.status.as_str(),
                code.unwrap_or_default()
            ))
            .or_default() += 1;
        let step = last
            .history
            .last()
            .map_or("nobody", |step| step.event.as_str());
        *self.ended_by.entry(step.to_owned()).or_default() += 1;
        self.began += count(Mark::Began);
        self.effects += effects;
        self.jobs_with_effects += u64::from(effects > 0);
        if job.status != Status::Succeeded {
            self.effects_of_failures += effects;
        }
        self.late += noted
            .iter()
            .filter(|entry| job.finished_at.is_some_and(|end| entry.at > end))
            .count() as u64;
        let taken_over = last
            .history
            .windows(2)
            .filter(|pair| is_taken_over(&pair[0], &pair[1]));
        self.taken_over += taken_over.count() as u64;
        self.last_end = self.last_end.max(job.finished_at);
        self.tried_again += u64::from(job.attempt > 1);
    }
}
