//! Sizes of messages and records.

use super::{Encoding, Workload, float};
use cloakroom_core::outcome::INLINE_RESULT_LIMIT;

/// Size of a message without its payload in bytes, with names of usual length.
pub const ENVELOPE_BYTES: u64 = 500;

/// Size of a finished job's record without its result in bytes, with names of usual length.
pub const RECORD_BYTES: u64 = 640;

/// Size of a job's listeners in its record in bytes: a webhook, a reply queue and the bus, with names of usual length.
pub const LISTENERS_BYTES: u64 = 330;

/// Size of the event of a finished job without its result in bytes, with names of usual length.
pub const EVENT_BYTES: u64 = 1200;

/// Size of a record of deliveries without any in bytes.
pub const DELIVERIES_BYTES: u64 = 160;

/// Size of a delivery in its record in bytes, after one attempt.
pub const DELIVERY_BYTES: u64 = 190;

/// A gigabyte in bytes, as AWS bills it.
pub(super) const GIGABYTE: f64 = 1_073_741_824.0;

/// Billing unit of a request to the queue: 64 KiB.
pub(super) const MESSAGE_PIECE: u64 = 64 * 1024;

/// Billing unit of a write: 1 KiB of the whole record.
pub(super) const WRITE_PIECE: u64 = 1024;

/// Billing unit of a strongly consistent read: 4 KiB of the whole record.
pub(super) const READ_PIECE: u64 = 4096;

/// Billing unit of a request to an HTTP API: 512 KiB.
pub(super) const REQUEST_PIECE: u64 = 512 * 1024;

/// Location of a payload before its job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// Part of the message.
    Inline,
    /// Object that the submit function wrote.
    Stored,
    /// Object that the client uploaded.
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

    /// Returns the encoded length of the payload in a message, in bytes.
    const fn carried(&self) -> u64 {
        match self.encoding {
            Encoding::Text => self.payload,
            Encoding::Base64 => self.payload.div_ceil(3) * 4,
        }
    }

    /// Returns the size of a message in bytes. A message with a claim check fits into one billing unit.
    pub(super) const fn message(&self) -> f64 {
        match self.payload_is() {
            Payload::Inline => float(ENVELOPE_BYTES + self.carried()),
            Payload::Stored | Payload::Uploaded => float(ENVELOPE_BYTES),
        }
    }

    /// Returns the size of the record before the job has ended, in bytes.
    pub(super) fn open_record(&self) -> f64 {
        let listeners = if self.listeners.are_recorded() {
            LISTENERS_BYTES
        } else {
            0
        };
        float(RECORD_BYTES + listeners)
    }

    /// Returns the size of the record after the job has ended, in bytes, including its result if it is stored there.
    pub(super) fn record(&self) -> f64 {
        self.open_record() + float(self.inline_result())
    }

    /// Returns the length of the result in bytes if it is part of the record, and of the job's document.
    pub(super) const fn inline_result(&self) -> u64 {
        if self.result_is_stored() {
            0
        } else {
            self.result
        }
    }
}
