//! Report of a run.

use std::fmt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use cloakroom_core::Timestamp;
use cloakroom_tests::{Target, program};

use crate::client;
use crate::processes::Killed;
use crate::troubles;
use crate::verdict::Figures;

/// Maximum number of jobs with violations whose history is printed.
const STORIES: usize = 10;

/// Results of a run.
pub(crate) struct Report {
    pub(crate) target: Target,
    pub(crate) jobs: u64,
    pub(crate) seed: u64,
    pub(crate) counts: Arc<client::Counts>,
    pub(crate) troubles: troubles::Counts,
    pub(crate) kills: Killed,
    /// Duration of the faults.
    pub(crate) trouble_time: Duration,
    /// End of the faults.
    pub(crate) calm: Timestamp,
    /// Maximum time after that until the last job ends.
    pub(crate) bound: Duration,
    pub(crate) figures: Figures,
    pub(crate) violations: Vec<(String, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nsoak on {}: {} clients, seed {}\n",
            self.target, self.jobs, self.seed
        )?;
        self.write_answers(f)?;
        self.write_ends(f)?;
        self.write_effects(f)?;
        self.write_troubles(f)?;
        self.write_times(f)?;
        self.write_violations(f)
    }
}

impl Report {
    fn write_answers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unanswered = self.figures.recorded_unanswered;
        let accepted = self.figures.jobs - unanswered;
        writeln!(
            f,
            "accepted     {accepted:>7}  answered 202; {} answers were replays",
            self.counts.replayed.load(Relaxed)
        )?;
        let given_up = self.counts.given_up.load(Relaxed);
        writeln!(
            f,
            "given up     {given_up:>7}  not answered; {unanswered} of them were recorded all the same"
        )
    }

    fn write_ends(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = &self.figures.ended;
        writeln!(f, "ended        {:>7}", ended.values().sum::<u64>())?;
        for (how, count) in ended {
            writeln!(f, "             {count:>7}  {how}")?;
        }
        let by: Vec<_> = self
            .figures
            .ended_by
            .iter()
            .map(|(step, count)| format!("{step} {count}"))
            .collect();
        writeln!(f, "             by step: {}", by.join(", "))
    }

    fn write_effects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures {
            began,
            effects,
            jobs_with_effects,
            ..
        } = &self.figures;
        writeln!(
            f,
            "effects      {effects:>7}  of {jobs_with_effects} jobs, in {began} calls of handlers"
        )?;
        writeln!(
            f,
            "duplicates   {:>7}  effects of jobs that had one already",
            effects - jobs_with_effects
        )?;
        let (of_failures, late) = (self.figures.effects_of_failures, self.figures.late);
        writeln!(
            f,
            "             {of_failures:>7}  effects of jobs that failed or were cancelled"
        )?;
        writeln!(
            f,
            "             {late:>7}  lines that were noted after the job's end"
        )?;
        let (again, taken_over) = (self.figures.tried_again, self.figures.taken_over);
        writeln!(
            f,
            "             {again:>7}  jobs with more than one attempt; {taken_over} attempts were of a worker that was gone"
        )
    }

    fn write_troubles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "kills        {:>7}  {}",
            self.kills.values().sum::<u64>(),
            listed(self.kills.iter())
        )?;
        for trouble in [
            "calls",
            "throttled",
            "refused",
            "answers lost",
            "delayed",
            "sent twice",
        ] {
            let found = || self.troubles.iter().filter(|((_, it), _)| *it == trouble);
            let all: u64 = found().map(|(_, count)| count).sum();
            let by = listed(found().map(|((service, _), count)| (format!("{service:?}"), count)));
            writeln!(f, "{trouble:<12} {all:>7}  {by}")?;
        }
        let counts = &self.counts;
        let of = |count: &std::sync::atomic::AtomicU64| count.load(Relaxed);
        let (polls, again, cancels) = (of(&counts.polls), of(&counts.again), of(&counts.cancels));
        writeln!(
            f,
            "clients      {polls:>7}  polls, {again} requests made again, {cancels} cancellations"
        )
    }

    fn write_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self
            .figures
            .last_end
            .map(|end| end.since(self.calm))
            .unwrap_or_default()
            .as_secs_f64();
        let troubled = self.trouble_time.as_secs_f64();
        writeln!(f, "seconds      {troubled:>7.1}  of troubles")?;
        writeln!(
            f,
            "             {ended:>7.1}  from their end to the last job's; {} at most",
            self.bound.as_secs()
        )
    }

    fn write_violations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "violations   {:>7}", self.violations.len())?;
        for (n, (job, what)) in self.violations.iter().enumerate() {
            writeln!(f, "\n{job}: {what}")?;
            if n < STORIES && !job.is_empty() {
                write!(f, "{}", story(job))?;
            }
        }
        Ok(())
    }
}

fn listed<K: fmt::Display, V: fmt::Display>(of: impl Iterator<Item = (K, V)>) -> String {
    of.map(|(name, count)| format!("{name} {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the output of `cloakroom explain` for a job.
fn story(job: &str) -> String {
    let told = Command::new(program("demo"))
        .args(["explain", job])
        .output();
    told.map_or_else(
        |error| format!("{error}\n"),
        |told| String::from_utf8_lossy(&told.stdout).into_owned(),
    )
}
