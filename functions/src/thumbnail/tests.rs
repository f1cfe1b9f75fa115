use std::io::Cursor;

use cloakroom::Status;
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, GenericImageView, ImageBuffer, ImageDecoder, ImageEncoder, ImageFormat,
    ImageReader,
};
use image::{Luma, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::canvas::Picture;
use super::limits::LONGEST_SIDE;
use super::metadata::MOST_PROFILE_BYTES;
use super::*;
use crate::bench::Bench;

mod estimate;
mod whole;

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];

/// Blue, with a red quarter at its top left.
fn picture(width: u32, height: u32) -> DynamicImage {
    let colour = |x, y| {
        Rgb(if x < width / 2 && y < height / 2 {
            RED
        } else {
            BLUE
        })
    };
    RgbImage::from_fn(width, height, colour).into()
}

fn written(image: &DynamicImage, format: Format) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, format.codec())
        .expect("it can be written");
    bytes.into_inner()
}

/// The pixels of a thumbnail whose sides are at most so long.
fn thumbnail(bytes: &[u8], side: u32) -> Result<Picture, Fault> {
    let thumbnail = Thumbnail {
        width: Some(side),
        height: Some(side),
        format: None,
    };
    draw(&thumbnail, bytes, &mut Watch(&|_| Ok(()))).map(|drawn| drawn.picture)
}

async fn thumbnail_of(bytes: Vec<u8>, query: &str) -> (ImageFormat, DynamicImage) {
    let (bench, job) = Bench::run("thumbnail.create", query, "image/png", bytes).await;
    let (content_type, bytes) = bench.result(&job).await.expect("it has a result");
    let format = image::guess_format(&bytes).expect("an image");
    assert_eq!(content_type, format.to_mime_type());
    (format, image::load_from_memory(&bytes).expect("an image"))
}

async fn failure_of(bytes: Vec<u8>) -> (u32, u16, String) {
    let (_, job) = Bench::run("thumbnail.create", "width=10", "image/png", bytes).await;
    assert_eq!(job.status, Status::Failed);
    let failure = job.failure.expect("it failed");
    (job.attempt, failure.status, failure.code)
}

fn is_near(pixel: Rgba<u8>, [r, g, b]: [u8; 3]) -> bool {
    pixel
        .0
        .iter()
        .zip([r, g, b, 255])
        .all(|(&is, want)| is.abs_diff(want) < 40)
}

#[tokio::test(start_paused = true)]
async fn every_format_is_made_of_every_format() {
    let formats = [
        (Format::Png, "png"),
        (Format::Jpeg, "jpeg"),
        (Format::Webp, "webp"),
    ];
    for (from, _) in formats {
        for (to, name) in formats {
            let query = format!("width=20&height=20&format={name}");
            let (format, image) = thumbnail_of(written(&picture(80, 40), from), &query).await;
            assert_eq!(
                (format, image.dimensions()),
                (to.codec(), (20, 10)),
                "{from:?} to {to:?}"
            );
            assert!(
                is_near(image.get_pixel(2, 2), RED) && is_near(image.get_pixel(17, 7), BLUE),
                "{from:?} to {to:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_content_tells_the_format_not_the_media_type_it_was_sent_with() {
    let (format, _) = thumbnail_of(written(&picture(80, 40), Format::Jpeg), "width=20").await;
    assert_eq!(format, ImageFormat::Jpeg);
}

#[tokio::test(start_paused = true)]
async fn it_fits_the_box_and_is_never_enlarged() {
    for (query, size) in [
        ("width=50", (50, 25)),
        ("height=10", (20, 10)),
        ("width=50&height=10", (20, 10)),
        ("width=1", (1, 1)),
        ("width=200", (200, 100)),
        ("width=4096&height=4096", (200, 100)),
    ] {
        let (_, image) = thumbnail_of(written(&picture(200, 100), Format::Png), query).await;
        assert_eq!(image.dimensions(), size, "{query}");
    }
    // The side that is not named has its limit too.
    let (_, image) = thumbnail_of(written(&picture(2, 8192), Format::Png), "width=4").await;
    assert_eq!(image.dimensions(), (1, 4096));
}

#[tokio::test(start_paused = true)]
async fn a_photo_is_turned_as_its_exif_says() {
    for (orientation, size, red) in [
        (1, (20, 10), (2, 2)),
        (2, (20, 10), (17, 2)),
        (3, (20, 10), (17, 7)),
        (4, (20, 10), (2, 7)),
        (5, (10, 20), (2, 2)),
        (6, (10, 20), (7, 2)),
        (7, (10, 20), (7, 17)),
        (8, (10, 20), (2, 17)),
    ] {
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        let mut jpeg = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif).expect("JPEG has EXIF");
        picture(160, 80)
            .write_with_encoder(encoder)
            .expect("it can be written");
        // Twice as wide as the turned image can be high, so that the box counts for the turned one.
        let (_, image) =
            thumbnail_of(jpeg, &format!("width={}&height=40&format=png", size.0)).await;
        assert_eq!(image.dimensions(), size, "{orientation}");
        for (x, y) in [
            (2, 2),
            (size.0 - 3, 2),
            (2, size.1 - 3),
            (size.0 - 3, size.1 - 3),
        ] {
            let want = if (x, y) == red { RED } else { BLUE };
            assert!(
                is_near(image.get_pixel(x, y), want),
                "orientation {orientation} at {x}, {y}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_transparent_stays_so_where_it_can_and_is_white_in_jpeg() {
    // Green that can't be seen beside red that can: nothing green may come of it.
    let half = RgbaImage::from_fn(80, 80, |x, _| {
        Rgba(if x < 38 {
            [255, 0, 0, 255]
        } else {
            [0, 255, 0, 0]
        })
    });
    let png = written(&half.into(), Format::Png);

    let (_, image) = thumbnail_of(png.clone(), "width=20").await;
    assert_eq!(image.get_pixel(18, 10)[3], 0);
    assert!(
        image
            .pixels()
            .filter(|(_, _, pixel)| pixel[3] > 0)
            .all(|(_, _, pixel)| pixel[1] < 8)
    );

    let (_, image) = thumbnail_of(png, "width=20&format=jpeg").await;
    assert!(
        is_near(image.get_pixel(2, 10), RED) && is_near(image.get_pixel(18, 10), [255, 255, 255])
    );
}

#[tokio::test(start_paused = true)]
async fn sixteen_bits_and_shades_of_grey_go_into_every_format() {
    let grey: DynamicImage = ImageBuffer::from_pixel(40, 40, Luma([128u8])).into();
    let deep: DynamicImage = ImageBuffer::from_pixel(40, 40, Rgba([65535u16, 0, 0, 65535])).into();
    for (image, colour) in [(grey, [128, 128, 128]), (deep, RED)] {
        for format in ["png", "jpeg", "webp"] {
            let (_, image) = thumbnail_of(
                written(&image, Format::Png),
                &format!("width=10&format={format}"),
            )
            .await;
            assert!(
                is_near(image.get_pixel(5, 5), colour),
                "{colour:?} as {format}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_colours_keep_their_meaning() {
    let mut profile = vec![0; 128];
    profile[16..20].copy_from_slice(b"RGB ");
    let kept = async |profile: Vec<u8>, format: &str| {
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 85);
        encoder.set_icc_profile(profile).expect("JPEG has profiles");
        picture(40, 40)
            .write_with_encoder(encoder)
            .expect("it can be written");
        let query = format!("width=10&format={format}");
        let (bench, job) = Bench::run("thumbnail.create", &query, "image/jpeg", bytes).await;
        let (_, bytes) = bench.result(&job).await.expect("it has a result");
        let reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .expect("an image");
        reader
            .into_decoder()
            .and_then(|mut decoder| decoder.icc_profile())
            .expect("an image")
    };
    for format in ["png", "jpeg", "webp"] {
        assert_eq!(
            kept(profile.clone(), format).await,
            Some(profile.clone()),
            "{format}"
        );
    }
    profile[16..20].copy_from_slice(b"CMYK");
    assert_eq!(kept(profile, "jpeg").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_large_image_comes_out_as_any_other() {
    let (_, image) = thumbnail_of(
        written(&picture(3000, 2000), Format::Jpeg),
        "width=300&format=png",
    )
    .await;
    assert_eq!(image.dimensions(), (300, 200));
    assert!(is_near(image.get_pixel(75, 50), RED) && is_near(image.get_pixel(225, 150), BLUE));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_claims_to_be_too_large_is_refused_before_it_is_decoded() {
    let small = picture(8, 8);
    let mut png = written(&small, Format::Png);
    png[16..24].copy_from_slice(&[60_000u32.to_be_bytes(), 60_000u32.to_be_bytes()].concat());
    let sum = crc(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&sum);

    let mut jpeg = written(&small, Format::Jpeg);
    let frame = jpeg
        .windows(2)
        .position(|marker| marker == [0xff, 0xc0])
        .expect("a frame header");
    jpeg[frame + 5..frame + 9]
        .copy_from_slice(&[60_000u16.to_be_bytes(), 60_000u16.to_be_bytes()].concat());

    // WebP has no longer sides than 16384, but that many pixels are still a gigabyte.
    let mut webp = written(&small, Format::Webp);
    let size = webp
        .windows(4)
        .position(|name| name == b"VP8L")
        .expect("a lossless image")
        + 9;
    webp[size..size + 4].copy_from_slice(&(0x3e7f_u32 | 0x3e7f << 14).to_le_bytes());

    for (bomb, name) in [(png, "PNG"), (jpeg, "JPEG"), (webp, "WebP")] {
        assert!(bomb.len() < 1000);
        assert_eq!(
            failure_of(bomb).await,
            (1, 422, "image-too-large".to_owned()),
            "{name}"
        );
    }
}

#[test]
fn an_image_has_up_to_20_000_pixels_a_side_and_100_megapixels() {
    for (size, good) in [
        ((20_000, 1), true),
        ((20_001, 1), false),
        ((1, 20_000), true),
        ((1, 20_001), false),
        ((10_000, 10_000), true),
        ((10_001, 10_000), false),
        ((5_000, 20_000), true),
        ((1, 1), true),
    ] {
        assert_eq!(within_limits(size, MOST_PIXELS).is_ok(), good, "{size:?}");
    }
    for size in [(0, 1), (1, 0), (0, 0)] {
        assert_eq!(
            within_limits(size, MOST_PIXELS),
            Err(unreadable("it has no pixels"))
        );
    }
    assert_eq!(
        (MOST_PROFILE_BYTES, LONGEST_FILE, LONGEST_SIDE),
        (65_536, 67_108_864, 4096)
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_what_to_send_instead() {
    let (_, job) = Bench::run(
        "thumbnail.create",
        "width=10",
        "image/png",
        b"garbage".to_vec(),
    )
    .await;
    let failure = job.failure.expect("it failed");
    assert_eq!(
        failure.detail,
        "the image can't be read: send a whole PNG, JPEG or WebP image"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_image_is_refused_at_once() {
    let png = written(&picture(80, 80), Format::Png);
    let webp = written(&picture(80, 80), Format::Webp);
    let mut no_pixels = webp.clone();
    let size = webp
        .windows(4)
        .position(|name| name == b"VP8L")
        .expect("a lossless image")
        + 9;
    no_pixels[size..size + 4].copy_from_slice(&(0x3fff_u32 | 9 << 14).to_le_bytes());
    for (bytes, name) in [
        (b"garbage".to_vec(), "garbage"),
        (b"GIF89a\x01\0\x01\0\0\0\0;".to_vec(), "another format"),
        (png[..40].to_vec(), "half a PNG"),
        (png[..8].to_vec(), "a PNG's first bytes"),
        (vec![0xff, 0xd8, 0xff, 0xe0], "a JPEG's first bytes"),
        (webp[..30].to_vec(), "half a WebP"),
        (no_pixels, "a WebP that the decoder takes for 0 pixels wide"),
    ] {
        assert_eq!(
            failure_of(bytes).await,
            (1, 422, "image-unreadable".to_owned()),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_query_is_refused_by_the_name_of_its_parameter() {
    for (query, pointers) in [
        ("", &[""][..]),
        ("format=png", &[""]),
        ("width=0", &["/width"]),
        ("height=4097", &["/height"]),
        ("width=0&height=0", &["/width", "/height"]),
        ("width=ten", &["/width"]),
        ("width=-1", &["/width"]),
        ("width=", &["/width"]),
        ("width=99999999999", &["/width"]),
        ("width=10&format=gif", &["/format"]),
        ("width=10&size=10", &["/size"]),
    ] {
        let refused = Bench::refusal("thumbnail.create", query, "image/png", "x").await;
        assert_eq!(refused, pointers, "{query}");
    }
}

proptest! {
    #[test]
    fn a_fit_is_the_largest_of_its_ratio_that_is_no_larger_than_box_or_image(
        (width, height) in (1u32..20_000, 1u32..20_000),
        (max_width, max_height) in (1u32..4096, 1u32..4096),
    ) {
        let (w, h) = fit((width, height), (max_width, max_height));
        prop_assert!(w >= 1 && h >= 1 && w <= max_width.min(width) && h <= max_height.min(height));
        prop_assert!(w == max_width || h == max_height || (w, h) == (width, height));
        // Off by the rounding of one side, half a pixel, or by the pixel that there must at least be.
        let off = (f64::from(w) * f64::from(height) - f64::from(h) * f64::from(width)).abs();
        prop_assert!(off <= f64::from(width.max(height)) / 2.0 + 1.0 || w == 1 || h == 1);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(format in 0usize..3, at in 0usize..200, byte: u8, cut in 0usize..200) {
        let mut bytes = written(&picture(9, 7), [Format::Png, Format::Jpeg, Format::Webp][format]);
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut.min(bytes.len()) / 2);
        let _ = thumbnail(&bytes, 20);
    }
}

/// The check sum of a PNG chunk.
fn crc(bytes: &[u8]) -> u32 {
    let shift = |sum: u32| {
        if sum & 1 == 1 {
            0xedb8_8320 ^ (sum >> 1)
        } else {
            sum >> 1
        }
    };
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| shift(sum))
    })
}
