//! Memory that a thumbnail takes: known before it is begun, from its parameters and the head of the file.
//!
//! Three things count: the file, the thumbnail's pixels, and either what decoding holds as well (a strip; of WebP, a
//! frame) or what encoding does (at worst, noise that no codec makes smaller). `benches/memory` measures them.

use serde::Deserialize as _;

use super::jpeg::Jpeg;
use super::limits::{LONGEST_FILE, LONGEST_SIDE};
use super::parameters::{Format, Thumbnail, fit};
use super::webp;

/// Rows, tables, windows of the codecs, and what stands around the pixels.
const BASE: u64 = 8 * 1024 * 1024;
/// Memory for a strip of the widest JPEG image, sampled most coarsely.
const LARGEST_STRIP: u64 = 20 * 1024 * 1024;

/// Returns the most memory, in bytes, that a thumbnail takes above the idle process. `head` is the start of the file (64
/// KiB are enough) and `length` all of its bytes. `None` where the head is of no known format.
pub(super) fn memory(thumbnail: &Thumbnail, head: &[u8], length: u64) -> Option<u64> {
    let source = Format::from_bytes(head)?;
    let (decoding, size, channels) = match source {
        // Cameras put previews of more than the head before the frame header: then the box alone is known.
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

/// The most channels that a PNG image may have: a chunk before the pixels may give it transparency.
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

/// The most memory, in bytes, that any image takes which is accepted: where [`memory`] is not known.
pub(super) fn most() -> u64 {
    let target = u64::from(LONGEST_SIDE) * u64::from(LONGEST_SIDE);
    BASE + LONGEST_FILE + target * 4 + encoding(Format::Webp, target, 4)
}

/// Returns the estimate for a thumbnail by its parameters, in bytes: `memory`, or else the most that any takes.
pub fn estimate(parameters: &serde_json::Value, head: &[u8], length: u64) -> u64 {
    Thumbnail::deserialize(parameters)
        .ok()
        .and_then(|it| memory(&it, head, length))
        .unwrap_or_else(most)
}

/// Bytes that encoding so many pixels takes in addition to them.
fn encoding(format: Format, target: u64, channels: u64) -> u64 {
    match format {
        Format::Png => target * channels * 9 / 8,
        Format::Jpeg => target * 2,
        // A copy of four bytes a pixel, the frame, and the file.
        Format::Webp => target * 4 + 2 * target * channels,
    }
}

/// Pixels of the thumbnail, however it is turned.
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
