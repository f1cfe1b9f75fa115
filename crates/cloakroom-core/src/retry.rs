//! Retry policies: number of attempts, and the delay between them.

use std::time::Duration;

/// Maximum number of attempts, with exponential backoff and full jitter between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Maximum number of attempts, including the first.
    pub max_attempts: u32,
    /// Longest delay after the first attempt. It doubles with each further attempt.
    pub base: Duration,
    /// Upper bound of all delays.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base: Duration::from_secs(2),
            cap: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// Returns the delay after attempt `attempt` (from 1). `unit` is the jitter, drawn uniformly from 0 to 1. Full
    /// jitter prevents jobs that failed together from retrying together.
    pub fn delay(&self, attempt: u32, unit: f64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let longest = self.base.saturating_mul(1 << doublings).min(self.cap);
        longest.mul_f64(unit.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_wait_doubles_up_to_the_cap() {
        let policy = RetryPolicy {
            max_attempts: 9,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(5),
        };
        let longest: Vec<_> = (1..=5)
            .map(|attempt| policy.delay(attempt, 1.0).as_secs())
            .collect();
        assert_eq!(longest, [1, 2, 4, 5, 5]);
        assert_eq!(policy.delay(3, 0.5), Duration::from_secs(2));
        assert_eq!(policy.delay(5, 0.5), Duration::from_millis(2500));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_cap(attempt in 0u32.., unit in -1.0f64..2.0) {
            let policy = RetryPolicy::default();
            prop_assert!(policy.delay(attempt, unit) <= policy.cap);
        }
    }

    #[test]
    fn a_command_has_three_attempts_that_wait_for_two_seconds_to_five_minutes() {
        let policy = RetryPolicy::default();
        assert_eq!(
            (
                policy.max_attempts,
                policy.base.as_secs(),
                policy.cap.as_secs()
            ),
            (3, 2, 300)
        );
        let longest: Vec<_> = (0..=10)
            .map(|attempt| policy.delay(attempt, 1.0).as_secs())
            .collect();
        assert_eq!(longest, [2, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn the_jitter_is_full_and_within_its_bounds() {
        let policy = RetryPolicy::default();
        let waits = [-1.0, 0.0, 0.25, 1.0, 2.0].map(|unit| policy.delay(2, unit).as_secs());
        assert_eq!(waits, [0, 0, 1, 4, 4]);
        assert_eq!(policy.delay(u32::MAX, 1.0), policy.cap);
        let unbounded = RetryPolicy {
            cap: Duration::MAX,
            ..policy
        };
        assert_eq!(
            unbounded.delay(33, 1.0),
            unbounded.delay(32, 1.0),
            "no shift is too far"
        );
    }
}
