//! Admission of attempts: limits how many run concurrently in a process, based on the memory that each may need.
//!
//! An attempt is admitted before it claims its job. While it waits, it holds no lease and its timeout does not run. It
//! holds its [`Permit`] until nothing of it remains, including a thread that runs on after a timeout.

use std::sync::Arc;

use cloakroom_core::Failure;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1024 * 1024;

/// Unit of memory in bytes: 1 KiB.
const UNIT: u64 = 1024;

/// Number of places in a process without a limit on attempts.
const MANY: u32 = 100_000;

/// Concurrent attempts of one process, and the memory that they share. Clones share both.
#[derive(Debug, Clone)]
pub struct Admission {
    budget: u64,
    units: u32,
    places: u32,
    /// Attempts are admitted in the order of their calls.
    free_places: Arc<Semaphore>,
    free_units: Arc<Semaphore>,
}

/// Admission of one attempt. Dropping it frees the attempt's place and memory.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
    _memory: Option<OwnedSemaphorePermit>,
}

/// Error: an attempt needs more memory than the whole budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attempt needs {} MiB of memory, and the worker has {} MiB", .need.div_ceil(MIB), .budget / MIB)]
pub struct TooLarge {
    /// Memory that the attempt may need, in bytes.
    pub need: u64,
    /// Memory that all attempts of the process may need together, in bytes.
    pub budget: u64,
}

impl TooLarge {
    /// Code of a job that fails with this error.
    pub const CODE: &str = "memory-exceeded";

    /// Returns the failure of the job.
    pub fn failure(self) -> Failure {
        let Self { need, budget } = self;
        Failure::new(format!(
            "the job needs {} MiB of memory, and the worker has {} MiB for its jobs; send a smaller payload, or ask the \
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
    /// Creates an admission that limits the memory of all attempts together, in bytes.
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

    /// Creates an admission without limits.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Limits the number of concurrent attempts, whatever memory they need. At least 1.
    #[must_use]
    pub fn with_places(mut self, places: u16) -> Self {
        self.places = places.max(1).into();
        self.free_places = Arc::new(Semaphore::new(places.max(1).into()));
        self
    }

    /// Waits for a place and for `need` bytes, in the order of the calls. An attempt that needs no memory waits only
    /// for a place.
    ///
    /// # Errors
    /// Returns [`TooLarge`] if the whole budget is smaller than `need`.
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

    /// Waits until no other attempt runs, and prevents others until the permit is dropped.
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
