//! Estimate of a thumbnail's memory, from its parameters and the head of the file.
//!
//! The estimate has three parts: the file, the pixels of the thumbnail, and the larger of decoding and encoding. Decoding holds a
//! strip, or a frame of WebP. Encoding holds, at worst, noise that no codec compresses. `benches/memory` measures them.

use serde::Deserialize as _;

use super::jpeg::Jpeg;
use super::limits::{LONGEST_FILE, LONGEST_SIDE};
use super::parameters::{Format, Thumbnail, fit};
use super::webp;

/// Rows, tables and windows of the codecs, and metadata.
const BASE: u64 = 8 * 1024 * 1024;
/// Memory for a strip of the widest JPEG image with the largest sampling factors.
const LARGEST_STRIP: u64 = 20 * 1024 * 1024;

/// Returns the most memory in bytes that a thumbnail needs in addition to the idle process. `head` is the start of the file (64
/// KiB are enough), and `length` is its size. Returns `None` if the format is unknown.
pub(super) fn memory(thumbnail: &Thumbnail, head: &[u8], length: u64) -> Option<u64> {
    let source = Format::from_bytes(head)?;
    let (decoding, size, channels) = match source {
        // Cameras may put a preview that is larger than the head before the frame header. Then only the box is known.
        Format::Jpeg => {
            let (strip, size) = Jpeg::strip(head).unwrap_or((LARGEST_STRIP, (u32::MAX, u32::MAX)));
            (strip, size, 3)
        }
        Format::Png => {
            let (width, height) = (head.get(16..20)?, head.get(20..24)?);
            let side = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_be_bytes);
            (0, (side(width)?, side(height)?), png_channels(head)?)
        }
        Format::Webp => {
            let frame = webp::outline(head)?;
            (frame.decoding, frame.size, frame.channels)
        }
    };
    let target = target(thumbnail, size);
    let to = thumbnail.format.unwrap_or(source);
    let channels = if to == Format::Jpeg {
        channels.min(3)
    } else {
        channels
    };
    let pixels = target * channels;
    Some(BASE + length + pixels + decoding.max(encoding(to, target, channels)))
}

/// Returns the most channels of a PNG image: a chunk before the pixels may add transparency.
fn png_channels(head: &[u8]) -> Option<u64> {
    let has = |name: &[u8]| head.windows(4).any(|window| window == name);
    let is_opaque = has(b"IDAT") && !has(b"tRNS");
    match head.get(25)? {
        0 => Some(if is_opaque { 1 } else { 2 }),
        4 => Some(2),
        2 | 3 => Some(if is_opaque { 3 } else { 4 }),
        _ => Some(4),
    }
}

/// Most memory in bytes of any accepted image, for images whose [`memory`] is unknown.
pub(super) fn most() -> u64 {
    let target = u64::from(LONGEST_SIDE) * u64::from(LONGEST_SIDE);
    BASE + LONGEST_FILE + target * 4 + encoding(Format::Webp, target, 4)
}

/// Returns the estimate for a thumbnail in bytes: `memory`, or the most memory of any image if that is unknown.
pub fn estimate(parameters: &serde_json::Value, head: &[u8], length: u64) -> u64 {
    Thumbnail::deserialize(parameters)
        .ok()
        .and_then(|it| memory(&it, head, length))
        .unwrap_or_else(most)
}

/// Returns the additional memory in bytes for encoding this number of pixels.
fn encoding(format: Format, target: u64, channels: u64) -> u64 {
    match format {
        Format::Png => target * channels * 9 / 8,
        Format::Jpeg => target * 2,
        // A copy with four bytes a pixel, the frame, and the file.
        Format::Webp => target * 4 + 2 * target * channels,
    }
}

/// Returns the number of pixels of the thumbnail, in any rotation.
fn target(thumbnail: &Thumbnail, size: (u32, u32)) -> u64 {
    let pixels = |is_on_its_side| {
        let (width, height) = if size == (u32::MAX, u32::MAX) {
            thumbnail.bounds(is_on_its_side)
        } else {
            fit(
                (size.0.max(1), size.1.max(1)),
                thumbnail.bounds(is_on_its_side),
            )
        };
        u64::from(width) * u64::from(height)
    };
    pixels(false).max(pixels(true))
}
