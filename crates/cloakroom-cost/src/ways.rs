//! Ways to wait for a job's end, compared.

use std::time::Duration;

use cloakroom_core::EventScope;

use super::polls::{LONGEST_WAIT, polls_in};
use super::{Api, Listeners, Meter, Webhook, Workload};

/// Interval in seconds of a client that ignores `Retry-After`.
const OFTEN: f64 = 5.0;

/// A way to wait for the end of each job.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Description.
    pub name: &'static str,
    /// Options of `cloakroom cost` that represent it.
    pub options: String,
    /// Requests of the client per job, after the submission.
    pub requests: f64,
    /// Costs in dollars that it adds to a million jobs with a REST API.
    pub rest: f64,
    /// Costs in dollars that it adds to a million jobs with an HTTP API.
    pub http: f64,
}

/// A response to a webhook, if the workload does not say.
const WEBHOOK: Webhook = Webhook {
    attempts: 1.0,
    scope: EventScope::Terminal,
    duration: Duration::from_millis(300),
};

impl Workload {
    /// Returns all ways to wait for the end of a job, from its submission on.
    pub fn ways(&self) -> Vec<Way> {
        let time = self.duration;
        let often = (time.as_secs_f64() / OFTEN).ceil();
        let held = (time.as_secs_f64() / LONGEST_WAIT.as_secs_f64()).ceil();
        let each = time.div_f64(held);
        let webhook = self.listeners.webhook.unwrap_or(WEBHOOK);
        let (polls, listens) = (
            |polls, wait| (polls, wait, Listeners::default()),
            |listeners| (0.0, Duration::ZERO, listeners),
        );
        let none = Listeners::default();
        let followed = Listeners {
            followed: time,
            ..none
        };
        let webhooks = Listeners {
            webhook: Some(webhook),
            ..none
        };
        let bus = Listeners {
            bus: Some(EventScope::Terminal),
            ..none
        };
        let replies = Listeners {
            replies: 1.0,
            ..none
        };
        [
            (
                "polls, as Retry-After says",
                polls(polls_in(time), Duration::ZERO),
            ),
            ("polls every 5 s", polls(often, Duration::ZERO)),
            ("long polls", polls(held, each)),
            ("server-sent events", listens(followed)),
            ("webhook", listens(webhooks)),
            ("event bus", listens(bus)),
            ("reply queue", listens(replies)),
            ("no one waits", listens(none)),
        ]
        .map(|(name, (polls, wait, listeners))| self.way(name, polls, wait, listeners))
        .into()
    }

    fn way(&self, name: &'static str, polls: f64, wait: Duration, listeners: Listeners) -> Way {
        let with = |api, polls, wait, listeners| {
            let it = Self {
                api,
                polls,
                wait,
                listeners,
                ..*self
            };
            it.bill()
        };
        let added = |api| {
            let without = with(api, 0.0, Duration::ZERO, Listeners::default());
            with(api, polls, wait, listeners).dollars_per_million() - without.dollars_per_million()
        };
        let requests = |polls, wait, listeners| -> f64 {
            let bill = with(Api::Rest, polls, wait, listeners);
            let lines = bill.lines.iter().filter(|it| it.meter == Meter::Requests);
            lines.map(|line| line.calls / bill.jobs).sum()
        };
        Way {
            name,
            options: options(polls, wait, &listeners),
            requests: requests(polls, wait, listeners)
                - requests(0.0, Duration::ZERO, Listeners::default()),
            rest: added(Api::Rest),
            http: added(Api::Http),
        }
    }
}

fn options(polls: f64, wait: Duration, listeners: &Listeners) -> String {
    let mut options = format!("--polls {polls}");
    if !wait.is_zero() {
        options += &format!(" --wait {}ms", wait.as_millis());
    }
    if !listeners.followed.is_zero() {
        options += &format!(" --sse {}ms", listeners.followed.as_millis());
    }
    if let Some(webhook) = listeners.webhook {
        options += &format!(" --webhooks {}", webhook.attempts);
    }
    if let Some(scope) = listeners.bus {
        options += &format!(" --bus {}", scope.as_str());
    }
    if listeners.replies > 0.0 {
        options += &format!(" --replies {}", listeners.replies);
    }
    options
}
