//! The job's view of decoding: its progress, and its cancellation.

use super::fault::Fault;

/// Looks at the job between strips: an attempt that is to stop does so within one.
pub(super) struct Watch<'a>(pub(super) &'a dyn Fn(f64) -> Result<(), Fault>);

impl Watch<'_> {
    /// Reports how many rows are done, of how many.
    pub(super) fn strip(&self, done: usize, of: usize) -> Result<(), Fault> {
        let small = |rows: usize| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        (self.0)(small(done) / small(of))
    }
}
