//! Time and randomness, as a port: so that tests and simulations decide both.

use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom_core::Timestamp;
use uuid::Uuid;

/// The clock and the dice.
pub trait Host: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// The time by this clock at which the world's clock will show `world`. They differ in the dev runner alone, whose
    /// clock does not go back when the machine's clock is set back.
    fn at(&self, world: Timestamp) -> Timestamp {
        world
    }

    /// 128 random bits.
    fn random(&self) -> u128;

    /// A random UUID.
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random().to_be_bytes()).into_uuid()
    }

    /// A number drawn evenly from 0 to 1.
    fn unit(&self) -> f64 {
        let bits = u32::try_from(self.random() >> 96).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX)
    }
}

/// The machine's own clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemHost;

impl Host for SystemHost {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn random(&self) -> u128 {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the system has random bits");
        u128::from_ne_bytes(bits)
    }
}
