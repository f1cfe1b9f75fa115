//! Checks that the checksums equal those of the original crate.

use crc_fast::{CrcAlgorithm, Digest};
use crc_fast_original as original;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Algorithms of the replacement and of the original.
const ALGORITHMS: [(CrcAlgorithm, original::CrcAlgorithm); 3] = [
    (
        CrcAlgorithm::Crc32IsoHdlc,
        original::CrcAlgorithm::Crc32IsoHdlc,
    ),
    (CrcAlgorithm::Crc32Iscsi, original::CrcAlgorithm::Crc32Iscsi),
    (CrcAlgorithm::Crc64Nvme, original::CrcAlgorithm::Crc64Nvme),
];

/// Splits bytes at these places.
fn pieces<'a>(bytes: &'a [u8], splits: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<_> = splits
        .iter()
        .map(|split| split.index(bytes.len() + 1))
        .collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter()
        .map(|end| &bytes[std::mem::replace(&mut start, end)..end])
        .collect()
}

proptest! {
    // The original uses other instructions for long inputs than for short ones.
    #[test]
    fn random_bytes_in_random_pieces_have_the_checksum_of_the_original(
        bytes in prop_oneof![vec(any::<u8>(), 0..600), vec(any::<u8>(), 600..20_000)],
        splits in vec(any::<Index>(), 0..8),
    ) {
        for (algorithm, theirs) in ALGORITHMS {
            let mut digest = Digest::new(algorithm);
            let mut expected = original::Digest::new(theirs);
            for piece in pieces(&bytes, &splits) {
                digest.update(piece);
                expected.update(piece);
                prop_assert_eq!(digest.finalize(), expected.finalize(), "{:?}", algorithm);
            }
            prop_assert_eq!(digest.finalize(), original::checksum(theirs, &bytes), "{:?}", algorithm);
        }
    }

    #[test]
    fn no_place_of_a_split_changes_the_checksum(bytes in vec(any::<u8>(), 0..100)) {
        for (algorithm, theirs) in ALGORITHMS {
            let expected = original::checksum(theirs, &bytes);
            for split in 0..=bytes.len() {
                let mut digest = Digest::new(algorithm);
                digest.update(&bytes[..split]);
                digest.update(&bytes[split..]);
                prop_assert_eq!(digest.finalize(), expected, "{:?} at {}", algorithm, split);
            }
        }
    }
}
