//! Faults of the ports in memory: calls that fail, and concurrent changes between two calls.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use cloakroom_core::{Job, JobKey, Transition};

/// A fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails without an effect.
    Before,
    /// The call has its effect, but the response is lost.
    After,
    /// The call has its effect, but the response is lost, and the port retries internally. This is the second response.
    Twice,
    /// The service denies the call.
    Denied,
    /// The port panics without an effect.
    Panic,
}

/// Records of all jobs.
pub type Records = HashMap<JobKey, Job>;

type Change = Box<dyn FnOnce(&mut Records) + Send>;

/// Returns a change that applies the same transition to every job.
///
/// # Panics
/// If a job does not allow it.
pub fn another(does: impl Fn(&Job) -> Transition + Send) -> impl FnOnce(&mut Records) + Send {
    move |jobs| {
        for job in jobs.values_mut() {
            *job = does(job).apply(job).expect("another may do that");
        }
    }
}

/// Faults that tests requested.
#[derive(Default)]
pub(super) struct Trouble {
    /// Faults of the next calls by name.
    pub(super) faults: VecDeque<(&'static str, Fault)>,
    /// Fault of the n-th call.
    pub(super) fault_at: Option<(usize, Fault)>,
    /// Number of calls made.
    pub(super) made: usize,
    pub(super) slow: Option<(&'static str, Duration)>,
    pub(super) down: Option<(&'static [&'static str], Fault)>,
    /// Concurrent changes just before the next call of a name.
    pub(super) meanwhile: VecDeque<(&'static str, Change)>,
}

impl Trouble {
    /// Counts a call. Returns its fault, if there is one.
    pub(super) fn at(&mut self, name: &'static str) -> Option<Fault> {
        self.made += 1;
        match (self.faults.front(), self.fault_at) {
            (Some(&(call, fault)), _) if call == name => {
                self.faults.pop_front();
                Some(fault)
            }
            (_, Some((n, fault))) if n + 1 == self.made => Some(fault),
            _ => self
                .down
                .filter(|(calls, _)| calls.contains(&name))
                .map(|(_, fault)| fault),
        }
    }

    /// Returns the concurrent change before a call of this name.
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
