//! Trouble of the ports in memory: calls that fail, and jobs that others change between two calls.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use cloakroom_core::{Job, JobKey, Transition};

/// A fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happened.
    Before,
    /// It happened, and the answer was lost.
    After,
    /// It happened, the answer was lost, and the port made the call again by itself: this is the second answer.
    Twice,
    /// The port panics, and nothing happened.
    Panic,
}

/// The records of all jobs.
pub type Records = HashMap<JobKey, Job>;

type Change = Box<dyn FnOnce(&mut Records) + Send>;

/// Makes the change of another to every job, which must allow it.
///
/// # Panics
/// When it is not.
pub fn another(does: impl Fn(&Job) -> Transition + Send) -> impl FnOnce(&mut Records) + Send {
    move |jobs| {
        for job in jobs.values_mut() {
            *job = does(job).apply(job).expect("another may do that");
        }
    }
}

/// Trouble that tests ask for.
#[derive(Default)]
pub(super) struct Trouble {
    /// Faults of the next calls of a name.
    pub(super) faults: VecDeque<(&'static str, Fault)>,
    /// Fault of the n-th call.
    pub(super) fault_at: Option<(usize, Fault)>,
    /// Calls that were made.
    pub(super) made: usize,
    pub(super) slow: Option<(&'static str, Duration)>,
    pub(super) down: &'static [&'static str],
    /// Changes that others make just before the next call of a name.
    pub(super) meanwhile: VecDeque<(&'static str, Change)>,
}

impl Trouble {
    /// Counts a call. Returns what goes wrong at it.
    pub(super) fn at(&mut self, name: &'static str) -> Option<Fault> {
        self.made += 1;
        match (self.faults.front(), self.fault_at) {
            (Some(&(call, fault)), _) if call == name => {
                self.faults.pop_front();
                Some(fault)
            }
            (_, Some((n, fault))) if n + 1 == self.made => Some(fault),
            _ if self.down.contains(&name) => Some(Fault::Before),
            _ => None,
        }
    }

    /// Takes the change that others make before a call of this name.
    pub(super) fn before(&mut self, name: &'static str) -> Option<Change> {
        let next = self
            .meanwhile
            .front()
            .is_some_and(|(call, _)| *call == name);
        if next {
            self.meanwhile.pop_front().map(|(_, change)| change)
        } else {
            None
        }
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trouble")
            .field("faults", &self.faults)
            .field("down", &self.down)
            .finish_non_exhaustive()
    }
}
