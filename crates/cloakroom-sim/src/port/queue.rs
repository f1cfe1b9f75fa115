//! Queues of a process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cloakroom_app::ports::{LONGEST_DELAY, PortError, Queue, QueueState};
use cloakroom_core::Tenant;

use super::Process;
use crate::Mutation;
use crate::plan::Service;
use crate::world::{CYCLE, Lane};

/// Maximum time for which a message is hidden.
const LONGEST_HIDE: Duration = Duration::from_secs(42_300);

/// One queue of a process.
#[derive(Debug)]
pub struct ProcessQueue(pub Arc<Process>, pub Lane);

#[async_trait]
impl Queue for ProcessQueue {
    async fn send(
        &self,
        _: &Tenant,
        body: String,
        delay: Duration,
        _: Option<&str>,
    ) -> Result<(), PortError> {
        let lane = self.1;
        self.0
            .call(
                Service::Queue,
                move || format!("send to {lane:?}"),
                move |world, state| state.send(lane, body, delay.min(LONGEST_DELAY), world.now()),
            )
            .await
    }

    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError> {
        let (lane, receipt) = (self.1, receipt.to_owned());
        if lane == Lane::Commands {
            self.0.may_fail_to_renew().await?;
        }
        let what = {
            let receipt = receipt.clone();
            move || format!("hide {receipt} for {} s", time.as_secs())
        };
        let for_nothing =
            lane == Lane::Commands && self.0.mutation() == Some(Mutation::HideForNothing);
        let time = if for_nothing { Duration::ZERO } else { time };
        self.0
            .call(Service::Queue, what, move |_, state| {
                state.hide(lane, &receipt, time.min(LONGEST_HIDE));
            })
            .await
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        let impatient = self.0.mutation() == Some(Mutation::ImpatientSweeper);
        self.0
            .call(
                Service::Queue,
                || "ask for the queue's state".to_owned(),
                |_, _| (),
            )
            .await?;
        let backlog = self.0.world.backlog() && !impatient;
        Ok(QueueState {
            backlog,
            cycle: if impatient { Duration::ZERO } else { CYCLE },
        })
    }
}
