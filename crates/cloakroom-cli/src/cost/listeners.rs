//! Options for those who wait for a job without polling.

use std::time::Duration;

use clap::ValueEnum;
use cloakroom_app::core::EventScope;
use cloakroom_cost::{Listeners, Webhook};

use super::read;

#[derive(Debug, clap::Args)]
pub(super) struct ListenerArgs {
    /// Average time for which a client follows a job by server-sent events, until its end; 0s for none
    #[arg(long, value_name = "TIME", default_value = "0s", allow_hyphen_values = true, value_parser = read::followed)]
    sse: Duration,
    /// Average number of attempts to deliver an event to the webhook of a job; less than 1 if not all jobs have one
    #[arg(long, value_name = "N", default_value = "0", allow_hyphen_values = true, value_parser = read::webhooks)]
    webhooks: f64,
    /// Events that webhooks receive (Callback-Events)
    #[arg(long, value_name = "SCOPE", default_value = "terminal")]
    webhook_events: Scope,
    /// Time until the receiver of a webhook responds: an assumption
    #[arg(long, value_name = "TIME", default_value = "300ms", allow_hyphen_values = true, value_parser = read::response)]
    webhook_duration: Duration,
    /// Replies of a job to a queue (Reply-To): 1, or less if not all jobs have one
    #[arg(long, value_name = "N", default_value = "0", allow_hyphen_values = true, value_parser = read::replies)]
    replies: f64,
    /// Events of all jobs that are put on an event bus; without this option, none
    #[arg(long, value_name = "SCOPE")]
    bus: Option<Scope>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    Terminal,
    All,
}

impl From<Scope> for EventScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Terminal => Self::Terminal,
            Scope::All => Self::All,
        }
    }
}

impl ListenerArgs {
    pub(super) fn listeners(&self) -> Listeners {
        let webhook = Webhook {
            attempts: self.webhooks,
            scope: self.webhook_events.into(),
            duration: self.webhook_duration,
        };
        Listeners {
            followed: self.sse,
            webhook: (webhook.attempts > 0.0).then_some(webhook),
            replies: self.replies,
            bus: self.bus.map(Into::into),
        }
    }
}
