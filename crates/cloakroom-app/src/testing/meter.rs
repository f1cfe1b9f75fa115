//! Meter in memory.

use std::sync::{Mutex, MutexGuard};

use crate::meter::{Fact, Measure, Meter};

/// Records facts in order.
#[derive(Debug, Default)]
pub struct MemoryMeter(Mutex<Vec<Measure>>);

impl MemoryMeter {
    fn measures(&self) -> MutexGuard<'_, Vec<Measure>> {
        self.0.lock().expect("no test panics while it counts")
    }

    /// Returns the measures recorded since the last call, and clears them.
    pub fn take(&self) -> Vec<Measure> {
        std::mem::take(&mut self.measures())
    }

    /// Returns only the facts; see [`take`](Self::take).
    pub fn facts(&self) -> Vec<Fact> {
        self.take()
            .into_iter()
            .map(|measure| measure.fact)
            .collect()
    }
}

impl Meter for MemoryMeter {
    fn record(&self, measure: &Measure) {
        self.measures().push(measure.clone());
    }
}
