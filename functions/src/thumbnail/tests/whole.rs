//! An image is read whole, or not at all.

use super::*;

const BASELINE: &[u8] = include_bytes!("baseline.jpg");
const RESTART: &[u8] = include_bytes!("restart.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("progressive.jpg");
const PLAIN: &[u8] = include_bytes!("plain.png");
const INTERLACED: &[u8] = include_bytes!("interlaced.png");
const LOSSY: &[u8] = include_bytes!("lossy.webp");

const ALL: [(&str, &[u8]); 11] = [
    ("baseline.jpg", BASELINE),
    ("restart.jpg", RESTART),
    ("progressive.jpg", PROGRESSIVE),
    ("cmyk.jpg", include_bytes!("cmyk.jpg")),
    ("plain.png", PLAIN),
    ("interlaced.png", INTERLACED),
    ("animated.png", include_bytes!("animated.png")),
    ("lossy.webp", LOSSY),
    ("lossy-alpha.webp", include_bytes!("lossy-alpha.webp")),
    ("lossless.webp", include_bytes!("lossless.webp")),
    ("animated.webp", include_bytes!("animated.webp")),
];

fn pixels(bytes: &[u8]) -> Vec<u8> {
    thumbnail(bytes, 4096).expect("a whole image").pixels
}

fn is_unreadable(bytes: &[u8]) -> bool {
    matches!(thumbnail(bytes, 8), Err(Fault::Unreadable(_)))
}

/// The place of a marker in a JPEG image.
fn at(bytes: &[u8], marker: u8) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair == [0xff, marker])
        .expect("it has such a marker")
}

#[test]
fn no_part_of_an_image_is_one() {
    for (name, bytes) in ALL {
        assert!(thumbnail(bytes, 8).is_ok(), "{name}");
        for length in 0..bytes.len() {
            assert!(is_unreadable(&bytes[..length]), "{length} bytes of {name}");
        }
    }
}

#[test]
fn what_follows_a_whole_image_does_no_harm() {
    for (name, bytes) in ALL {
        for more in [&b"\0"[..], b"MotionPhoto_Data\0\0\0\x18ftypmp42", bytes] {
            assert!(thumbnail(&[bytes, more].concat(), 8).is_ok(), "{name}");
        }
    }
}

#[test]
fn an_end_that_is_put_after_part_of_a_jpeg_makes_no_image_of_it() {
    for bytes in [BASELINE, RESTART, PROGRESSIVE] {
        for length in 2..bytes.len() - 2 {
            let cut = [&bytes[..length], &[0xff, 0xd9]].concat();
            assert!(is_unreadable(&cut), "{length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_webp_whose_frame_is_cut_is_unreadable_whatever_its_sizes_say() {
    for bytes in [LOSSY, include_bytes!("lossless.webp")] {
        let frame = bytes
            .windows(4)
            .position(|name| name == b"VP8 " || name == b"VP8L")
            .expect("a frame");
        // The encoder fills its last bytes with zeros that no one reads.
        for length in (frame + 8..bytes.len() - 8).step_by(2) {
            let mut cut = bytes[..length].to_vec();
            let size = |from: usize| {
                u32::try_from(length - from - 8)
                    .expect("it is small")
                    .to_le_bytes()
            };
            cut[4..8].copy_from_slice(&size(0));
            cut[frame + 4..frame + 8].copy_from_slice(&size(frame));
            assert!(is_unreadable(&cut), "{length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn a_png_whose_data_is_cut_or_changed_is_unreadable() {
    let data = PLAIN
        .windows(4)
        .position(|name| name == b"IDAT")
        .expect("data");
    let length = u32::from_be_bytes(PLAIN[data - 4..data].try_into().expect("four bytes")) as usize;
    let with = |idat: &[u8]| {
        let mut png = PLAIN[..data - 4].to_vec();
        png.extend(
            u32::try_from(idat.len())
                .expect("it is small")
                .to_be_bytes(),
        );
        png.extend([b"IDAT", idat].concat());
        png.extend(crc(&[b"IDAT", idat].concat()).to_be_bytes());
        [&png[..], &PLAIN[data + 8 + length..]].concat()
    };
    let idat = &PLAIN[data + 4..data + 4 + length];
    assert!(thumbnail(&with(idat), 8).is_ok());
    // The last block may lack its end, and the check sum: all pixels are there.
    for cut in 0..length - 6 {
        assert!(
            is_unreadable(&with(&idat[..cut])),
            "{cut} of {length} bytes"
        );
    }
    for at in data..data + 8 + length {
        let mut changed = PLAIN.to_vec();
        changed[at] ^= 0x10;
        assert!(is_unreadable(&changed), "byte {at}");
    }
}

#[test]
fn a_jpeg_without_one_of_its_scans_is_unreadable() {
    let scans: Vec<_> = (0..PROGRESSIVE.len() - 1)
        .filter(|&at| PROGRESSIVE[at..at + 2] == [0xff, 0xda])
        .collect();
    assert!(scans.len() > 5);
    for (number, &scan) in scans.iter().enumerate() {
        let end = scans
            .get(number + 1)
            .copied()
            .unwrap_or(PROGRESSIVE.len() - 2);
        let without = [&PROGRESSIVE[..scan], &PROGRESSIVE[end..]].concat();
        assert!(is_unreadable(&without), "without scan {number}");
        let twice = [&PROGRESSIVE[..end], &PROGRESSIVE[scan..]].concat();
        assert!(is_unreadable(&twice), "with scan {number} twice");
    }
}

#[test]
fn a_jpeg_with_a_restart_marker_that_is_lost_or_out_of_order_is_unreadable() {
    for number in 0xd0..=0xd1 {
        let marker = at(RESTART, number);
        assert!(is_unreadable(
            &[&RESTART[..marker], &RESTART[marker + 2..]].concat()
        ));
        let mut other = RESTART.to_vec();
        other[marker + 1] = 0xd5;
        assert!(is_unreadable(&other));
    }
}

#[test]
fn a_jpeg_with_data_that_belongs_to_no_block_is_unreadable() {
    for bytes in [BASELINE, RESTART, PROGRESSIVE] {
        let end = bytes.len() - 2;
        for more in [&b"\0"[..], b"\x55\xaa", b"\0\0\0\0"] {
            assert!(
                is_unreadable(&[&bytes[..end], more, &bytes[end..]].concat()),
                "{more:?}"
            );
        }
        // Any number of these may stand before a marker.
        assert!(thumbnail(&[&bytes[..end], &[0xff, 0xff], &bytes[end..]].concat(), 8).is_ok());
    }
}

#[test]
fn a_kind_that_is_not_supported_is_said_to_be_so() {
    let frame = at(BASELINE, 0xc0);
    let changed = |at: usize, to: &[u8]| {
        let mut jpeg = BASELINE.to_vec();
        jpeg[at..at + to.len()].copy_from_slice(to);
        thumbnail(&jpeg, 8).err()
    };
    let arithmetic = Some(Fault::Unsupported("JPEG with arithmetic coding"));
    assert_eq!(changed(frame + 1, &[0xc9]), arithmetic);
    assert_eq!(changed(frame + 1, &[0xca]), arithmetic);
    assert_eq!(
        changed(frame + 1, &[0xc3]),
        Some(Fault::Unsupported("lossless JPEG"))
    );
    assert_eq!(
        changed(frame + 1, &[0xc5]),
        Some(Fault::Unsupported("hierarchical JPEG"))
    );
    assert_eq!(
        changed(frame + 1, &[0xde]),
        Some(Fault::Unsupported("hierarchical JPEG"))
    );
    assert_eq!(
        changed(frame + 4, &[12]),
        Some(Fault::Unsupported("JPEG with 12 bits a sample"))
    );
    let height = Some(Fault::Unsupported("JPEG whose height is in a DNL segment"));
    assert_eq!(changed(frame + 5, &[0, 0]), height);
}

#[tokio::test(start_paused = true)]
async fn a_client_hears_which_kind_is_not_supported() {
    let mut jpeg = BASELINE.to_vec();
    jpeg[at(BASELINE, 0xc0) + 1] = 0xc9;
    let (_, job) = Bench::run("thumbnail.create", "width=10", "image/jpeg", jpeg).await;
    let failure = job.failure.expect("it failed");
    assert_eq!(
        (job.attempt, failure.status, failure.code.as_str()),
        (1, 422, "image-unsupported")
    );
    assert!(
        failure.detail.contains("arithmetic coding"),
        "{}",
        failure.detail
    );
}

#[test]
fn however_it_is_coded_an_image_looks_the_same() {
    assert_eq!(pixels(PROGRESSIVE), pixels(BASELINE));
    assert_eq!(pixels(RESTART), pixels(BASELINE));
    assert_eq!(pixels(INTERLACED), pixels(PLAIN));
    assert_eq!(
        thumbnail(INTERLACED, 8).expect("whole").pixels,
        thumbnail(PLAIN, 8).expect("whole").pixels
    );
    let lossless = pixels(include_bytes!("lossless.webp"));
    let visible = |pixels: &[u8]| {
        pixels
            .chunks(4)
            .filter(|pixel| pixel[3] > 0)
            .flatten()
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(visible(&lossless), visible(&pixels(PLAIN)));
}

#[test]
fn the_decoders_agree_with_those_of_the_ecosystem() {
    for (name, bytes) in ALL
        .into_iter()
        .filter(|(name, _)| !name.starts_with("lossy-alpha"))
    {
        let theirs = image::load_from_memory(bytes).expect(name);
        let theirs = if theirs.color().has_alpha() {
            theirs.to_rgba8().into_raw()
        } else {
            theirs.to_rgb8().into_raw()
        };
        let ours = pixels(bytes);
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let off: usize = ours
            .iter()
            .zip(&theirs)
            .map(|(a, b)| usize::from(a.abs_diff(*b)))
            .sum();
        // Chroma of less resolution is enlarged in other ways.
        assert!(
            off < 6 * ours.len(),
            "{name}: {} a sample",
            off / ours.len()
        );
    }
}

#[test]
fn an_attempt_that_is_to_stop_does_so_between_two_strips() {
    for (name, bytes) in ALL {
        let looks = std::cell::Cell::new(0);
        let look = |_| {
            looks.set(looks.get() + 1);
            if looks.get() == 2 {
                Err(Fault::Cancelled)
            } else {
                Ok(())
            }
        };
        let thumbnail = Thumbnail {
            width: Some(8),
            height: None,
            format: None,
        };
        let drawn = draw(&thumbnail, bytes, &mut Watch(&look));
        let is_cancelled = matches!(drawn, Err(Fault::Cancelled));
        assert!(
            is_cancelled && looks.get() == 2 || drawn.is_ok() && looks.get() == 1,
            "{name}: {}",
            looks.get()
        );
    }
}

#[test]
fn a_first_frame_that_does_not_fill_its_animation_is_not_supported() {
    let mut animated = include_bytes!("animated.webp").to_vec();
    animated[24] += 8; // the canvas's width
    let kind = "animated WebP whose first frame does not fill it";
    assert_eq!(
        thumbnail(&animated, 8).err(),
        Some(Fault::Unsupported(kind))
    );
}

proptest! {
    #[test]
    fn no_change_of_a_few_bytes_makes_a_decoder_panic(
        image in 0..ALL.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = ALL[image].1.to_vec();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let _ = thumbnail(&bytes, 8);
    }
}
