//! Plan of the faults and their times, drawn from a seed, with one decision per call.

use std::collections::BTreeSet;
use std::time::Duration;

use cloakroom_app::testing::split_mix;
use cloakroom_core::JobId;

use crate::Mutation;

/// Maximum error of a process's clock, in either direction.
pub const SKEW: Duration = Duration::from_millis(1500);

/// Schedule of all random events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Seed, which determines everything.
    pub seed: u64,
    /// Decisions whose fault is suppressed. Shrinking adds to them.
    pub spared: BTreeSet<u64>,
    /// Mutation of the code under test, if any.
    pub mutation: Option<Mutation>,
    /// True if the story is recorded.
    pub tell: bool,
}

/// Fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No fault. The call takes this time.
    None(Duration),
    /// The call has no effect, and fails: throttled, or unavailable.
    Refused,
    /// The call has its effect, but its response is lost.
    AnswerLost,
    /// The response is lost, and the effect happens later by this time.
    Late(Duration),
    /// The caller's process crashes before the effect.
    DiesBefore,
    /// The caller's process crashes after the effect.
    DiesAfter,
}

/// Service that the use cases need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Table of jobs.
    Table,
    /// Queues.
    Queue,
    /// Store of objects.
    Objects,
    /// Receiver of webhooks.
    Receiver,
}

/// Period in which every call to a service fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Service of the outage.
    pub service: Service,
    /// Start of the outage.
    pub from: Duration,
    /// End of the outage.
    pub to: Duration,
}

/// Period at the start of an outage in which calls have their effect, but lose their responses.
const ANSWERS_LOST: Duration = Duration::from_secs(5);

/// Generator of random numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Creates the generator of a seed for one purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut state = seed ^ purpose.wrapping_mul(0x9e6c_63d0_876a_68bd);
        split_mix(&mut state);
        Self(state)
    }

    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        split_mix(&mut self.0)
    }

    /// Returns a number from 0 to `n` - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }

    /// Returns a duration from `least` to `most` milliseconds.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    /// Returns true with a probability of `per_mille` in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

impl Plan {
    /// Creates the plan of a seed, with all of its faults.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// Returns the number of faults per thousand calls while there are faults. It is zero in some runs, and high in
    /// others.
    pub fn rate(&self) -> u64 {
        if self.late() {
            return 100;
        }
        [0, 10, 30, 100, 250][usize::try_from(Dice::new(self.seed, 1).below(5)).unwrap_or(0)]
    }

    /// Returns true if many events are late. Clients then return when their keys become free again, together with old
    /// messages, and some messages arrive just when the sweeper does.
    pub fn late(&self) -> bool {
        Dice::new(self.seed, 7).chance(20)
    }

    /// Returns true if jobs have webhooks.
    pub fn listens(&self) -> bool {
        match self.mutation {
            Some(mutation) => mutation.is_of_listeners(),
            None => Dice::new(self.seed, 12).chance(50),
        }
    }

    /// Returns the outage of a service, of up to half an hour. More frequent in runs without other faults, in which
    /// jobs fail only if their handlers do.
    pub fn outage(&self) -> Option<Outage> {
        let mut dice = Dice::new(self.seed, 9);
        if !dice.chance(if self.rate() == 0 { 600 } else { 100 }) {
            return None;
        }
        let service = [Service::Table, Service::Queue, Service::Objects]
            [usize::try_from(dice.below(3)).unwrap_or(0)];
        let from = dice.millis(0, 300_000);
        Some(Outage {
            service,
            from,
            to: from + dice.millis(1000, 1_800_000),
        })
    }

    /// Returns true if the handler of this job crashes its process. Most frequent in runs without other faults, in
    /// which no other job may end because of it.
    pub fn poisons(&self, job: JobId) -> bool {
        let often = if self.rate() == 0 { 500 } else { 100 };
        let poisoned = self.outage().is_none() && Dice::new(self.seed, 10).chance(often);
        poisoned && job.as_uuid().as_u128().is_multiple_of(3)
    }

    /// Returns true if most renewals of leases and visibility timeouts fail while there are faults, so that live
    /// workers lose their leases.
    pub fn loses_leases(&self) -> bool {
        Dice::new(self.seed, 11).chance(50)
    }

    /// Returns the fault of a call to a service that is unavailable at this time.
    pub fn in_outage(&self, service: Service, age: Duration, n: u64) -> Option<Trouble> {
        let outage = self
            .outage()
            .filter(|it| it.service == service && it.from <= age && age < it.to)?;
        let lost = age < outage.from + ANSWERS_LOST && Dice::new(self.seed, 1000 + n).chance(500);
        Some(if lost {
            Trouble::AnswerLost
        } else {
            Trouble::Refused
        })
    }

    /// Returns the time at which the last fault ends.
    pub fn calm_from(&self) -> Duration {
        self.outage()
            .map_or(self.trouble(), |outage| self.trouble().max(outage.to))
    }

    /// Returns the duration of faults other than an outage.
    pub fn trouble(&self) -> Duration {
        let mut dice = Dice::new(self.seed, 2);
        if self.late() {
            return Duration::from_secs(12_600);
        }
        let longest = if dice.chance(250) {
            9_000_000
        } else {
            3_600_000
        };
        dice.millis(10_000, longest)
    }

    /// Returns the fault of the n-th call.
    pub fn at(&self, n: u64, rate: u64) -> Trouble {
        let mut dice = Dice::new(self.seed, 1000 + n);
        let usual = Trouble::None(dice.millis(1, 20));
        if rate == 0 || self.spared.contains(&n) || !dice.chance(rate) {
            return usual;
        }
        match dice.below(8) {
            0 | 1 => Trouble::Refused,
            2 => Trouble::AnswerLost,
            3 => Trouble::Late(dice.millis(1, 20_000)),
            4 => Trouble::DiesBefore,
            5 => Trouble::DiesAfter,
            6 => Trouble::None(dice.millis(100, 2_000)),
            _ => Trouble::None(dice.millis(2_000, 8_000)),
        }
    }
}
