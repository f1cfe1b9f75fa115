//! Polls of a client.

use std::time::Duration;

use cloakroom_core::poll::retry_after_age;

/// Maximum duration of a long poll.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// Returns the number of polls of a client that follows `Retry-After`, until one finds that a job of this duration has
/// ended.
pub(super) fn polls_in(time: Duration) -> f64 {
    let (mut age, mut polls) = (Duration::ZERO, 0.0);
    while age < time || polls == 0.0 {
        age += Duration::from_secs(retry_after_age(age));
        polls += 1.0;
    }
    polls
}
