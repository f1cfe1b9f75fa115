//! The beginning of a body.

use bytes::Bytes;

/// The beginning of a body, and the length of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BodyHead {
    /// First bytes, at most [`BodyHead::LIMIT`].
    pub bytes: Bytes,
    /// Length of the whole body in bytes.
    pub length: u64,
}

impl BodyHead {
    /// Maximum length of a beginning in bytes: 256 KiB. Cameras write previews and profiles before an image's
    /// dimensions.
    pub const LIMIT: usize = 256 * 1024;

    /// Creates the beginning of a body that is in memory.
    pub fn from_whole(body: &Bytes) -> Self {
        Self {
            bytes: body.slice(..body.len().min(Self::LIMIT)),
            length: body.len() as u64,
        }
    }

    /// Returns true if the beginning is the whole body.
    pub fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_256_kib_is_whole_and_a_longer_one_is_not() {
        for (length, whole) in [(0, true), (262_144, true), (262_145, false)] {
            let head = BodyHead::from_whole(&vec![b'x'; length].into());
            let kept = length.min(262_144);
            assert_eq!(
                (head.bytes.len(), head.is_whole()),
                (kept, whole),
                "{length}"
            );
        }
    }
}
