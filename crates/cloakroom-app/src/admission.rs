//! Admission: how many attempts a process runs side by side, by the memory that each may need.
//!
//! An attempt is admitted before it claims its job. While it waits, no lease runs, and none of its time. It holds its
//! [`Permit`] until nothing of it is left: also in a thread that goes on after its attempt timed out.

use std::sync::Arc;

use cloakroom_core::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1024 * 1024;

/// Memory is counted in units of 1 KiB.
const UNIT: u64 = 1024;

/// The places of a process that does not count its attempts.
const MANY: u32 = 100_000;

/// The attempts of one process, and the memory that they share. Clones share both.
#[derive(Debug, Clone)]
pub struct Admission {
    budget: u64,
    units: u32,
    places: u32,
    /// Attempts are admitted in the order in which they asked for a place.
    free_places: Arc<Semaphore>,
    free_units: Arc<Semaphore>,
}

/// Admission of one attempt. Its place and its memory are free again once this is dropped.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
    _memory: Option<OwnedSemaphorePermit>,
}

/// An attempt that needs more memory than the whole budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attempt needs {} MiB of memory, and the worker has {} MiB", .need.div_ceil(MIB), .budget / MIB)]
pub struct TooLarge {
    /// Bytes that the attempt may need.
    pub need: u64,
    /// Bytes that all attempts of the process may need together.
    pub budget: u64,
}

impl TooLarge {
    /// The code of a job that failed because of it.
    pub const CODE: &str = "memory-exceeded";

    /// The end of its job.
    pub fn failure(self) -> Failure {
        let Self { need, budget } = self;
        Failure::new(format!(
            "the job needs {} MiB of memory, and the worker has {} MiB for its jobs; send something smaller, or ask the \
             operator for a worker with more memory",
            need.div_ceil(MIB),
            budget / MIB
        ))
        .with_code(Self::CODE)
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl Admission {
    /// Admits attempts that need at most so many bytes together.
    pub fn new(budget: u64) -> Self {
        let units = u32::try_from(budget / UNIT).unwrap_or(u32::MAX);
        let semaphore = |permits: u32| {
            Arc::new(Semaphore::new(
                usize::try_from(permits).unwrap_or(usize::MAX),
            ))
        };
        Self {
            budget,
            units,
            places: MANY,
            free_places: semaphore(MANY),
            free_units: semaphore(units),
        }
    }

    /// Admits every attempt at once.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Admits at most so many attempts at once, whatever they need.
    #[must_use]
    pub fn with_places(mut self, places: u16) -> Self {
        self.places = places.max(1).into();
        self.free_places = Arc::new(Semaphore::new(places.max(1).into()));
        self
    }

    /// Waits for a place and so many bytes, in the order of the calls. An attempt that needs no memory waits for a place alone.
    ///
    /// # Errors
    /// [`TooLarge`] if the whole budget is smaller.
    pub async fn admit(&self, need: u64) -> Result<Permit, TooLarge> {
        if need > self.budget {
            return Err(TooLarge {
                need,
                budget: self.budget,
            });
        }
        let place = take(&self.free_places, 1).await;
        let units = u32::try_from(need.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .min(self.units);
        let memory = if units == 0 {
            None
        } else {
            Some(take(&self.free_units, units).await)
        };
        Ok(Permit {
            _place: place,
            _memory: memory,
        })
    }

    /// Waits until no other attempt runs, and admits none beside it.
    pub async fn admit_alone(&self) -> Permit {
        Permit {
            _place: take(&self.free_places, self.places).await,
            _memory: None,
        }
    }
}

async fn take(free: &Arc<Semaphore>, permits: u32) -> OwnedSemaphorePermit {
    Arc::clone(free)
        .acquire_many_owned(permits)
        .await
        .expect("it is never closed")
}

#[cfg(test)]
mod tests;
