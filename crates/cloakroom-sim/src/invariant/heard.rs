//! Events that the receiver of a job's webhook got.

use cloakroom_core::{CloudEvent, Timestamp};

/// Events of one job that the receiver of its webhook accepted.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Events of all committed changes.
    pub(super) committed: Vec<Heading>,
    /// Accepted events, in order.
    pub(super) accepted: Vec<Heading>,
}

/// Identity of an event. The time distinguishes the incarnations of a job's id, whose events have the same ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heading {
    pub(super) id: String,
    kind: String,
    time: Timestamp,
}

impl Heading {
    pub(super) fn new(event: &CloudEvent) -> Self {
        Self {
            id: event.id.clone(),
            kind: event.kind.clone(),
            time: event.time,
        }
    }
}
