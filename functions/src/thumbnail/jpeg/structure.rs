//! Structure of a JPEG image, before its blocks are decoded.

use super::super::canvas::Colours;
use super::super::metadata::Metadata;
use super::frame::Frame;
use super::scan::Scan;

/// A JPEG image with a complete structure, before its blocks are decoded.
pub(crate) struct Jpeg<'a> {
    pub(super) frame: Frame,
    pub(super) scans: Vec<Scan<'a>>,
    /// Factors of each component, in the order of the coefficients.
    pub(super) quantisation: Vec<[u16; 64]>,
    pub(super) colours: Colours,
    pub(super) metadata: Metadata,
}
