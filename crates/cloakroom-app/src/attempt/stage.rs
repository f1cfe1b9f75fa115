//! Stages of an attempt: which of them are the handler's, and which wait for the storage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::body::BodyStream;

/// Stage of an attempt.
pub(super) enum Stage {
    /// Opens the payload.
    Fetching,
    /// Runs the handler, which reads this payload.
    Handling(BodyStream),
    /// Stores the result, and reads what the handler left of the payload.
    Storing,
    /// Waits to store the result, as the storage is unavailable.
    Waiting,
}

/// The stage of an attempt, shared by what works and what supervises.
#[derive(Clone)]
pub(super) struct Stages(Arc<Mutex<Stage>>);

impl Stages {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Stage::Fetching)))
    }

    pub(super) fn enter(&self, stage: Stage) {
        *self.now() = stage;
    }

    /// Reports whether the result is being stored: that time is not the handler's.
    pub(super) fn is_storing(&self) -> bool {
        matches!(*self.now(), Stage::Storing | Stage::Waiting)
    }

    /// Reports whether the result waits for the storage.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(*self.now(), Stage::Waiting)
    }

    /// Returns what could not be done in time, if the storage and not the handler holds the attempt up.
    pub(super) fn held_up(&self) -> Option<&'static str> {
        match &*self.now() {
            Stage::Storing | Stage::Waiting => Some("the result could not be stored in time"),
            Stage::Fetching => Some("the payload could not be fetched in time"),
            Stage::Handling(body) => body
                .is_stalled()
                .then_some("the payload could not be fetched in time"),
        }
    }

    fn now(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
