//! Limits of files, images and thumbnails.

use super::fault::{Fault, unreadable};

/// Longest side of a thumbnail, in pixels.
pub(super) const LONGEST_SIDE: u32 = 4096;
/// Longest side of an accepted image, in pixels.
const LONGEST_SOURCE_SIDE: u32 = 20_000;
/// Most pixels of a PNG or JPEG image. They cost time, not memory.
pub(super) const MOST_PIXELS: u64 = 100_000_000;
/// Largest file, in bytes.
pub(super) const LONGEST_FILE: u64 = 64 * 1024 * 1024;

/// Checks the size of an image, in pixels, against the limits.
pub(super) fn within_limits((width, height): (u32, u32), most_pixels: u64) -> Result<(), Fault> {
    if width == 0 || height == 0 {
        return Err(unreadable("it has no pixels"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > LONGEST_SOURCE_SIDE || pixels > most_pixels {
        return Err(Fault::TooLarge(format!("{width} x {height}")));
    }
    Ok(())
}
