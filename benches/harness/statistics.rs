//! Median, which ignores a single slow process among several, and the 99th percentile.

/// Returns the median; the lower of the middle two for an even number.
pub(crate) fn median<T: PartialOrd + Copy>(numbers: impl IntoIterator<Item = T>) -> T {
    let numbers = sorted(numbers);
    numbers[(numbers.len() - 1) / 2]
}

/// Returns the number that 99 % of the numbers do not exceed.
pub(crate) fn percentile_99<T: PartialOrd + Copy>(numbers: impl IntoIterator<Item = T>) -> T {
    let numbers = sorted(numbers);
    numbers[(numbers.len() * 99).div_ceil(100) - 1]
}

fn sorted<T: PartialOrd + Copy>(numbers: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    numbers
}
