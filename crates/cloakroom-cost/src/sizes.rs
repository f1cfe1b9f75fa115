//! What a message and a record weigh.

use super::{Encoding, Workload, float};
use cloakroom_core::outcome::INLINE_RESULT_LIMIT;

/// What a message weighs beside its payload, in bytes, with names of usual length.
pub const ENVELOPE_BYTES: u64 = 500;

/// What the record of a job that is over weighs beside its result, in bytes, with names of usual length.
pub const RECORD_BYTES: u64 = 640;

/// The piece that a queue's request is billed by: 64 KiB.
pub(super) const MESSAGE_PIECE: u64 = 64 * 1024;

/// The piece that a write is billed by: 1 KiB of the whole record.
pub(super) const WRITE_PIECE: u64 = 1024;

/// The piece that a strongly consistent read is billed by: 4 KiB of the whole record.
pub(super) const READ_PIECE: u64 = 4096;

/// The piece that a request to an HTTP API is billed by: 512 KiB.
pub(super) const REQUEST_PIECE: u64 = 512 * 1024;

/// Where a payload is until its job has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// In the message.
    Inline,
    /// In object storage, put there by the submit function.
    Stored,
    /// In object storage, put there by the client.
    Uploaded,
}

impl Workload {
    pub(super) const fn payload_is(&self) -> Payload {
        if self.payload > self.body_limit {
            Payload::Uploaded
        } else if ENVELOPE_BYTES + self.carried() > self.inline_limit {
            Payload::Stored
        } else {
            Payload::Inline
        }
    }

    pub(super) const fn result_is_stored(&self) -> bool {
        self.result > INLINE_RESULT_LIMIT as u64
    }

    /// Bytes of the payload as a message carries it.
    const fn carried(&self) -> u64 {
        match self.encoding {
            Encoding::Text => self.payload,
            Encoding::Base64 => self.payload.div_ceil(3) * 4,
        }
    }

    /// Bytes of a message. One with a claim check is small, and how small makes no difference.
    pub(super) const fn message(&self) -> f64 {
        match self.payload_is() {
            Payload::Inline => float(ENVELOPE_BYTES + self.carried()),
            Payload::Stored | Payload::Uploaded => float(ENVELOPE_BYTES),
        }
    }

    /// Bytes of the record once the job is over, with its result if that is kept there.
    pub(super) const fn record(&self) -> f64 {
        float(
            RECORD_BYTES
                + if self.result_is_stored() {
                    0
                } else {
                    self.result
                },
        )
    }
}
