//! Maximum size of a message that contains its payload. Up to this size, the requests cost no more than a claim check.
//!
//! A queue bills requests by 64 KiB. A message of *n* such pieces costs *n* for sending, *n* for receiving, and one for
//! deleting. With a claim check, the message costs three, and its object one put and one get. Expiry by a lifecycle
//! rule is free.

use super::calls::OBJECT_DAYS;
use super::prices::{GET, MESSAGE, PUT, STORAGE};
use super::sizes::{GIGABYTE, MESSAGE_PIECE};
use super::{DAYS, float};

/// Maximum number of pieces of a message: 1 MiB.
const MOST: u64 = 16;

/// Costs of a million messages of one size, with and without a claim check, in dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ways {
    /// Number of pieces of 64 KiB.
    pub pieces: u64,
    /// Requests to the queue, if the message contains the payload.
    pub inline: f64,
    /// Requests to the queue and the bucket, if the message contains a claim check.
    pub claim_check: f64,
    /// Storage of the objects until they expire. Not part of the comparison, because it depends on the bucket's
    /// retention.
    pub storage: f64,
}

impl Ways {
    const fn new(pieces: u64) -> Self {
        Self {
            pieces,
            inline: MESSAGE.dollars * float(2 * pieces + 1),
            claim_check: MESSAGE.dollars * 3.0 + PUT.dollars + GET.dollars,
            storage: 1e6 * float(pieces * MESSAGE_PIECE) / GIGABYTE * OBJECT_DAYS / DAYS
                * STORAGE.dollars,
        }
    }
}

/// Returns the costs for each possible size of a message.
pub fn ways() -> impl Iterator<Item = Ways> {
    (1..=MOST).map(Ways::new)
}

/// Returns the maximum number of pieces for which a message costs no more than a claim check.
pub const fn crossover() -> u64 {
    let mut pieces = 0;
    while pieces < MOST {
        let next = Ways::new(pieces + 1);
        if next.inline > next.claim_check {
            break;
        }
        pieces += 1;
    }
    pieces
}

/// The resulting limit of the whole message in bytes: the default of `CLOAKROOM_INLINE_LIMIT_BYTES`.
pub const LIMIT: u64 = crossover() * MESSAGE_PIECE;
