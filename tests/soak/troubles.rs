//! What goes wrong with a call on its way to a service: drawn from a seed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::plan::Dice;

/// What decides about troubles, beside the n-th client and the kills.
const PURPOSE: u64 = 1 << 41;

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Cloakroom itself, by its clients.
    Api,
    DynamoDb,
    Sqs,
    S3,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// The service says that there are too many.
    Throttled,
    /// The connection breaks before the service has heard of it.
    Refused,
    /// The connection breaks before its answer.
    AnswerLost,
    /// It gets there late.
    Delayed(Duration),
    /// It gets there twice: two messages for one.
    SentTwice,
}

/// How often what goes wrong, in a thousand calls.
struct Rates {
    throttled: u64,
    refused: u64,
    lost: u64,
    delayed: u64,
    /// Of messages alone.
    twice: u64,
}

/// Draws troubles, and counts them.
pub(crate) struct Troubles(Mutex<State>);

struct State {
    dice: Dice,
    is_on: bool,
    /// When a service is in for a storm next, and until when one lasts: nearly every call is throttled.
    storms: HashMap<Service, (Instant, Instant)>,
    counts: Counts,
}

/// How many calls there were, and what went wrong with them.
pub(crate) type Counts = BTreeMap<(Service, &'static str), u64>;

impl Troubles {
    /// None, until they begin.
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

    /// What goes wrong with the next call. `sends` is whether it sends one message.
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
            // Its own gateway is not ours to throttle: an answer of 429 has words of its own.
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
            // One in ten for longer than its caller waits for it: it takes effect all the same.
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

    /// Whether a service is in a storm: of some seconds, each half a minute or so.
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
