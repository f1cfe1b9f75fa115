//! Metadata of an image that its thumbnail needs: its orientation and its colour profile.

use image::metadata::Orientation;

/// Largest colour profile in bytes. A larger one would exceed the size of a thumbnail.
pub(super) const MOST_PROFILE_BYTES: usize = 64 * 1024;

/// Metadata of an image that its thumbnail needs.
pub(super) struct Metadata {
    /// Rotation that makes the image upright.
    pub(super) orientation: Orientation,
    /// Colour profile, if it is not sRGB.
    pub(super) profile: Option<Vec<u8>>,
}
