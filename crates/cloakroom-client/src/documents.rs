//! Documents of links and deliveries.

use cloakroom_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Permission of a shared link, for its job alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reads the job, its events and its result.
    Read,
    /// Cancels the job.
    Cancel,
    /// Sends signals to the job.
    Signal,
}

/// A link that gives access to one job without credentials. Its URLs are secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SharedLink {
    /// Full URL of the job.
    pub url: String,
    /// Full URL of the job's events.
    pub events: String,
    /// Time from which the link is not valid.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for SharedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLink")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
