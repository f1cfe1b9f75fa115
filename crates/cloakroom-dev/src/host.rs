//! The clock of jobs in the dev runner.

use cloakroom_app::core::Timestamp;
use cloakroom_app::{Host, SystemHost};
use cloakroom_embedded::Clock;

/// Takes the time from the embedded services' clock, which does not go back. A job's lease, wait and message are then
/// measured by one clock, and a machine's clock that is set back delays none of them.
///
/// Job times are then ahead of the machine's clock, until it has caught up or the runner restarts without messages.
pub(crate) struct SteadyHost(pub(crate) Clock);

impl Host for SteadyHost {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis((self.0)())
    }

    fn at(&self, world: Timestamp) -> Timestamp {
        let machine = SystemHost.now();
        world.after(self.now().since(machine))
    }

    fn random(&self) -> u128 {
        SystemHost.random()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_of_the_worlds_clock_is_as_far_ahead_by_a_clock_that_is_ahead() {
        let hour = Duration::from_secs(3600);
        let host = SteadyHost(Arc::new(move || SystemHost.now().after(hour).as_millis()));
        let soon = SystemHost.now().after(Duration::from_secs(60));
        assert!(host.at(soon).since(soon.after(hour)) < Duration::from_secs(60));
        assert!(host.at(soon) >= soon.after(hour));
    }
}
