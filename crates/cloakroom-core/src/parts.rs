//! Division of an upload into parts of equal size, except the last, within the limits of S3.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Maximum number of parts.
pub const MOST_PARTS: u32 = 10_000;

/// Minimum size of a part in bytes, except the last.
pub const LEAST_PART: u64 = 5 * MIB;

/// Maximum size of a part in bytes: the limit of one `PUT`.
pub const LARGEST_PART: u64 = 5 * GIB;

/// Maximum size of a multipart upload in bytes: 5 TiB.
pub const LARGEST_UPLOAD: u64 = 5 * 1024 * GIB;

/// Default size of a part in bytes. A very large upload has larger parts.
const USUAL_PART: u64 = 64 * MIB;

/// Length of an upload and of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartLayout {
    /// Length of the upload in bytes.
    pub length: u64,
    /// Length of each part in bytes. The last part contains the remainder.
    pub part_length: u64,
}

/// Error: the requested number of parts violates the limits of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPartCount {
    /// The parts would be too small. Contains the maximum number of parts.
    TooMany(u32),
    /// The parts would be too large. Contains the minimum number of parts.
    TooFew(u32),
}

impl PartLayout {
    /// Divides an upload into the requested number of parts, or into parts of the default size.
    pub fn new(length: u64, requested: Option<u32>) -> Result<Self, InvalidPartCount> {
        let Some(parts) = requested.map(|parts| parts.clamp(1, MOST_PARTS)) else {
            let least = length.div_ceil(MOST_PARTS.into()).next_multiple_of(MIB);
            return Ok(Self {
                length,
                part_length: least.max(USUAL_PART),
            });
        };
        let part_length = length.div_ceil(parts.into()).max(1);
        if part_length > LARGEST_PART {
            return Err(InvalidPartCount::TooFew(number(
                length.div_ceil(LARGEST_PART),
            )));
        }
        if parts > 1 && part_length < LEAST_PART {
            let most = length.div_ceil(LEAST_PART - 1).saturating_sub(1);
            return Err(InvalidPartCount::TooMany(number(most)));
        }
        Ok(Self {
            length,
            part_length,
        })
    }

    /// Returns the number of parts.
    pub fn count(&self) -> u32 {
        number(self.length.div_ceil(self.part_length.max(1)))
    }

    /// Returns the offset of a part in bytes. Part numbers start at 1.
    pub fn offset(&self, number: u32) -> u64 {
        u64::from(number.saturating_sub(1)) * self.part_length
    }

    /// Returns the length of a part in bytes.
    pub fn length_of(&self, number: u32) -> u64 {
        self.length
            .saturating_sub(self.offset(number))
            .min(self.part_length)
    }
}

/// Converts to a number of parts, clamped to the limits.
fn number(parts: u64) -> u32 {
    u32::try_from(parts)
        .unwrap_or(MOST_PARTS)
        .clamp(1, MOST_PARTS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_impossible_number_of_parts_is_rejected_with_a_possible_one() {
        let five = LEAST_PART;
        for (length, requested, said) in [
            (five + 1, 2, Err(InvalidPartCount::TooMany(1))),
            (2 * five, 2, Ok(2)),
            (2 * five - 1, 2, Ok(2)),
            (2 * five - 2, 2, Err(InvalidPartCount::TooMany(1))),
            (100 * five, 101, Err(InvalidPartCount::TooMany(100))),
            (1, 1, Ok(1)),
            (1, 2, Err(InvalidPartCount::TooMany(1))),
            (LARGEST_PART + 1, 1, Err(InvalidPartCount::TooFew(2))),
            (LARGEST_UPLOAD, 10_000, Ok(10_000)),
            (LARGEST_UPLOAD, 1_023, Err(InvalidPartCount::TooFew(1_024))),
        ] {
            assert_eq!(
                PartLayout::new(length, Some(requested)).map(|it| it.count()),
                said,
                "{length} in {requested}"
            );
        }
    }

    #[test]
    fn by_default_parts_are_of_a_usual_size_and_never_too_many() {
        for (length, parts, part_length) in [
            (1, 1, 64),
            (64 * MIB + 1, 2, 64),
            (700 * GIB, 9_956, 72),
            // A byte more than 10,000 parts of 65 MiB.
            (650_000 * MIB + 1, 9_849, 66),
            (LARGEST_UPLOAD, 9_987, 525),
        ] {
            let it = PartLayout::new(length, None).expect("any number of parts");
            assert_eq!(
                (it.count(), it.part_length),
                (parts, part_length * MIB),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn parts_are_as_many_as_requested_and_make_up_the_whole(
            length in prop_oneof![1..LARGEST_UPLOAD, 1..300 * MIB],
            requested in prop_oneof![1..=MOST_PARTS, 1u32..40],
        ) {
            let it = match PartLayout::new(length, Some(requested)) {
                Ok(it) => it,
                Err(InvalidPartCount::TooMany(would)) => {
                    prop_assert!(would < requested && PartLayout::new(length, Some(would + 1)).is_err());
                    PartLayout::new(length, Some(would)).expect("it would do")
                }
                Err(InvalidPartCount::TooFew(would)) => {
                    prop_assert!(would > requested && PartLayout::new(length, Some(would - 1)).is_err());
                    PartLayout::new(length, Some(would)).expect("it would do")
                }
            };
            let last = it.count();
            prop_assert!(last == 1 || it.part_length >= LEAST_PART);
            prop_assert!(it.part_length <= LARGEST_PART);
            prop_assert!(it.length_of(last) > 0);
            prop_assert_eq!(it.offset(last) + it.length_of(last), length);
            prop_assert_eq!(it.length_of(last + 1), 0);
            if PartLayout::new(length, Some(requested)).is_ok() {
                prop_assert_eq!(last, requested);
            }
        }
    }

    #[test]
    fn the_limits_are_those_of_object_storage() {
        assert_eq!(
            (MOST_PARTS, LEAST_PART, LARGEST_PART),
            (10_000, 5 << 20, 5 << 30)
        );
        assert_eq!((LARGEST_UPLOAD, USUAL_PART), (5 << 40, 64 << 20));
    }

    #[test]
    fn a_number_of_parts_is_brought_into_bounds_and_an_upload_of_nothing_is_one_part() {
        for (length, asked, parts) in [
            (1, 0, 1),
            (0, 1, 1),
            (10_000 * LEAST_PART, 20_000, 10_000),
            (LARGEST_PART, 1, 1),
        ] {
            assert_eq!(
                PartLayout::new(length, Some(asked)).map(|it| it.count()),
                Ok(parts),
                "{length} in {asked}"
            );
        }
        let nothing = PartLayout::new(0, Some(1)).expect("one part");
        assert_eq!((nothing.part_length, nothing.length_of(1)), (1, 0));
        assert_eq!(
            PartLayout {
                length: 7,
                part_length: 0
            }
            .count(),
            7,
            "of a damaged record"
        );
        assert_eq!(
            PartLayout {
                length: 1 << 40,
                part_length: 1
            }
            .count(),
            MOST_PARTS
        );
    }

    #[test]
    fn parts_follow_each_other_and_the_last_has_the_rest() {
        let it = PartLayout {
            length: 25,
            part_length: 10,
        };
        assert_eq!(
            [0, 1, 2, 3, 4].map(|number| it.offset(number)),
            [0, 0, 10, 20, 30]
        );
        assert_eq!(
            [1, 2, 3, 4].map(|number| it.length_of(number)),
            [10, 10, 5, 0]
        );
        assert_eq!(it.count(), 3);
    }
}
