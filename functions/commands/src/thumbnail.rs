//! `thumbnail.create`: a PNG, JPEG or WebP image, made to fit into a box.
//!
//! The content says what an image is, whatever media type it was sent with. Its header is held against the limits before
//! anything is decoded: a file of a few bytes may claim an image that no memory holds.
//!
//! An image is decoded and resized row by row, so that the thumbnail is most of what is held of it; only WebP needs a
//! whole frame. See [`memory`].

use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::core::problem::FieldError;
use cloakroom_app::{Command, HandlerError, JobContext, Output};
use image::ImageFormat;
use image::metadata::Orientation;
use schemars::JsonSchema;
use serde::Deserialize;

use canvas::{Canvas, Ground, Picture, is_on_its_side};
use fault::{Fault, unreadable};
use jpeg::Jpeg;
use png::Png;
use webp::Webp;

mod canvas;
mod fault;
mod jpeg;
pub(crate) mod memory;
mod png;
mod resize;
mod webp;
mod write;

/// The longest side of a thumbnail, in pixels.
const LONGEST_SIDE: u32 = 4096;
/// The longest side of an image that is accepted, in pixels.
const LONGEST_SOURCE_SIDE: u32 = 20_000;
/// The most pixels of a PNG or JPEG image. They cost time, not memory.
const MOST_PIXELS: u64 = 100_000_000;
/// The longest file, in bytes.
const LONGEST_FILE: u64 = 64 * 1024 * 1024;
/// A colour profile of more bytes than this would outweigh a thumbnail.
const MOST_PROFILE_BYTES: usize = 64 * 1024;

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
    /// The format that a file's first bytes are of.
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

impl Thumbnail {
    /// The box that an image has to fit into before it is turned.
    fn bounds(&self, is_on_its_side: bool) -> (u32, u32) {
        let (width, height) = (
            self.width.unwrap_or(LONGEST_SIDE),
            self.height.unwrap_or(LONGEST_SIDE),
        );
        if is_on_its_side {
            (height, width)
        } else {
            (width, height)
        }
    }
}

impl Thumbnail {
    fn check(&self) -> Vec<FieldError> {
        let sides = [("/width", self.width), ("/height", self.height)];
        let wrong =
            |side: Option<u32>| side.is_some_and(|pixels| !(1..=LONGEST_SIDE).contains(&pixels));
        let of_a_side = |(pointer, _)| FieldError::new(pointer, "a side is 1 to 4096 pixels long");
        let mut errors: Vec<_> = sides
            .into_iter()
            .filter(|&(_, side)| wrong(side))
            .map(of_a_side)
            .collect();
        if self.width.is_none() && self.height.is_none() {
            errors.push(FieldError::new("", "give width, height or both, in pixels"));
        }
        errors
    }
}

/// The command.
pub(crate) fn command() -> Command {
    Command::binary(
        "thumbnail.create",
        &["image/png", "image/jpeg", "image/webp"],
        create,
    )
    .example(
        "width=200",
        "-H 'Content-Type: image/jpeg' --data-binary @docs/photo.jpg",
    )
    .validate(Thumbnail::check)
    .upload_limit(LONGEST_FILE)
    .timeout(Duration::from_secs(60))
    .attempts(3)
    .memory(memory::most())
    .memory_for(|thumbnail: &Thumbnail, image| {
        memory::memory(thumbnail, &image.bytes, image.length)
    })
}

async fn create(
    thumbnail: Thumbnail,
    bytes: Bytes,
    job: JobContext,
) -> Result<Output, HandlerError> {
    let span = tracing::Span::current();
    // Decoding computes without a pause, and must not keep the other jobs from their turn.
    tokio::task::spawn_blocking(move || span.in_scope(|| render(&thumbnail, bytes, &job))).await?
}

fn render(thumbnail: &Thumbnail, bytes: Bytes, job: &JobContext) -> Result<Output, HandlerError> {
    let look = |done: f64| {
        job.progress(90.0 * done, "decoding and resizing");
        if job.is_cancelled() {
            Err(Fault::Cancelled)
        } else {
            Ok(())
        }
    };
    let drawn = draw(thumbnail, &bytes, &mut Watch(&look))?;
    drop(bytes);

    job.progress(90.0, "encoding");
    let mime_type = drawn.format.codec().to_mime_type();
    let bytes = drawn.write().map_err(|error| {
        HandlerError::terminal("the thumbnail can't be written in this format").with_cause(error)
    })?;
    Ok(Output::bytes(mime_type, bytes))
}

/// Looks at the job between strips: an attempt that is to stop does so within one.
struct Watch<'a>(&'a dyn Fn(f64) -> Result<(), Fault>);

impl Watch<'_> {
    /// Reports how many rows are done, of how many.
    fn strip(&self, done: usize, of: usize) -> Result<(), Fault> {
        let small = |rows: usize| f64::from(u32::try_from(rows).unwrap_or(u32::MAX));
        (self.0)(small(done) / small(of))
    }
}

/// Metadata of an image that its thumbnail needs.
struct Around {
    /// The turn that makes it upright.
    orientation: Orientation,
    /// The meaning of its colours, if not sRGB.
    profile: Option<Vec<u8>>,
}

/// A thumbnail that is yet to be encoded.
struct Drawn {
    picture: Picture,
    format: Format,
    profile: Option<Vec<u8>>,
}

enum Image<'a> {
    Png(Box<Png<'a>>),
    Jpeg(Jpeg<'a>),
    Webp(Webp<'a>),
}

impl<'a> Image<'a> {
    fn parse(format: Format, bytes: &'a [u8]) -> Result<Self, Fault> {
        Ok(match format {
            Format::Png => Self::Png(Box::new(Png::parse(bytes)?)),
            Format::Jpeg => Self::Jpeg(Jpeg::parse(bytes)?),
            Format::Webp => Self::Webp(Webp::parse(bytes)?),
        })
    }

    fn size(&self) -> (u32, u32) {
        match self {
            Self::Png(image) => image.size(),
            Self::Jpeg(image) => image.size(),
            Self::Webp(image) => image.size(),
        }
    }

    fn around(&mut self) -> &mut Around {
        match self {
            Self::Png(image) => &mut image.around,
            Self::Jpeg(image) => &mut image.around,
            Self::Webp(image) => &mut image.around,
        }
    }

    fn draw(self, canvas: &mut Canvas, watch: &mut Watch<'_>) -> Result<(), Fault> {
        match self {
            Self::Png(image) => image.draw(canvas, watch),
            Self::Jpeg(image) => image.draw(canvas, watch),
            Self::Webp(image) => image.draw(canvas, watch),
        }
    }
}

fn draw(thumbnail: &Thumbnail, bytes: &[u8], watch: &mut Watch<'_>) -> Result<Drawn, Fault> {
    let source =
        Format::of(bytes).ok_or_else(|| unreadable("its content is not of a supported format"))?;
    let format = thumbnail.format.unwrap_or(source);
    let mut image = Image::parse(source, bytes)?;
    let size = image.size();
    within_limits(size, MOST_PIXELS)?;
    let orientation = image.around().orientation;
    // A profile of CMYK inks does not describe what is made of them.
    let profile = image
        .around()
        .profile
        .take()
        .filter(|profile| profile.get(16..20) == Some(b"RGB "));
    let ground = if format == Format::Jpeg {
        Ground::White
    } else {
        Ground::Kept
    };
    let target = fit(size, thumbnail.bounds(is_on_its_side(orientation)));
    let mut canvas = Canvas::new(target, size, orientation, ground);
    image.draw(&mut canvas, watch)?;
    Ok(Drawn {
        picture: canvas.finish(),
        format,
        profile,
    })
}

fn within_limits((width, height): (u32, u32), most_pixels: u64) -> Result<(), Fault> {
    if width == 0 || height == 0 {
        return Err(unreadable("it has no pixels"));
    }
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > LONGEST_SOURCE_SIDE || pixels > most_pixels {
        return Err(Fault::TooLarge(format!("{width} x {height}")));
    }
    Ok(())
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

#[cfg(test)]
mod tests;
