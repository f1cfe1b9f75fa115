//! Plan of one client: its command and its behaviour.

use std::time::Duration;

use cloakroom_app::testing::split_mix;
use cloakroom_core::Digest;
use cloakroom_tests::audit::Wish;
use serde_json::{Value, json};

/// Generator of random numbers from a seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Creates the generator of a seed for one purpose.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        let mut state = seed ^ purpose.wrapping_mul(0x9e6c_63d0_876a_68bd);
        split_mix(&mut state);
        Self(state)
    }

    /// Returns a number from 0 to `n` - 1.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        split_mix(&mut self.0) % n.max(1)
    }

    /// Returns true with a probability of `per_mille` in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Returns a duration from `least` to `most` milliseconds.
    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}

/// Way in which a client submits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sends {
    /// Submits until there is a response.
    Once,
    /// Submits twice concurrently.
    Twice,
    /// Disconnects immediately, and submits again.
    HangsUp,
    /// Tries once, and abandons the submission.
    GivesUp,
}

/// Plan of a client.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) n: u64,
    pub(crate) payload: Value,
    pub(crate) wish: Wish,
    pub(crate) sends: Sends,
    /// Delay of the job's earliest start.
    pub(crate) not_before: Option<Duration>,
    /// Time between the response to the submission and the cancellation.
    pub(crate) cancels_after: Option<Duration>,
    /// Duration of long polls in seconds.
    pub(crate) waits: u64,
    /// True if the client reuses its key for another command.
    pub(crate) reuses_key: bool,
}

impl Plan {
    /// Creates the plan of the n-th client in a run.
    pub(crate) fn from_seed(seed: u64, n: u64, give_up: u64) -> Self {
        let mut dice = Dice::new(seed, n);
        let (payload, wish) = what(&mut dice, n);
        let sends = match dice.below(1000) {
            drawn if drawn < give_up => Sends::GivesUp,
            drawn if drawn < give_up + 100 => Sends::Twice,
            drawn if drawn < give_up + 200 => Sends::HangsUp,
            _ => Sends::Once,
        };
        let cancels_after = match dice.below(100) {
            0..4 => Some(Duration::ZERO),
            4..8 => Some(dice.millis(100, 3000)),
            _ => None,
        };
        Self {
            n,
            payload,
            wish,
            sends,
            not_before: dice.chance(40).then(|| dice.millis(1000, 5000)),
            cancels_after,
            waits: if dice.chance(200) {
                1 + dice.below(5)
            } else {
                0
            },
            reuses_key: dice.chance(20),
        }
    }
}

/// Returns a payload, and the expected end of its job.
fn what(dice: &mut Dice, n: u64) -> (Value, Wish) {
    let duration = dice.below(400);
    match dice.below(100) {
        0..60 => (
            json!({"duration_ms": duration, "result": {"n": n}}),
            Wish::Result(json!({"n": n})),
        ),
        60..70 => {
            let (duration, steps) = (1000 + dice.below(3000), dice.below(4));
            let payload = json!({"duration_ms": duration, "progress_steps": steps, "result": n});
            (payload, Wish::Result(json!(n)))
        }
        // Too large for a message.
        70..76 => {
            let message = format!("{n} ").repeat(100_000);
            let digest = Digest::from_content(message.as_bytes()).to_string();
            (
                json!({"digest": true, "message": message}),
                Wish::Result(json!({"sha256_message": digest})),
            )
        }
        // Too large for a record.
        76..82 => {
            let length = 40_000 + usize::try_from(dice.below(100_000)).expect("it is small");
            (
                json!({"duration_ms": duration, "result_bytes": length}),
                Wish::Bytes(length),
            )
        }
        82..88 => {
            let payload = json!({"duration_ms": duration, "fail": "terminal", "code": "no-paper"});
            (payload, Wish::Failure("no-paper"))
        }
        88..94 => {
            let payload =
                json!({"fail": "retryable", "fail_attempts": 1, "code": "no-ink", "result": n});
            (payload, Wish::ResultAfter("no-ink", json!(n)))
        }
        94..96 => (
            json!({"fail": "panic", "fail_attempts": 1, "result": n}),
            Wish::ResultAfter("job-failed", json!(n)),
        ),
        96..98 => (
            json!({"fail": "retryable", "code": "no-ink"}),
            Wish::Failure("no-ink"),
        ),
        98 => (
            json!({"fail": "exit", "fail_attempts": 1, "result": n}),
            Wish::ResultAfter("worker-crashed", json!(n)),
        ),
        _ => (json!({"fail": "exit"}), Wish::Crash),
    }
}
