//! Clock for delays, visibility timeouts and retention of messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A function that returns the time in milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Returns a clock that follows the system clock, but never goes back.
///
/// When the system clock is set back, this clock continues at normal speed: a delay of ten seconds remains a delay of
/// ten seconds. It starts at `earliest` if the system clock is before that.
pub(crate) fn steady(earliest: Option<i64>) -> Clock {
    let begun = Instant::now();
    let steady = Mutex::new(Steady::new(earliest.unwrap_or(i64::MIN)));
    Arc::new(move || {
        let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
        steady.at(begun.elapsed(), machine())
    })
}

/// Returns the time of the system clock.
fn machine() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    millis(since.unwrap_or_default())
}

/// Latest time at which the system clock was ahead, and the duration that the process had run then.
struct Steady {
    time: i64,
    elapsed: Duration,
}

impl Steady {
    fn new(earliest: i64) -> Self {
        Self {
            time: earliest,
            elapsed: Duration::ZERO,
        }
    }

    fn at(&mut self, elapsed: Duration, machine: i64) -> i64 {
        let steady = self
            .time
            .saturating_add(millis(elapsed.saturating_sub(self.elapsed)));
        if machine < steady {
            return steady;
        }
        *self = Self {
            time: machine,
            elapsed,
        };
        machine
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn time_goes_on_while_the_machines_clock_is_behind() {
        let mut clock = Steady::new(i64::MIN);
        assert_eq!(clock.at(ms(0), HOUR), HOUR);
        assert_eq!(clock.at(ms(10), 0), HOUR + 10, "set back by an hour");
        for microseconds in 10_000..11_000 {
            clock.at(Duration::from_micros(microseconds), 0);
        }
        assert_eq!(
            clock.at(ms(20), 10),
            HOUR + 20,
            "no time is lost by asking often"
        );
        assert_eq!(clock.at(ms(30), 2 * HOUR), 2 * HOUR, "set forward");
        assert_eq!(clock.at(ms(40), HOUR), 2 * HOUR + 10, "and back");
    }

    #[test]
    fn time_begins_where_it_ended_the_last_time() {
        let mut clock = Steady::new(HOUR);
        assert_eq!(clock.at(ms(0), 0), HOUR);
        assert_eq!(Steady::new(HOUR).at(ms(0), HOUR + 1), HOUR + 1);
    }
}
