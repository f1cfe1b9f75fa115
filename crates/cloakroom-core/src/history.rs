//! What happened to a job, step by step, as its record keeps it.
//!
//! Every transition adds a step, but of renewals only one that tells what its attempt waits for. That bounds the list: two steps an attempt, and the attempts of a command
//! are bounded; of an outage, whose attempts are not counted, only the first and the latest are kept. When an operator sends a job back, only the last [`KEPT_OVER_A_REDRIVE`] steps go along.

use std::fmt;
use std::str::FromStr;

use crate::outcome::cut;
use crate::status::Event;
use crate::{Failure, Timestamp};

/// How many of its steps a job takes along when it is sent back to work.
pub const KEPT_OVER_A_REDRIVE: usize = 20;

/// One thing that happened to a job. Its acceptance is none: it is known by [`crate::Job::created_at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
    /// Why, where something went wrong: a code and a text, at most [`Step::REASON_LIMIT`] bytes.
    pub reason: Option<String>,
}

/// A text that is no step as this program knows them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a step: want milliseconds, an event's word, and perhaps a reason")]
pub struct InvalidStep;

impl Step {
    /// The most bytes a reason may have; the rest is cut.
    pub const REASON_LIMIT: usize = 160;

    /// A step without a reason.
    pub const fn new(event: Event, at: Timestamp) -> Self {
        Self {
            at,
            event,
            reason: None,
        }
    }

    /// With what went wrong.
    #[must_use]
    pub fn with_cause(mut self, failure: &Failure) -> Self {
        self.reason = Some(cut(
            format!("{}: {}", failure.code, failure.detail),
            Self::REASON_LIMIT,
        ));
        self
    }
}

/// As the record keeps it: `1795248000120 fail no-paper: the printer is out of paper`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.as_millis(), self.event.as_str())?;
        self.reason
            .iter()
            .try_for_each(|reason| write!(f, " {reason}"))
    }
}

impl FromStr for Step {
    type Err = InvalidStep;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ' ');
        let at = parts
            .next()
            .and_then(|millis| millis.parse().ok())
            .ok_or(InvalidStep)?;
        let word = parts.next().ok_or(InvalidStep)?;
        let event = Event::ALL
            .into_iter()
            .find(|event| event.as_str() == word)
            .ok_or(InvalidStep)?;
        Ok(Self {
            at: Timestamp::from_millis(at),
            event,
            reason: parts.next().map(ToOwned::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_as_it_was_written() {
        let failure = Failure::new("the printer is out of paper").with_code("no-paper");
        for event in Event::ALL {
            let step = Step::new(event, Timestamp::from_millis(1_795_248_000_120));
            assert_eq!(step.to_string().parse(), Ok(step.clone()));
            let step = step.with_cause(&failure);
            assert_eq!(step.to_string().parse(), Ok(step.clone()));
        }
        let step: Step = "1795248000120 fail no-paper: out of paper"
            .parse()
            .expect("a step");
        assert_eq!(
            (step.event, step.reason.as_deref()),
            (Event::Fail, Some("no-paper: out of paper"))
        );
    }

    #[test]
    fn what_is_no_step_is_refused_and_a_reason_is_bounded() {
        for text in ["", "1", "x claim", "1 jump", "claim 1"] {
            assert_eq!(text.parse::<Step>(), Err(InvalidStep), "{text}");
        }
        let long = Step::new(Event::Retry, Timestamp::from_millis(0))
            .with_cause(&Failure::new("é".repeat(1000)));
        // The code and a colon have 12 bytes, and each letter two.
        assert_eq!(long.reason, Some(format!("job-failed: {}", "é".repeat(74))));
    }
}
