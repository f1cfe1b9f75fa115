//! Changes that make a month cheaper: the same month, computed again with one thing changed.

use std::time::Duration;

use super::{Api, Architecture, Workload};

/// A change, and what it saves.
#[derive(Debug, Clone, PartialEq)]
pub struct Lever {
    /// The options of `cloakroom cost` that make the change.
    pub options: String,
    /// Condition of the change, beside the options.
    pub provided: Option<&'static str>,
    /// Dollars that the month is cheaper by.
    pub saves: f64,
}

/// The most messages that the template puts in a batch.
const LARGEST_BATCH: f64 = 10.0;

/// The least memory of a function, in megabytes.
const LEAST_MEMORY: u32 = 128;

/// The longest that a poll is held.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

impl Workload {
    /// Changes that make the month cheaper by at least a hundredth, the best first.
    pub fn levers(&self) -> Vec<Lever> {
        let now = self.bill().dollars();
        let levers = self
            .changes()
            .into_iter()
            .filter(|(.., changed)| changed != self);
        let mut levers: Vec<_> = levers
            .map(|(options, provided, changed)| Lever {
                options,
                provided,
                saves: now - changed.bill().dollars(),
            })
            .filter(|lever| lever.saves >= now / 100.0)
            .collect();
        levers.sort_by(|one, other| other.saves.total_cmp(&one.saves));
        levers
    }

    fn changes(&self) -> Vec<(String, Option<&'static str>, Self)> {
        let half = |memory: u32| (memory / 2).max(LEAST_MEMORY);
        let (worker_memory, http_memory) = (half(self.worker_memory), half(self.http_memory));
        let as_fast = Some("if it is as fast");
        let mut changes = vec![
            (
                "--api http".into(),
                None,
                Self {
                    api: Api::Http,
                    ..*self
                },
            ),
            (
                "--architecture arm64".into(),
                None,
                Self {
                    architecture: Architecture::Arm64,
                    ..*self
                },
            ),
            (
                format!("--batch {LARGEST_BATCH}"),
                Some("if handlers wait, and jobs come fast enough"),
                Self {
                    batch: LARGEST_BATCH,
                    ..*self
                },
            ),
            (
                format!("--memory {worker_memory}"),
                as_fast,
                Self {
                    worker_memory,
                    ..*self
                },
            ),
            (
                format!("--http-memory {http_memory}"),
                as_fast,
                Self {
                    http_memory,
                    ..*self
                },
            ),
            (
                "--progress 0".into(),
                None,
                Self {
                    progress: 0,
                    ..*self
                },
            ),
            (
                "--attempts 1".into(),
                None,
                Self {
                    attempts: 1.0,
                    ..*self
                },
            ),
            (
                "--result 0".into(),
                Some("if it is kept elsewhere"),
                Self { result: 0, ..*self },
            ),
        ];
        if self.polls > 1.0 && self.duration <= LONGEST_WAIT {
            // One poll that is held while the job runs.
            let options = format!("--polls 1 --wait {}ms", self.duration.as_millis());
            changes.push((
                options,
                None,
                Self {
                    polls: 1.0,
                    wait: self.duration,
                    ..*self
                },
            ));
        }
        changes
    }
}
