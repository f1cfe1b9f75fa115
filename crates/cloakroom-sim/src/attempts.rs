//! Random decisions about each attempt of a job: the course of its handler, and whether it may fail the job.

use std::time::Duration;

use cloakroom_core::JobId;

use crate::invariant::ATTEMPTS;
use crate::plan::Dice;

/// Timeout of an attempt: long enough for a lease to be lost, and for that to be noticed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(24);

/// Returns the dice of an attempt. They are the same in every run of a seed.
pub(crate) fn dice_of(seed: u64, job: JobId, attempt: u32) -> Dice {
    let drawn = job.as_uuid().as_u128() ^ u128::from(attempt);
    Dice::new(seed, u64::try_from(drawn % 0xffff_ffff).unwrap_or(0))
}

/// Reports whether a job may fail in a run whose only trouble is one outage: its handler fails it, or too few attempts are sure
/// to succeed in time. An outage can cost one attempt: the one whose end could not be written.
pub(crate) fn may_fail(seed: u64, job: JobId) -> bool {
    let mut sure = 0;
    for attempt in 1..=ATTEMPTS {
        let mut dice = dice_of(seed, job, attempt);
        let time = dice.millis(0, 4000);
        let takes = match dice.below(20) {
            0..9 => time,
            9 | 11 => continue,
            10 => return true,
            12..15 => time * 20,
            15 => time * 4,
            _ => time * 3,
        };
        if takes < TIMEOUT.saturating_sub(Duration::from_millis(500)) {
            sure += 1;
        }
        if sure == 2 {
            return false;
        }
    }
    true
}
