//! What goes wrong, and when: drawn from a seed, one decision a call.

use std::collections::BTreeSet;
use std::time::Duration;

use cloakroom_app::testing::split_mix;
use cloakroom_core::JobId;

use crate::Mutation;

/// The most that a process's clock is wrong by, either way.
pub const SKEW: Duration = Duration::from_millis(1500);

/// A schedule of everything that happens by chance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Decides everything.
    pub seed: u64,
    /// Decisions in which nothing goes wrong all the same: what shrinking takes away.
    pub spared: BTreeSet<u64>,
    /// How the code under test is broken, if it is.
    pub mutation: Option<Mutation>,
    /// Whether the story is written down.
    pub tell: bool,
}

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing; it takes so long.
    None(Duration),
    /// Nothing happened, and the caller is told so: throttled, or away.
    Refused,
    /// It happened, and the caller is told that it did not answer.
    AnswerLost,
    /// The caller is told that it did not answer; it happens so much later.
    Late(Duration),
    /// The caller's process dies before it.
    DiesBefore,
    /// The caller's process dies after it.
    DiesAfter,
}

/// A service that the use cases need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The table.
    Table,
    /// The queues.
    Queue,
    /// The store of objects.
    Objects,
}

/// A time in which every call to a service fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Which service.
    pub service: Service,
    /// When it begins.
    pub from: Duration,
    /// When it ends.
    pub to: Duration,
}

/// Time in which the answers of an outage's first calls are lost.
const ANSWERS_LOST: Duration = Duration::from_secs(5);

/// Draws numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Those of a seed, for one purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut state = seed ^ purpose.wrapping_mul(0x9e6c_63d0_876a_68bd);
        split_mix(&mut state);
        Self(state)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        split_mix(&mut self.0)
    }

    /// One of 0 to `n` - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }

    /// A time from `least` to `most` milliseconds.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

impl Plan {
    /// The plan of a seed, with nothing taken away.
    pub fn from_seed(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// How many calls in a thousand go wrong while there is trouble: in some runs none, in some many.
    pub fn rate(&self) -> u64 {
        if self.late() {
            return 100;
        }
        [0, 10, 30, 100, 250][usize::try_from(Dice::new(self.seed, 1).below(5)).unwrap_or(0)]
    }

    /// Whether much comes late: clients come back with their keys about when these are free again, old messages with them, and
    /// some messages just when the sweeper does.
    pub fn late(&self) -> bool {
        Dice::new(self.seed, 7).chance(20)
    }

    /// The outage of a service, of up to half an hour. More often where there is no other trouble: jobs fail there only as their
    /// handlers say.
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

    /// Returns true if the handler of this job kills its process. Most often in runs without other trouble: there, no other job may
    /// end because of it.
    pub fn poisons(&self, job: JobId) -> bool {
        let often = if self.rate() == 0 { 500 } else { 100 };
        let poisoned = self.outage().is_none() && Dice::new(self.seed, 10).chance(often);
        poisoned && job.as_uuid().as_u128().is_multiple_of(3)
    }

    /// Returns true if most renewals fail while there is trouble, of leases and of invisibility, so that workers that live lose
    /// their leases.
    pub fn loses_leases(&self) -> bool {
        Dice::new(self.seed, 11).chance(50)
    }

    /// Returns what goes wrong at a call to a service that is unavailable at this time.
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

    /// Returns when the last trouble ends.
    pub fn calm_from(&self) -> Duration {
        self.outage()
            .map_or(self.trouble(), |outage| self.trouble().max(outage.to))
    }

    /// Returns how long there is trouble, other than an outage.
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

    /// What goes wrong at the n-th call.
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
