//! The median, and nothing else: one slow process among several says nothing.

/// The middle one; of an even number the lower of the two.
pub(crate) fn median<T: PartialOrd + Copy>(numbers: impl IntoIterator<Item = T>) -> T {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    numbers[(numbers.len() - 1) / 2]
}
