//! Savings: the same month, estimated again with one setting changed.

use std::time::Duration;

use cloakroom_core::EventScope;

use super::polls::{LONGEST_WAIT, polls_in};
use super::{Api, Architecture, Listeners, Webhook, Workload};

/// A change, and the amount that it saves.
#[derive(Debug, Clone, PartialEq)]
pub struct Lever {
    /// Options of `cloakroom cost` that represent the change.
    pub options: String,
    /// Further condition of the change.
    pub provided: Option<&'static str>,
    /// Savings per month in dollars.
    pub saves: f64,
}

/// Maximum number of messages in a batch, according to the template.
const LARGEST_BATCH: f64 = 10.0;

/// Minimum memory of a function in megabytes.
const LEAST_MEMORY: u32 = 128;

impl Workload {
    /// Returns changes that reduce the costs by at least 1%, the largest savings first.
    pub fn levers(&self) -> Vec<Lever> {
        let now = self.bill().dollars();
        let levers = self
            .changes()
            .into_iter()
            .chain(self.listener_changes())
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
                Some("if handlers wait for I/O, and jobs arrive fast enough"),
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
                Some("if it is stored elsewhere"),
                Self { result: 0, ..*self },
            ),
        ];
        if self.polls > 1.0 && self.duration <= LONGEST_WAIT {
            // One long poll that lasts as long as the job runs.
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

    fn listener_changes(&self) -> Vec<(String, Option<&'static str>, Self)> {
        let it = self.listeners;
        let mut changes = vec![];
        let mut change = |options, provided, polls, listeners| {
            changes.push((
                options,
                provided,
                Self {
                    polls,
                    listeners,
                    ..*self
                },
            ));
        };
        if !it.followed.is_zero() {
            let polls = self.polls + polls_in(it.followed);
            let listeners = Listeners {
                followed: Duration::ZERO,
                ..it
            };
            let provided = Some("if clients may learn of changes later");
            change(
                format!("--sse 0s --polls {polls}"),
                provided,
                polls,
                listeners,
            );
        }
        if let Some(webhook) = it.webhook {
            let webhook = Some(Webhook {
                scope: EventScope::Terminal,
                ..webhook
            });
            let listeners = Listeners { webhook, ..it };
            change(
                "--webhook-events terminal".into(),
                None,
                self.polls,
                listeners,
            );
        }
        if it.bus.is_some() {
            let bus = Some(EventScope::Terminal);
            let listeners = Listeners { bus, ..it };
            change("--bus terminal".into(), None, self.polls, listeners);
        }
        changes
    }
}
