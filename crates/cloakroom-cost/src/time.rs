//! Billed time of functions.

use std::time::Duration;

/// Returns the billed duration in seconds, rounded up to milliseconds.
pub(super) fn billed(run: Duration) -> f64 {
    Duration::from_millis(
        run.as_nanos()
            .div_ceil(1_000_000)
            .try_into()
            .unwrap_or(u64::MAX),
    )
    .as_secs_f64()
}

/// Returns a function's memory in gigabytes.
pub(super) fn gigabytes(memory: u32) -> f64 {
    f64::from(memory) / 1024.0
}
