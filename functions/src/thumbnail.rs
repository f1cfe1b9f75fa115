//! `thumbnail.create`: resizes a PNG, JPEG or WebP image to fit into a box.
//!
//! The content determines the format, not the media type. The header is checked against the limits before anything is decoded:
//! a file of a few bytes may claim an image that fits into no memory.
//!
//! An image is decoded and resized row by row, so that little more than the thumbnail is in memory. Only WebP needs a whole frame.
//! See [`memory`].

use std::time::Duration;

use bytes::Bytes;
use cloakroom::{Command, HandlerError, JobContext, Output};

use canvas::{Canvas, Ground, is_on_its_side};
use fault::{Fault, unreadable};
use jpeg::Jpeg;
use limits::{LONGEST_FILE, MOST_PIXELS, within_limits};
use metadata::Metadata;
use parameters::{Format, Thumbnail, fit};
use png::Png;
use watch::Watch;
use webp::Webp;
use write::Drawn;

mod canvas;
mod fault;
mod jpeg;
mod limits;
pub(crate) mod memory;
mod metadata;
mod parameters;
mod png;
mod resize;
mod watch;
mod webp;
mod write;

/// Defines the command.
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
    // Decoding never yields, and must not block other jobs.
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

    fn metadata(&mut self) -> &mut Metadata {
        match self {
            Self::Png(image) => &mut image.metadata,
            Self::Jpeg(image) => image.metadata(),
            Self::Webp(image) => &mut image.metadata,
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
    let source = Format::from_bytes(bytes)
        .ok_or_else(|| unreadable("its content is not of a supported format"))?;
    let format = thumbnail.format.unwrap_or(source);
    let mut image = Image::parse(source, bytes)?;
    let size = image.size();
    within_limits(size, MOST_PIXELS)?;
    let orientation = image.metadata().orientation;
    // A profile of CMYK inks does not describe what is made of them.
    let profile = image
        .metadata()
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

#[cfg(test)]
mod tests;
