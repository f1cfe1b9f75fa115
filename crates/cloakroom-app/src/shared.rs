//! Ports that all use cases share.

use std::sync::Arc;

use crate::host::Host;
use crate::meter::Meter;
use crate::ports::JobStore;

/// Ports that every use case needs.
#[derive(Clone)]
pub struct Shared {
    /// Table of jobs.
    pub store: Arc<dyn JobStore>,
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
    /// Meter of facts.
    pub meter: Arc<dyn Meter>,
}
