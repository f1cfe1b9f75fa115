//! Findings: the results of checks.

/// State of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The setting is correct.
    Ok,
    /// The deployment works, but may fail under some conditions.
    Warn,
    /// Jobs are lost, stuck or stored forever, or nothing works at all.
    Fail,
    /// The setting is unknown.
    Skip,
}

impl State {
    /// Returns the displayed form. `FAIL` is in capitals, so that it stands out.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        }
    }
}

/// Result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Group of the check, for example `queue`.
    pub subject: &'static str,
    /// Name of the check, for example `visibility timeout`. It is the same in every run.
    pub check: String,
    /// State of the check.
    pub state: State,
    /// Current setting, or what is wrong with it.
    pub found: String,
    /// Consequence, for a warning or a failure.
    pub why: Option<String>,
    /// Shell command that fixes the finding, if there is one.
    pub fix: Option<String>,
}

/// A check without a result yet.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    subject: &'static str,
    check: String,
}

pub(crate) fn check(subject: &'static str, check: impl Into<String>) -> Check {
    Check {
        subject,
        check: check.into(),
    }
}

impl Check {
    pub(crate) fn ok(self, found: impl Into<String>) -> Finding {
        self.finding(State::Ok, found.into(), None)
    }

    /// Skips the check for a reason that is not an error.
    pub(crate) fn skip(self, found: impl Into<String>) -> Finding {
        self.finding(State::Skip, found.into(), None)
    }

    pub(crate) fn warn(self, found: impl Into<String>, why: impl Into<String>) -> Finding {
        self.finding(State::Warn, found.into(), Some(why.into()))
    }

    pub(crate) fn fail(self, found: impl Into<String>, why: impl Into<String>) -> Finding {
        self.finding(State::Fail, found.into(), Some(why.into()))
    }

    fn finding(self, state: State, found: String, why: Option<String>) -> Finding {
        Finding {
            subject: self.subject,
            check: self.check,
            state,
            found,
            why,
            fix: None,
        }
    }
}

impl Finding {
    pub(crate) fn fixed_by(self, command: impl Into<String>) -> Self {
        Self {
            fix: Some(command.into()),
            ..self
        }
    }
}
