//! Time and randomness as arguments, so that a test does not wait.

use std::time::Duration;
use std::{future::Future, pin::Pin};

/// Future of a wait.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Source of time, waits and jitter.
pub trait Clock: Send + Sync + 'static {
    /// Returns the time since a fixed point. It never goes back.
    fn now(&self) -> Duration;

    /// Waits for this duration.
    fn sleep(&self, duration: Duration) -> Sleep<'_>;

    /// Returns a random number from 0 to 1, evenly distributed: the jitter of a wait.
    fn unit(&self) -> f64;
}

/// The machine's clock, as Tokio reads it.
pub(crate) struct SystemClock(tokio::time::Instant);

impl SystemClock {
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn unit(&self) -> f64 {
        // 32 random bits of a UUID: saves a dependency on a crate for random numbers.
        let bits = (uuid::Uuid::new_v4().as_u64_pair().1 >> 8) & 0xffff_ffff;
        f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}
