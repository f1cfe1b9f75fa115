//! Median, which ignores a single slow process among several.

/// Returns the median; the lower of the middle two for an even number.
pub(crate) fn median<T: PartialOrd + Copy>(numbers: impl IntoIterator<Item = T>) -> T {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    numbers[(numbers.len() - 1) / 2]
}
