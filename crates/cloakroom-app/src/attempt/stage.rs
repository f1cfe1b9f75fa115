//! Stages of an attempt: distinguishes time spent in the handler from time spent waiting for the storage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::body::BodyStream;

/// Stage of an attempt.
pub(super) enum Stage {
    /// Opening the payload.
    Fetching,
    /// Running the handler, which reads this payload.
    Handling(BodyStream),
    /// Storing the result, and reading the rest of the payload.
    Storing,
    /// Waiting to store the result, because the storage is unavailable.
    Waiting,
}

/// Current stage of an attempt, shared by the work and its supervisor.
#[derive(Clone)]
pub(super) struct Stages(Arc<Mutex<Stage>>);

impl Stages {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Stage::Fetching)))
    }

    pub(super) fn enter(&self, stage: Stage) {
        *self.now() = stage;
    }

    /// Returns true if the result is being stored. That time is not the handler's.
    pub(super) fn is_storing(&self) -> bool {
        matches!(*self.now(), Stage::Storing | Stage::Waiting)
    }

    /// Returns true if the result waits for the storage.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(*self.now(), Stage::Waiting)
    }

    /// Returns a description of the delay if the storage, not the handler, delays the attempt.
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
