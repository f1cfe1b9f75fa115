//! Selects the entries of a batch whose payloads go to S3. SQS limits each message and their total. The libraries for
//! Java and Python ignore the total.

/// Size of an entry of a batch, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntrySize {
    /// Size with the payload in the body, in bytes.
    pub inline: usize,
    /// Size with a pointer in the body and one more attribute, in bytes.
    pub offloaded: usize,
}

/// Error: a batch is too large even with all payloads in S3, because of its attributes. Send it as several batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch is {total} bytes with every payload in S3, and SQS takes {limit}")]
pub struct BatchTooLarge {
    /// Minimum size of the batch in bytes.
    pub total: usize,
    /// Limit in bytes.
    pub limit: usize,
}

/// Returns for each entry whether its payload goes to S3. Entries over the threshold do. Then, while the total exceeds
/// the limit, so does the entry that saves most.
///
/// # Errors
/// Returns [`BatchTooLarge`] if that is not sufficient.
///
/// ```
/// use cloakroom_sqs_extended_client::batch::{EntrySize, to_offload};
///
/// let entry = |inline| EntrySize { inline, offloaded: 200 };
/// // Each fits by itself, and all of them do not.
/// let entries = [entry(200_000), entry(400_000), entry(300_000), entry(250_000)];
/// assert_eq!(to_offload(&entries, 1_000_000, 1_048_576), Ok(vec![false, true, false, false]));
/// ```
pub fn to_offload(
    entries: &[EntrySize],
    threshold: usize,
    limit: usize,
) -> Result<Vec<bool>, BatchTooLarge> {
    let mut offload: Vec<_> = entries
        .iter()
        .map(|entry| entry.inline > threshold)
        .collect();
    loop {
        let size = |(entry, offload): (&EntrySize, &bool)| {
            if *offload {
                entry.offloaded
            } else {
                entry.inline
            }
        };
        let total = entries.iter().zip(&offload).map(size).sum();
        if total <= limit {
            return Ok(offload);
        }
        let saving = |at: &usize| entries[*at].inline.saturating_sub(entries[*at].offloaded);
        let largest = (0..entries.len())
            .filter(|at| !offload[*at] && saving(at) > 0)
            .max_by_key(saving);
        let Some(largest) = largest else {
            return Err(BatchTooLarge { total, limit });
        };
        offload[largest] = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn entry(inline: usize) -> EntrySize {
        EntrySize {
            inline,
            offloaded: 200,
        }
    }

    #[test]
    fn a_batch_that_fits_stays_as_it_is_and_one_entry_over_the_threshold_goes_alone() {
        assert_eq!(to_offload(&[], 10, 10), Ok(vec![]));
        assert_eq!(
            to_offload(&[entry(500), entry(500)], 500, 1000),
            Ok(vec![false, false]),
            "the limits themselves fit"
        );
        assert_eq!(
            to_offload(&[entry(501), entry(300)], 500, 1000),
            Ok(vec![true, false])
        );
    }

    #[test]
    fn the_largest_go_until_the_rest_fits() {
        let entries = [entry(300), entry(500), entry(400), entry(350)];
        assert_eq!(
            to_offload(&entries, 1000, 1260),
            Ok(vec![false, true, false, false])
        );
        assert_eq!(
            to_offload(&entries, 1000, 1250),
            Ok(vec![false, true, false, false])
        );
        assert_eq!(
            to_offload(&entries, 1000, 1249),
            Ok(vec![false, true, true, false])
        );
        assert_eq!(
            to_offload(&entries, 1000, 799),
            Err(BatchTooLarge {
                total: 800,
                limit: 799
            })
        );
    }

    #[test]
    fn an_entry_that_is_smaller_than_its_pointer_is_not_made_larger() {
        let entries = [entry(100), entry(150), entry(400)];
        assert_eq!(
            to_offload(&entries, 1000, 450),
            Ok(vec![false, false, true])
        );
        assert_eq!(
            to_offload(&entries, 1000, 449),
            Err(BatchTooLarge {
                total: 450,
                limit: 449
            })
        );
    }

    proptest! {
        #[test]
        fn what_is_planned_fits_and_no_entry_goes_for_nothing(
            entries in prop::collection::vec((0_usize..2000, 100_usize..300), 0..11),
            threshold in 0_usize..2000,
            limit in 0_usize..5000,
        ) {
            let entries: Vec<_> = entries.iter().map(|&(inline, offloaded)| EntrySize { inline, offloaded }).collect();
            let least = entries.iter().map(|it| if it.inline > threshold { it.offloaded } else { it.inline.min(it.offloaded) });
            let least: usize = least.sum();
            match to_offload(&entries, threshold, limit) {
                Ok(offload) => {
                    let size = |at: usize| if offload[at] { entries[at].offloaded } else { entries[at].inline };
                    let total: usize = (0..entries.len()).map(size).sum();
                    prop_assert!(total <= limit);
                    for at in 0..entries.len() {
                        prop_assert!(offload[at] || entries[at].inline <= threshold);
                        // An entry that is selected for the total saves bytes.
                        prop_assert!(!offload[at] || entries[at].inline > threshold || entries[at].inline > entries[at].offloaded);
                    }
                    let smallest = (0..entries.len()).filter(|&at| offload[at] && entries[at].inline <= threshold)
                        .min_by_key(|&at| entries[at].inline - entries[at].offloaded);
                    if let Some(at) = smallest {
                        prop_assert!(total + entries[at].inline - entries[at].offloaded > limit);
                    }
                }
                Err(error) => prop_assert!(error.total > limit && error.total == least),
            }
        }
    }
}
