//! Clock of jobs in the dev runner.

use cloakroom_app::core::Timestamp;
use cloakroom_app::{Host, SystemHost};
use cloakroom_embedded::Clock;

/// Host whose time is that of the embedded services' clock, which does not go back. So leases, delays and messages use
/// the same clock, and setting back the system clock delays none of them.
///
/// After that, job times are ahead of the system clock, until it has caught up or the runner restarts without messages.
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
