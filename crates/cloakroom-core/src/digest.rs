//! SHA-256 digests of payloads, and the fingerprint that distinguishes commands submitted under the same key.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::CommandType;

/// A SHA-256 digest. Displayed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Error of parsing a text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a digest: expected 64 lowercase hex digits")]
pub struct InvalidDigest;

impl Digest {
    /// Computes the digest of `bytes`.
    pub fn from_content(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Creates a digest from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns a builder that computes a digest incrementally.
    pub fn builder() -> DigestBuilder {
        DigestBuilder(Sha256::new())
    }
}

/// Computes a digest from bytes that arrive in pieces.
#[derive(Debug, Clone)]
pub struct DigestBuilder(Sha256);

impl DigestBuilder {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all pieces.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As a number, formatted at once: a piece for each byte would cost more.
        let (first, last) = self.0.split_at(16);
        let number = |half: &[u8]| half.try_into().map_or(0, u128::from_be_bytes);
        write!(f, "{:032x}{:032x}", number(first), number(last))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 64 {
            return Err(InvalidDigest);
        }
        let half = |digit| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(InvalidDigest),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = (half(pair[0])? << 4) | half(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

/// Identity of a submission: command type, query string, content type and payload, as sent.
///
/// The payload is represented by its SHA-256 and length, so an upload and a body with the same bytes are the same
/// command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// Computes the fingerprint of a command. The length of each part is hashed before the part, so parts can't run
    /// together.
    pub fn new(
        command: &CommandType,
        query: &str,
        content_type: &str,
        payload: &Digest,
        length: u64,
    ) -> Self {
        let mut sum = Digest::builder();
        for part in [command.as_str(), query, content_type] {
            sum.update(&(part.len() as u64).to_be_bytes());
            sum.update(part.as_bytes());
        }
        sum.update(&length.to_be_bytes());
        sum.update(payload.as_bytes());
        Self(sum.finish())
    }

    /// Creates a fingerprint from its stored digest.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// Returns the digest to store.
    pub const fn as_digest(&self) -> &Digest {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_as_sha_256_does_whole_or_in_pieces() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::from_content(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Digest::from_content(b"")));
        let mut pieces = Digest::builder();
        pieces.update(b"ab");
        pieces.update(b"c");
        assert_eq!(pieces.finish(), Digest::from_content(b"abc"));
        assert_eq!(empty.to_uppercase().parse::<Digest>(), Err(InvalidDigest));
        assert_eq!("é".repeat(32).parse::<Digest>(), Err(InvalidDigest));
    }

    #[test]
    fn a_fingerprint_changes_with_every_part_and_never_runs_parts_together() {
        let a: CommandType = "a".parse().expect("a type");
        let ab: CommandType = "ab".parse().expect("a type");
        let payload = Digest::from_content(b"x");
        let base = Fingerprint::new(&a, "bc", "d", &payload, 1);
        assert_eq!(base, Fingerprint::new(&a, "bc", "d", &payload, 1));
        for other in [
            Fingerprint::new(&ab, "c", "d", &payload, 1),
            Fingerprint::new(&a, "b", "cd", &payload, 1),
            Fingerprint::new(&a, "bc", "d", &Digest::from_content(b"y"), 1),
            Fingerprint::new(&a, "bc", "d", &payload, 2),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_fingerprint_never_changes_for_stored_ones_are_compared_with_it() {
        let command: CommandType = "note.keep".parse().expect("a type");
        let of = |command, query, content_type, length| {
            Fingerprint::new(
                command,
                query,
                content_type,
                &Digest::from_content(b"x"),
                length,
            )
        };
        let base = of(&command, "a=1", "text/plain", 1);
        let mut sum = Digest::builder();
        for part in ["note.keep", "a=1", "text/plain"] {
            sum.update(&(part.len() as u64).to_be_bytes());
            sum.update(part.as_bytes());
        }
        sum.update(&1u64.to_be_bytes());
        sum.update(Digest::from_content(b"x").as_bytes());
        assert_eq!(base, Fingerprint::from_digest(sum.finish()));
        let other: CommandType = "note.lose".parse().expect("a type");
        for changed in [
            of(&other, "a=1", "text/plain", 1),
            of(&command, "a=2", "text/plain", 1),
            of(&command, "a=1", "text/plane", 1),
            of(&command, "a=1", "text/plain", 2),
        ] {
            assert_ne!(base, changed, "a part of the same length");
        }
        let with_parameter = of(&command, "a=1", "text/plain; a=b", 1);
        assert_ne!(with_parameter, of(&command, "a=1", "text/plain; a=c", 1));
    }

    #[test]
    fn a_digest_is_64_lower_case_hex_digits() {
        let text = "0123456789abcdef".repeat(4);
        let digest: Digest = text.parse().expect("a digest");
        assert_eq!(
            (digest.to_string(), format!("{digest:?}")),
            (text.clone(), format!("Digest({text})"))
        );
        assert_eq!((digest.as_bytes()[0], digest.as_bytes()[5]), (0x01, 0xab));
        assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
        for bad in [
            "",
            &text[1..],
            &format!("{text}0"),
            &text.replace('a', "g"),
            &text.replace('a', "`"),
            &text.replace('0', "/"),
            &text.replace('9', ":"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(InvalidDigest), "{bad}");
        }
    }
}
