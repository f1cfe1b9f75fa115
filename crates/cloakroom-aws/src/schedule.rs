//! Messages with a long delay, sent by `EventBridge` Scheduler: one schedule per message, deleted after it ran.
//!
//! The name of a schedule is the digest of its message, so sending a message again creates no second schedule. The
//! scheduler is up to a minute late. It retries for a day if it can't send. If it abandons a message, the sweeper ends
//! the job.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::create_schedule::CreateScheduleError;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, Target,
};
use cloakroom_app::ports::{LONGEST_DELAY, PortError, Queue, QueueState};
use cloakroom_app::{Host as _, SystemHost};
use cloakroom_core::{Digest, Tenant, Timestamp};

use crate::clients::Clients;
use crate::config::ScheduleConfig;
use crate::error::{SCHEDULER, port_error};
use crate::queue::SqsQueue;

/// A queue, and a schedule group for delays that the queue does not support. A separate type, so that only the function
/// that delays jobs links the client. The client is built at its first use, because few jobs have long delays.
#[derive(Debug)]
pub(crate) struct ScheduledQueue {
    queue: SqsQueue,
    clients: Clients,
    client: OnceLock<Client>,
    config: ScheduleConfig,
}

impl ScheduledQueue {
    pub(crate) fn new(queue: SqsQueue, clients: &Clients, config: &ScheduleConfig) -> Self {
        Self {
            queue,
            clients: clients.clone(),
            client: OnceLock::new(),
            config: config.clone(),
        }
    }

    /// Schedules a message for this time.
    async fn schedule(&self, body: String, at: Timestamp) -> Result<(), PortError> {
        let target = Target::builder()
            .arn(&self.config.queue_arn)
            .role_arn(&self.config.role_arn)
            .input(&body)
            .build();
        let window = FlexibleTimeWindow::builder()
            .mode(FlexibleTimeWindowMode::Off)
            .build();
        let created = self
            .client
            .get_or_init(|| self.clients.scheduler())
            .create_schedule()
            .group_name(&self.config.group)
            .name(Digest::from_content(body.as_bytes()).to_string())
            .schedule_expression(expression(at))
            .action_after_completion(ActionAfterCompletion::Delete)
            .flexible_time_window(window.expect("its mode is set"))
            .target(target.expect("queue and role are set"))
            .send()
            .await;
        match created {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreateScheduleError::is_conflict_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(port_error(SCHEDULER, &error)),
        }
    }
}

#[async_trait]
impl Queue for ScheduledQueue {
    async fn send(
        &self,
        tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError> {
        if delay > LONGEST_DELAY {
            return self.schedule(body, SystemHost.now().after(delay)).await;
        }
        self.queue.send(tenant, body, delay, xray).await
    }

    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError> {
        self.queue.hide(receipt, time).await
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        self.queue.state().await
    }
}

/// Formats a time in UTC, rounded up to a second.
fn expression(at: Timestamp) -> String {
    let text = at.after(Duration::from_millis(999)).to_string();
    format!("at({})", text.split('.').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_to_the_second_and_never_earlier() {
        for (millis, text) in [
            (1_795_248_000_000, "at(2026-11-21T08:00:00)"),
            (1_795_248_000_001, "at(2026-11-21T08:00:01)"),
            (1_795_248_000_999, "at(2026-11-21T08:00:01)"),
        ] {
            assert_eq!(expression(Timestamp::from_millis(millis)), text);
        }
    }
}
