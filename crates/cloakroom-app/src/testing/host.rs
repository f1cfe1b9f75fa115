//! A host with a controlled clock.

use std::sync::Mutex;
use std::time::Duration;

use cloakroom_core::Timestamp;
use tokio::time::Instant;

use crate::host::Host;

/// A host that uses tokio's clock (pause it), and deterministic randomness from a seed.
#[derive(Debug)]
pub struct TestHost {
    epoch: Timestamp,
    ahead: Duration,
    begun: Instant,
    state: Mutex<u64>,
}

impl TestHost {
    /// Returns a host whose time is 2026-11-21T08:00:00Z.
    pub fn new(seed: u64) -> Self {
        Self {
            epoch: Timestamp::from_seconds(1_795_248_000),
            ahead: Duration::ZERO,
            begun: Instant::now(),
            state: Mutex::new(seed),
        }
    }

    /// Returns the same host, whose clock is ahead of the system clock by this time.
    #[must_use]
    pub fn ahead_by(mut self, time: Duration) -> Self {
        self.ahead = time;
        self
    }

    fn next(&self) -> u64 {
        let mut state = self.state.lock().expect("no test panics while it draws");
        split_mix(&mut state)
    }
}

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        self.epoch.after(self.begun.elapsed())
    }

    fn at(&self, world: Timestamp) -> Timestamp {
        world.after(self.ahead)
    }

    fn random(&self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }
}

/// Draws the next number of the `SplitMix64` sequence.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
