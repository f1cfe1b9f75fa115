//! How often, and how far apart.

use std::time::Duration;

/// Attempts, and exponential backoff with full jitter between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts a job has, the first one counted.
    pub max_attempts: u32,
    /// The longest wait after the first attempt; it doubles with each further one.
    pub base: Duration,
    /// The longest wait after any attempt.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 3, base: Duration::from_secs(2), cap: Duration::from_secs(300) }
    }
}

impl RetryPolicy {
    /// How long to wait after attempt `attempt` (from 1). `unit`, drawn evenly from 0 to 1, is the jitter: full, so that
    /// jobs that failed together don't come back together.
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
        let policy = RetryPolicy { max_attempts: 9, base: Duration::from_secs(1), cap: Duration::from_secs(5) };
        let longest: Vec<_> = (1..=5).map(|attempt| policy.delay(attempt, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 5, 5]);
        assert_eq!(policy.delay(3, 0.5), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_cap(attempt in 0u32.., unit in -1.0f64..2.0) {
            let policy = RetryPolicy::default();
            prop_assert!(policy.delay(attempt, unit) <= policy.cap);
        }
    }
}
