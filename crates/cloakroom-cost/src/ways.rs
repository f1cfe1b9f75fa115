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
        let nobody = Self {
            polls: 0.0,
            wait: Duration::ZERO,
            listeners: Listeners::default(),
            ..*self
        };
        let polling = |polls| Self { polls, ..nobody };
        let listening = |listeners| Self {
            listeners,
            ..nobody
        };
        let none = Listeners::default();
        let held = (time.as_secs_f64() / LONGEST_WAIT.as_secs_f64()).ceil();
        let long_polls = Self {
            wait: time.div_f64(held),
            ..polling(held)
        };
        let followed = Listeners {
            followed: time,
            ..none
        };
        let webhook = Listeners {
            webhook: self.listeners.webhook.or(Some(WEBHOOK)),
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
        let often = (time.as_secs_f64() / OFTEN).ceil();
        [
            ("polls, as Retry-After says", polling(polls_in(time))),
            ("polls every 5 s", polling(often)),
            ("long polls", long_polls),
            ("server-sent events", listening(followed)),
            ("webhook", listening(webhook)),
            ("event bus", listening(bus)),
            ("reply queue", listening(replies)),
            ("no one waits", nobody),
        ]
        .map(|(name, way)| Way {
            name,
            options: way.waiting_options(),
            requests: way.requests() - nobody.requests(),
            rest: way.more_than(&nobody, Api::Rest),
            http: way.more_than(&nobody, Api::Http),
        })
        .into()
    }

    /// Returns the dollars that a million of these jobs cost more than those of another workload.
    fn more_than(&self, other: &Self, api: Api) -> f64 {
        let million = |it: &Self| Self { api, ..*it }.bill().dollars_per_million();
        million(self) - million(other)
    }

    /// Returns the number of requests of the client per job.
    fn requests(&self) -> f64 {
        let calls = self.calls().into_iter();
        let requests = calls.filter(|call| call.meter == Meter::Requests);
        requests.map(|call| call.a_job).sum()
    }

    /// Returns the options of `cloakroom cost` that say who waits.
    fn waiting_options(&self) -> String {
        let it = &self.listeners;
        let options = [
            Some(format!("--polls {}", self.polls)),
            (!self.wait.is_zero()).then(|| format!("--wait {}ms", self.wait.as_millis())),
            (!it.followed.is_zero()).then(|| format!("--sse {}ms", it.followed.as_millis())),
            it.webhook.map(|it| format!("--webhooks {}", it.attempts)),
            it.bus.map(|scope| format!("--bus {}", scope.as_str())),
            (it.replies > 0.0).then(|| format!("--replies {}", it.replies)),
        ];
        let options: Vec<_> = options.into_iter().flatten().collect();
        options.join(" ")
    }
}
