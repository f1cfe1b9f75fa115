//! What was found: one finding a check.

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it must be.
    Ok,
    /// It works, and may not always.
    Warn,
    /// Jobs are lost, stuck or kept for ever, or nothing works at all.
    Fail,
    /// It could not be asked.
    Skip,
}

impl State {
    /// As it is shown: `FAIL` in capitals, to be found by the eye.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        }
    }
}

/// One check, and how it came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The group that it belongs to, as in `queue`.
    pub subject: &'static str,
    /// What was looked at, as in `visibility timeout`. The same in every run, whatever comes of it.
    pub check: String,
    /// How it came out.
    pub state: State,
    /// What there is, or what is wrong.
    pub found: String,
    /// Why it matters; of a warning or a failure.
    pub why: Option<String>,
    /// The command for a shell that mends it, where there is one.
    pub mend: Option<String>,
}

/// A check that is to come out in some way.
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

    /// Nothing came of it, and that is nobody's fault.
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
            mend: None,
        }
    }
}

impl Finding {
    pub(crate) fn mended_by(self, command: impl Into<String>) -> Self {
        Self {
            mend: Some(command.into()),
            ..self
        }
    }
}
