//! Ports and settings of an attempt.

use crate::ports::{Objects, Queue};
use crate::shared::Shared;
use crate::work::settings::WorkerSettings;

/// Ports and settings that an attempt needs.
#[derive(Clone, Copy)]
pub(crate) struct AttemptPorts<'a> {
    /// Ports that every use case needs.
    pub(crate) shared: &'a Shared,
    /// Queue of the attempt's message.
    pub(crate) queue: &'a dyn Queue,
    /// Store of payloads and results.
    pub(crate) objects: &'a dyn Objects,
    /// Timing of the worker.
    pub(crate) settings: WorkerSettings,
}
