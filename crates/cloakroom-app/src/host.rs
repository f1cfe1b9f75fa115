//! Port for time and randomness, so that tests and simulations control both.

use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom_core::Timestamp;
use uuid::Uuid;

/// Clock and source of randomness.
pub trait Host: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Converts a time of the system clock to the time of this clock. They only differ in the dev runner, whose clock
    /// does not go back when the system clock does.
    fn at(&self, world: Timestamp) -> Timestamp {
        world
    }

    /// Returns 128 random bits.
    fn random(&self) -> u128;

    /// Returns a random UUID.
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random().to_be_bytes()).into_uuid()
    }

    /// Returns a uniformly distributed number from 0 to 1.
    fn unit(&self) -> f64 {
        let bits = u32::try_from(self.random() >> 96).unwrap_or(0);
        f64::from(bits) / f64::from(u32::MAX)
    }
}

/// Clock and randomness of the operating system.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_random() {
        assert_ne!(SystemHost.random(), SystemHost.random());
        assert_ne!(SystemHost.uuid(), SystemHost.uuid());
        let (mut ones, mut zeros) = (0, 0);
        for _ in 0..200 {
            let bits = SystemHost.random();
            (ones, zeros) = (ones | bits, zeros | !bits);
        }
        assert_eq!((ones, zeros), (u128::MAX, u128::MAX), "each of its bits is");
    }

    #[test]
    fn the_time_of_the_system_has_milliseconds() {
        let millis = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            i64::try_from(since.expect("it is later").as_millis()).expect("a time")
        };
        let before = millis();
        let now = SystemHost.now().as_millis();
        assert!((before..=millis()).contains(&now), "{before} {now}");
    }

    /// Host whose only random number this is.
    struct Drawn(u128);

    impl Host for Drawn {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }

        fn random(&self) -> u128 {
            self.0
        }
    }

    #[test]
    fn random_bits_become_a_number_from_0_to_1() {
        let units = [0, 1 << 126, 1 << 127, u128::MAX].map(|bits| Drawn(bits).unit());
        for (unit, want) in units.into_iter().zip([0.0, 0.25, 0.5, 1.0]) {
            assert!((unit - want).abs() < 1e-9, "{unit} is not {want}");
        }
    }
}
