//! History of a job: the steps that its record stores.
//!
//! Every transition adds a step. A renewal adds one only when its attempt waits for an unavailable service. This bounds
//! the list: an attempt adds two steps, and a command limits its attempts. Attempts during an outage are not counted;
//! of these, the history stores only the first and the latest. A redrive retains only the last [`KEPT_OVER_A_REDRIVE`]
//! steps.

use std::fmt;
use std::str::FromStr;

use crate::outcome::cut;
use crate::status::Event;
use crate::{Failure, Timestamp};

/// Number of steps that a job retains when an operator redrives it.
pub const KEPT_OVER_A_REDRIVE: usize = 20;

/// One step in the history of a job. The acceptance is not a step: see [`crate::Job::created_at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Time of the step.
    pub at: Timestamp,
    /// Event that happened.
    pub event: Event,
    /// Code and text of the failure, if there was one. At most [`Step::REASON_LIMIT`] bytes.
    pub reason: Option<String>,
}

/// Error of parsing a step: the text has the wrong form, or its event is unknown to this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a step: expected milliseconds, the name of an event, and optionally a reason")]
pub struct InvalidStep;

impl Step {
    /// Maximum length of a reason in bytes. The rest is cut off.
    pub const REASON_LIMIT: usize = 160;

    /// Creates a step without a reason.
    pub const fn new(event: Event, at: Timestamp) -> Self {
        Self {
            at,
            event,
            reason: None,
        }
    }

    /// Sets the reason to the code and detail of `failure`.
    #[must_use]
    pub fn with_cause(mut self, failure: &Failure) -> Self {
        self.reason = Some(cut(
            format!("{}: {}", failure.code, failure.detail),
            Self::REASON_LIMIT,
        ));
        self
    }
}

/// Formats the step as the record stores it: `1795248000120 fail no-paper: the printer is out of paper`.
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
        // Records contain these words, so that they never change.
        let words: [&str; Event::ALL.len()] = [
            "claim",
            "renew",
            "succeed",
            "fail",
            "retry",
            "defer",
            "withdraw",
            "ask-to-cancel",
            "confirm-cancel",
            "give-up",
            "lapse",
            "bury",
            "sweep",
            "redrive",
        ];
        for (event, word) in Event::ALL.into_iter().zip(words) {
            let step = Step::new(event, Timestamp::from_millis(1_795_248_000_120));
            assert_eq!(step.to_string(), format!("1795248000120 {word}"));
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
