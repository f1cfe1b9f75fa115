//! Up to which size a message carries its payload itself: as long as that costs no more requests' worth than a claim check.
//!
//! A queue's requests are billed by 64 KiB, so a message of *n* such pieces is *n* to send, *n* to receive, and one to delete.
//! A claim check's message is three, and its object one put and one get; a lifecycle rule that expires it costs nothing.

use super::calls::{GIGABYTE, OBJECT_DAYS};
use super::prices::{GET, MESSAGE, PUT, STORAGE};
use super::sizes::MESSAGE_PIECE;
use super::{DAYS, float};

/// The most pieces of a message: 1 MiB.
const MOST: u64 = 16;

/// What a million messages of so many pieces cost, either way, in dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ways {
    /// How many pieces of 64 KiB.
    pub pieces: u64,
    /// Requests to the queue, with the payload in the message.
    pub inline: f64,
    /// Requests to queue and bucket, with a claim check in the message.
    pub claim_check: f64,
    /// What the objects cost beside that until they expire. Not what the limit goes by: it is as the bucket's days are.
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

/// Both ways, for each size that a message can have.
pub fn ways() -> impl Iterator<Item = Ways> {
    (1..=MOST).map(Ways::new)
}

/// The most pieces that cost no more in the message than with a claim check.
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

/// The limit that follows, in bytes of the whole message: the default of `CLOAKROOM_INLINE_LIMIT_BYTES`.
pub const LIMIT: u64 = crossover() * MESSAGE_PIECE;
