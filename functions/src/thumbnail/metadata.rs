//! Metadata of an image that its thumbnail needs: its orientation and its colour profile.

use image::metadata::Orientation;

/// A colour profile of more bytes than this would outweigh a thumbnail.
pub(super) const MOST_PROFILE_BYTES: usize = 64 * 1024;

/// Metadata of an image that its thumbnail needs.
pub(super) struct Metadata {
    /// The turn that makes it upright.
    pub(super) orientation: Orientation,
    /// The meaning of its colours, if not sRGB.
    pub(super) profile: Option<Vec<u8>>,
}
