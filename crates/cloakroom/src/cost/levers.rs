//! What would make a month cheaper: the same month reckoned again with one thing changed.

use std::time::Duration;

use super::{Api, Architecture, Workload};

/// A change, and what it saves.
#[derive(Debug, Clone, PartialEq)]
pub struct Lever {
    /// The options of `cloakroom cost` that make the change.
    pub options: String,
    /// Dollars that the month is cheaper by.
    pub saves: f64,
}

/// The most messages that the template puts in a batch.
const LARGEST_BATCH: f64 = 10.0;

/// The least memory of a function, in megabytes.
const LEAST_MEMORY: u32 = 128;

/// The longest that a poll is held.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// What a client is told to wait at least before it polls again.
const RETRY_AFTER: Duration = Duration::from_secs(*crate::poll::RETRY_AFTER_SECONDS.start());

impl Workload {
    /// What would make the month cheaper by at least a hundredth, the best first.
    pub fn levers(&self) -> Vec<Lever> {
        let now = self.bill().dollars();
        let levers = self.changes().into_iter().map(|(options, changed)| {
            let saves = now - changed.bill().dollars();
            Lever { options, saves }
        });
        let mut levers: Vec<_> = levers.filter(|lever| lever.saves >= now / 100.0).collect();
        levers.sort_by(|one, other| other.saves.total_cmp(&one.saves));
        levers
    }

    fn changes(&self) -> Vec<(String, Self)> {
        let mut changes = vec![];
        let mut change = |options: String, changed: Self| {
            if changed != *self {
                changes.push((options, changed));
            }
        };
        change("--api http".into(), Self { api: Api::Http, ..*self });
        change("--architecture arm64".into(), Self { architecture: Architecture::Arm64, ..*self });
        change(format!("--batch {LARGEST_BATCH}"), Self { batch: LARGEST_BATCH, ..*self });
        let half = |memory: u32| (memory / 2).max(LEAST_MEMORY);
        let memory = half(self.worker_memory);
        change(format!("--memory {memory}"), Self { worker_memory: memory, ..*self });
        let memory = half(self.http_memory);
        change(format!("--http-memory {memory}"), Self { http_memory: memory, ..*self });
        if self.polls > 1.0 && self.duration <= RETRY_AFTER {
            // Whoever comes back as Retry-After says finds the job over.
            change("--polls 1".into(), Self { polls: 1.0, wait: Duration::ZERO, ..*self });
        } else if self.polls > 1.0 && self.duration <= LONGEST_WAIT {
            // One poll that is held while the job runs.
            let options = format!("--polls 1 --wait {}ms", self.duration.as_millis());
            change(options, Self { polls: 1.0, wait: self.duration, ..*self });
        }
        change("--progress 0".into(), Self { progress: 0, ..*self });
        change("--attempts 1".into(), Self { attempts: 1.0, ..*self });
        // A handler that keeps its result elsewhere names the place.
        change("--result 0".into(), Self { result: 0, ..*self });
        changes
    }
}
