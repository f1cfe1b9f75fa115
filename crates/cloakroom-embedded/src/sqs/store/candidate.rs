//! Visible messages that can be received.

use crate::sqs::settings::Settings;

/// A visible message, before it is received or moved to the dead-letter queue.
pub(super) struct Candidate {
    pub(super) seq: i64,
    pub(super) visible_at: i64,
    pub(super) receive_count: i64,
}

/// Returns true if the message has reached the maximum receive count of the queue's redrive policy.
pub(super) fn exceeds_receive_count(settings: &Settings, candidate: &Candidate) -> bool {
    settings
        .redrive
        .as_ref()
        .is_some_and(|redrive| candidate.receive_count >= redrive.max_receive_count)
}
