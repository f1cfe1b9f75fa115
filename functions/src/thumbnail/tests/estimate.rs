//! The estimate of a thumbnail's memory. That it holds is measured by `benches/memory`.

use super::*;
use crate::thumbnail::memory::{memory, most};

const MIB: u64 = 1024 * 1024;

fn box_of(side: u32) -> Thumbnail {
    Thumbnail {
        width: Some(side),
        height: Some(side),
        format: None,
    }
}

/// A header alone, of an image of this size.
fn head(format: Format, width: u16, height: u16) -> Vec<u8> {
    let mut bytes = written(&picture(8, 8), format);
    match format {
        Format::Png => {
            bytes[16..20].copy_from_slice(&u32::from(width).to_be_bytes());
            bytes[20..24].copy_from_slice(&u32::from(height).to_be_bytes());
        }
        Format::Jpeg => {
            let frame = bytes
                .windows(2)
                .position(|marker| marker == [0xff, 0xc0])
                .expect("a frame header");
            bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
            bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        }
        Format::Webp => {
            let size = bytes
                .windows(4)
                .position(|name| name == b"VP8L")
                .expect("a lossless image")
                + 9;
            let sides = u32::from(width - 1) | u32::from(height - 1) << 14;
            bytes[size..size + 4].copy_from_slice(&sides.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn a_large_photo_costs_little_more_than_its_file_and_its_thumbnail() {
    for format in [Format::Jpeg, Format::Png] {
        let head = head(format, 8688, 5792);
        let small = memory(&box_of(200), &head, 10 * MIB).expect("it is known");
        let large = memory(&box_of(4096), &head, 10 * MIB).expect("it is known");
        assert!((10 * MIB..30 * MIB).contains(&small), "{small}");
        assert!(
            (10 * MIB + 3 * 4096 * 2731..100 * MIB).contains(&large),
            "{large}"
        );
    }
}

#[test]
fn a_webp_costs_its_frame() {
    let estimate = memory(&box_of(200), &head(Format::Webp, 5000, 5000), MIB).expect("it is known");
    assert!(
        (4 * 25_000_000..135 * MIB).contains(&estimate),
        "{estimate}"
    );
}

#[test]
fn a_jpeg_whose_frame_header_is_not_in_the_head_is_estimated_by_the_box() {
    let head = head(Format::Jpeg, 8688, 5792);
    let known = memory(&box_of(4096), &head, MIB).expect("it is known");
    let unknown = memory(&box_of(4096), &head[..20], MIB).expect("the box is known");
    assert!((known..2 * known).contains(&unknown), "{known} {unknown}");
}

#[test]
fn what_is_no_image_has_no_estimate() {
    for head in [
        &b""[..],
        b"garbage",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBPVP8X",
    ] {
        assert_eq!(memory(&box_of(200), head, 100), None, "{head:?}");
    }
}

proptest! {
    #[test]
    fn no_accepted_image_is_estimated_above_the_bound(
        format in 0usize..3, to in 0usize..4, width in 1u16..20_000, height in 1u16..20_000, side in 1u32..=4096,
    ) {
        let formats = [Format::Png, Format::Jpeg, Format::Webp];
        let bytes = head(formats[format], width.min(16_383), height);
        let thumbnail = Thumbnail { format: formats.get(to).copied(), ..box_of(side) };
        let pixels = u64::from(width) * u64::from(height);
        if let Some(estimate) = memory(&thumbnail, &bytes, LONGEST_FILE).filter(|_| pixels <= MOST_PIXELS) {
            prop_assert!(estimate <= most(), "{estimate}");
        }
    }
}
