//! Progress and cancellation of a job during decoding.

use super::fault::Fault;

/// Check of the job between strips: an attempt stops within one strip.
pub(super) struct Watch<'a>(pub(super) &'a dyn Fn(f64) -> Result<(), Fault>);

impl Watch<'_> {
    /// Reports the number of finished rows and of all rows.
    pub(super) fn strip(&self, done: usize, of: usize) -> Result<(), Fault> {
        let small = |rows: usize| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        (self.0)(small(done) / small(of))
    }
}
