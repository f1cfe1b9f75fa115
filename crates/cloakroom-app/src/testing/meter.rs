//! A meter that remembers.

use std::sync::{Mutex, MutexGuard};

use crate::meter::{Fact, Measure, Meter};

/// Remembers what was counted, in order.
#[derive(Debug, Default)]
pub struct MemoryMeter(Mutex<Vec<Measure>>);

impl MemoryMeter {
    fn measures(&self) -> MutexGuard<'_, Vec<Measure>> {
        self.0.lock().expect("no test panics while it counts")
    }

    /// What was counted since this was asked last.
    pub fn take(&self) -> Vec<Measure> {
        std::mem::take(&mut self.measures())
    }

    /// As [`take`](Self::take): the facts alone.
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
