//! `thumbnail.create`: a PNG, JPEG or WebP image, made to fit into a box.
//!
//! The content says what an image is, whatever media type it was sent with. What its header claims is checked before
//! anything is decoded: a file of a few bytes may claim an image that no memory holds.

use std::io::Cursor;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::core::problem::FieldError;
use cloakroom_app::{Command, HandlerError, JobContext, Output, Payload};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use schemars::JsonSchema;
use serde::Deserialize;

/// The longest side of a thumbnail, in pixels.
const LONGEST_SIDE: u32 = 4096;
/// The longest side of an image that is taken, in pixels.
const LONGEST_SOURCE_SIDE: u32 = 20_000;
/// The most bytes that an image may have once it is decoded: 89 megapixels of a photo.
const MOST_DECODED_BYTES: u64 = 256 * 1024 * 1024;
/// A colour profile of more bytes than this would outweigh a thumbnail.
const MOST_PROFILE_BYTES: usize = 64 * 1024;
const JPEG_QUALITY: u8 = 85;

/// The box that the image is to fit into, its aspect ratio kept. It is never enlarged. One side at least is given; the
/// other is then as long as it comes, up to 4096.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["width"] }, { "required": ["height"] }]))]
struct Thumbnail {
    /// At most so wide, in pixels.
    #[schemars(range(min = 1, max = 4096))]
    width: Option<u32>,
    /// At most so high, in pixels.
    #[schemars(range(min = 1, max = 4096))]
    height: Option<u32>,
    /// The format of the thumbnail; the image's own without it.
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Png,
    /// What is transparent becomes white.
    Jpeg,
    /// Lossless: of photos, larger than JPEG.
    Webp,
}

impl Format {
    fn of(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::WebP => Some(Self::Webp),
            _ => None,
        }
    }

    fn codec(self) -> ImageFormat {
        match self {
            Self::Png => ImageFormat::Png,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Webp => ImageFormat::WebP,
        }
    }
}

impl Payload for Thumbnail {
    fn check(&self) -> Vec<FieldError> {
        let sides = [("/width", self.width), ("/height", self.height)];
        let wrong = |side: Option<u32>| side.is_some_and(|pixels| !(1..=LONGEST_SIDE).contains(&pixels));
        let of_a_side = |(pointer, _)| FieldError::new(pointer, "a side is 1 to 4096 pixels long");
        let mut errors: Vec<_> = sides.into_iter().filter(|&(_, side)| wrong(side)).map(of_a_side).collect();
        if self.width.is_none() && self.height.is_none() {
            errors.push(FieldError::new("", "give width, height or both, in pixels"));
        }
        errors
    }
}

/// The command.
pub(crate) fn command() -> Command {
    Command::binary("thumbnail.create", &["image/png", "image/jpeg", "image/webp"], create)
        .upload_limit(64 * 1024 * 1024)
        .timeout(Duration::from_secs(60))
        .attempts(3)
}

async fn create(thumbnail: Thumbnail, bytes: Bytes, job: JobContext) -> Result<Output, HandlerError> {
    let span = tracing::Span::current();
    // Decoding can't be interrupted, and must not keep the other jobs from their turn.
    tokio::task::spawn_blocking(move || span.in_scope(|| render(&thumbnail, bytes, &job))).await?
}

fn render(thumbnail: &Thumbnail, bytes: Bytes, job: &JobContext) -> Result<Output, HandlerError> {
    job.progress(0.0, "decoding");
    let source = decode(&bytes)?;
    drop(bytes);
    unless_cancelled(job)?;

    job.progress(60.0, "resizing");
    let bounds = (thumbnail.width.unwrap_or(LONGEST_SIDE), thumbnail.height.unwrap_or(LONGEST_SIDE));
    let image = resize(source.image, bounds, source.orientation);
    unless_cancelled(job)?;

    job.progress(90.0, "encoding");
    let format = thumbnail.format.unwrap_or(source.format);
    let bytes = encode(&image, format, source.profile)
        .map_err(|error| HandlerError::terminal("the thumbnail can't be written in this format").because(error))?;
    Ok(Output::bytes(format.codec().to_mime_type(), bytes))
}

fn unless_cancelled(job: &JobContext) -> Result<(), HandlerError> {
    if job.is_cancelled() { Err(HandlerError::cancelled()) } else { Ok(()) }
}

struct Source {
    image: DynamicImage,
    format: Format,
    /// How it is to be turned.
    orientation: Orientation,
    /// What its colours mean, if not sRGB.
    profile: Option<Vec<u8>>,
}

fn decode(bytes: &[u8]) -> Result<Source, HandlerError> {
    let format = Format::of(bytes).ok_or_else(|| unreadable("its content is none of these formats"))?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SOURCE_SIDE);
    limits.max_image_height = Some(LONGEST_SOURCE_SIDE);
    limits.max_alloc = Some(MOST_DECODED_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
    reader.limits(limits);
    // Reads the header alone, and holds its width and height against the limits.
    let mut decoder = reader.into_decoder().map_err(|error| refused(&error))?;
    if decoder.total_bytes() > MOST_DECODED_BYTES {
        return Err(too_large("it would be decoded to more bytes than that"));
    }
    if decoder.total_bytes() == 0 {
        return Err(unreadable("it has no pixels"));
    }
    // Neither is worth failing for.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten().filter(|profile| is_for_rgb(profile));
    let image = DynamicImage::from_decoder(decoder).map_err(|error| refused(&error))?;
    Ok(Source { image, format, orientation, profile })
}

/// Whether a colour profile describes what the decoder makes. Of a CMYK image it does not.
fn is_for_rgb(profile: &[u8]) -> bool {
    profile.len() <= MOST_PROFILE_BYTES && profile.get(16..20) == Some(b"RGB ")
}

fn refused(error: &ImageError) -> HandlerError {
    match error {
        ImageError::Limits(_) => too_large(error),
        _ => unreadable(error),
    }
}

fn too_large(why: impl std::fmt::Display) -> HandlerError {
    let detail = "the image is too large: send one of at most 20000 pixels a side and 256 MiB decoded";
    HandlerError::terminal(detail).code("image-too-large").status(422).because(why)
}

fn unreadable(why: impl std::fmt::Display) -> HandlerError {
    let detail = "the image can't be read: send a whole PNG, JPEG or WebP image";
    HandlerError::terminal(detail).code("image-unreadable").status(422).because(why)
}

/// Resizes an image so that it fits once it is turned, and turns it then, when it is small.
fn resize(image: DynamicImage, bounds: (u32, u32), orientation: Orientation) -> DynamicImage {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let on_its_side = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let bounds = if on_its_side { (bounds.1, bounds.0) } else { bounds };
    let size = (image.width(), image.height());
    let mut image = match fit(size, bounds) {
        same if same == size => image,
        smaller if image.color().has_alpha() => with_weighed_colours(image, |image| shrink(image, smaller)),
        smaller => shrink(&image, smaller),
    };
    image.apply_orientation(orientation);
    image
}

/// The largest size of the same aspect ratio that fits, but none larger than this one.
fn fit((width, height): (u32, u32), (max_width, max_height): (u32, u32)) -> (u32, u32) {
    let scaled = |side: u32, by: u32, of: u32| {
        let rounded = (u64::from(side) * u64::from(by) + u64::from(of) / 2) / u64::from(of);
        u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
    };
    if width <= max_width && height <= max_height {
        (width, height)
    } else if u64::from(width) * u64::from(max_height) >= u64::from(height) * u64::from(max_width) {
        (max_width, scaled(height, max_width, width))
    } else {
        (scaled(width, max_height, height), max_height)
    }
}

/// Lanczos, for its sharpness; but of a much larger image after averaging it down to twice the size, which looks the
/// same and is many times as fast.
fn shrink(image: &DynamicImage, (width, height): (u32, u32)) -> DynamicImage {
    let (twice_width, twice_height) = (2 * width, 2 * height);
    if image.width() > 2 * twice_width && image.height() > 2 * twice_height {
        image.thumbnail_exact(twice_width, twice_height).resize_exact(width, height, FilterType::Lanczos3)
    } else {
        image.resize_exact(width, height, FilterType::Lanczos3)
    }
}

/// Works on colours that are weighed by their opacity: what can't be seen must not shine through at the edges.
fn with_weighed_colours(image: DynamicImage, work: impl FnOnce(&DynamicImage) -> DynamicImage) -> DynamicImage {
    let mut weighed = image.into_rgba8();
    for pixel in weighed.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        pixel[..3].iter_mut().for_each(|colour| *colour = to_u8((u16::from(*colour) * alpha + 127) / 255));
    }
    let mut image = work(&DynamicImage::ImageRgba8(weighed)).into_rgba8();
    for pixel in image.chunks_exact_mut(4).filter(|pixel| pixel[3] > 0) {
        let alpha = u16::from(pixel[3]);
        pixel[..3].iter_mut().for_each(|colour| *colour = to_u8((u16::from(*colour) * 255 + alpha / 2) / alpha));
    }
    DynamicImage::ImageRgba8(image)
}

/// Puts an image on white.
fn flatten(image: &DynamicImage) -> DynamicImage {
    let mut image = image.to_rgba8();
    for pixel in image.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        let over_white = |colour: u8| to_u8((u16::from(colour) * alpha + 255 * (255 - alpha) + 127) / 255);
        pixel[..3].iter_mut().for_each(|colour| *colour = over_white(*colour));
    }
    DynamicImage::ImageRgba8(image).into_rgb8().into()
}

fn to_u8(value: u16) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn encode(image: &DynamicImage, format: Format, profile: Option<Vec<u8>>) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    match format {
        Format::Png => write(image, PngEncoder::new(&mut bytes), profile)?,
        Format::Webp => write(image, WebPEncoder::new_lossless(&mut bytes), profile)?,
        Format::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            if image.color().has_alpha() {
                write(&flatten(image), encoder, profile)?;
            } else {
                write(image, encoder, profile)?;
            }
        }
    }
    Ok(bytes)
}

fn write(image: &DynamicImage, mut encoder: impl ImageEncoder, profile: Option<Vec<u8>>) -> ImageResult<()> {
    if let Some(profile) = profile.filter(|_| image.color().has_color()) {
        encoder.set_icc_profile(profile).map_err(ImageError::Unsupported)?;
    }
    image.write_with_encoder(encoder)
}

#[cfg(test)]
mod tests;
