//! Time and randomness, as arguments: so that a test of waiting does not wait.

use std::time::Duration;
use std::{future::Future, pin::Pin};

/// A wait that goes on.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells the time, waits, and draws jitter.
pub trait Clock: Send + Sync + 'static {
    /// The time since some fixed point; it never goes back.
    fn now(&self) -> Duration;

    /// Waits this long.
    fn sleep(&self, duration: Duration) -> Sleep<'_>;

    /// Draws evenly from 0 to 1: the jitter of a wait.
    fn unit(&self) -> f64;
}

/// The machine's clock, by Tokio.
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
        // The low half of a random UUID, but for its two fixed bits: spares a crate of random numbers.
        let bits = (uuid::Uuid::new_v4().as_u64_pair().1 >> 8) & 0xffff_ffff;
        f64::from(u32::try_from(bits).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}
