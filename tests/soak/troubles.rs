//! Faults of calls to a service, drawn from a seed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::Dice;

/// Purpose of the random numbers for faults, distinct from those of clients and kills.
const PURPOSE: u64 = 1 << 41;

/// Service that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Cloakroom's API, called by clients.
    Api,
    DynamoDb,
    Sqs,
    S3,
}

/// Fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// No fault.
    None,
    /// The service throttles the call.
    Throttled,
    /// The connection breaks before the service receives the request.
    Refused,
    /// The connection breaks before the response.
    AnswerLost,
    /// The request is delayed.
    Delayed(Duration),
    /// The request is sent twice, which duplicates a message.
    SentTwice,
}

/// Number of faults per thousand calls.
struct Rates {
    throttled: u64,
    refused: u64,
    lost: u64,
    delayed: u64,
    /// Only for calls that send messages.
    twice: u64,
}

/// Draws faults, and counts them.
pub(crate) struct Troubles(Mutex<State>);

struct State {
    dice: Dice,
    is_on: bool,
    /// Start and end of the next storm of each service, in which nearly every call is throttled.
    storms: HashMap<Service, (Instant, Instant)>,
    counts: Counts,
}

/// Number of calls and faults.
pub(crate) type Counts = BTreeMap<(Service, &'static str), u64>;

impl Troubles {
    /// Creates a generator without faults, until they are started.
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Dice::new(seed, PURPOSE);
        Self(Mutex::new(State {
            dice,
            is_on: false,
            storms: HashMap::new(),
            counts: Counts::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics here")
    }

    pub(crate) fn begin(&self) {
        self.state().is_on = true;
    }

    pub(crate) fn end(&self) {
        self.state().is_on = false;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// Returns the fault of the next call. `sends` is true if the call sends one message.
    pub(crate) fn draw(&self, service: Service, sends: bool) -> Trouble {
        let mut state = self.state();
        *state.counts.entry((service, "calls")).or_default() += 1;
        if !state.is_on {
            return Trouble::None;
        }
        let trouble = state.trouble(service, sends);
        let counted = match trouble {
            Trouble::None => return trouble,
            Trouble::Throttled => "throttled",
            Trouble::Refused => "refused",
            Trouble::AnswerLost => "answers lost",
            Trouble::Delayed(_) => "delayed",
            Trouble::SentTwice => "sent twice",
        };
        *state.counts.entry((service, counted)).or_default() += 1;
        trouble
    }
}

impl State {
    fn trouble(&mut self, service: Service, sends: bool) -> Trouble {
        let rates = match service {
            // The emulator's gateway is not throttled, because a 429 of its own has a specific body.
            Service::Api => Rates {
                throttled: 0,
                refused: 5,
                lost: 15,
                delayed: 0,
                twice: 0,
            },
            Service::DynamoDb | Service::Sqs | Service::S3 => Rates {
                throttled: 15,
                refused: 8,
                lost: 15,
                delayed: 30,
                twice: 100,
            },
        };
        if rates.throttled > 0 && self.storms_at(service) && self.dice.chance(800) {
            return Trouble::Throttled;
        }
        let mut drawn = self.dice.below(1000);
        let mut hit = |rate: u64| {
            let hit = drawn < rate;
            drawn = drawn.wrapping_sub(rate);
            hit
        };
        if hit(rates.throttled) {
            Trouble::Throttled
        } else if hit(rates.refused) {
            Trouble::Refused
        } else if hit(rates.lost) {
            Trouble::AnswerLost
        } else if hit(rates.delayed) {
            // One in ten exceeds the caller's timeout, but still takes effect.
            let (least, most) = if self.dice.chance(100) {
                (3000, 6000)
            } else {
                (20, 600)
            };
            Trouble::Delayed(self.dice.millis(least, most))
        } else if sends && hit(rates.twice) {
            Trouble::SentTwice
        } else {
            Trouble::None
        }
    }

    /// Returns true if a service has a storm. Each one lasts some seconds, and there is one about every half minute.
    fn storms_at(&mut self, service: Service) -> bool {
        let now = Instant::now();
        let (from, to) = *self.storms.entry(service).or_insert((now, now));
        if now >= to {
            let from = now + self.dice.millis(5000, 50_000);
            self.storms
                .insert(service, (from, from + self.dice.millis(500, 5000)));
        }
        from <= now && now < to
    }
}
