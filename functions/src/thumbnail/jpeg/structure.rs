//! A JPEG image between reading its segments and decoding its blocks.

use super::super::canvas::Colours;
use super::super::metadata::Metadata;
use super::frame::Frame;
use super::scan::Scan;

/// A JPEG image whose structure was read and found whole; its blocks are yet to be decoded.
pub(crate) struct Jpeg<'a> {
    pub(super) frame: Frame,
    pub(super) scans: Vec<Scan<'a>>,
    /// Factors of each component, by the places of coefficients.
    pub(super) quantisation: Vec<[u16; 64]>,
    pub(super) colours: Colours,
    pub(super) metadata: Metadata,
}
