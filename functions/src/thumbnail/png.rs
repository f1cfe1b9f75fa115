//! PNG images, decoded row by row. Of an animation, only the still image is decoded, as in other viewers.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{ColorType, DecodeOptions, Decoder, DecodingError, Limits, Reader, Transformations};

use super::canvas::{Canvas, Colours};
use super::fault::{Fault, unreadable};
use super::limits::{MOST_PIXELS, within_limits};
use super::metadata::{MOST_PROFILE_BYTES, Metadata};
use super::resize::Rows;
use super::watch::Watch;

/// Memory for a row and for the metadata: colour profile, EXIF.
const MOST_BYTES_AROUND: usize = 4 * 1024 * 1024;
/// Rows between two checks of the job.
const STRIP: usize = 16;

/// Passes of an interlaced image: the first column and the distance to the next one, and the same for rows.
const PASSES: [Pass; 7] = [
    Pass {
        x: 0,
        every_x: 8,
        y: 0,
        every_y: 8,
    },
    Pass {
        x: 4,
        every_x: 8,
        y: 0,
        every_y: 8,
    },
    Pass {
        x: 0,
        every_x: 4,
        y: 4,
        every_y: 8,
    },
    Pass {
        x: 2,
        every_x: 4,
        y: 0,
        every_y: 4,
    },
    Pass {
        x: 0,
        every_x: 2,
        y: 2,
        every_y: 4,
    },
    Pass {
        x: 1,
        every_x: 2,
        y: 0,
        every_y: 2,
    },
    Pass {
        x: 0,
        every_x: 1,
        y: 1,
        every_y: 2,
    },
];

#[derive(Clone, Copy)]
struct Pass {
    x: usize,
    every_x: usize,
    y: usize,
    every_y: usize,
}

type Source<'a> = Reader<Cursor<&'a [u8]>>;

pub(super) struct Png<'a> {
    bytes: &'a [u8],
    source: Source<'a>,
    pub(super) metadata: Metadata,
}

impl<'a> Png<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let source = open(bytes)?;
        let info = source.info();
        let orientation = info
            .exif_metadata
            .as_deref()
            .and_then(Orientation::from_exif_chunk);
        let profile = info
            .icc_profile
            .as_deref()
            .filter(|profile| profile.len() <= MOST_PROFILE_BYTES);
        let metadata = Metadata {
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
            profile: profile.map(<[u8]>::to_vec),
        };
        Ok(Self {
            bytes,
            source,
            metadata,
        })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.source.info().size()
    }

    /// Decodes the image into a canvas.
    pub(super) fn draw(mut self, canvas: &mut Canvas, watch: &mut Watch<'_>) -> Result<(), Fault> {
        let colours = match self.source.output_color_type().0 {
            ColorType::Grayscale => Colours::Grey,
            ColorType::GrayscaleAlpha => Colours::GreyAlpha,
            ColorType::Rgb | ColorType::Indexed => Colours::Rgb,
            ColorType::Rgba => Colours::Rgba,
        };
        canvas.colours(colours);
        if self.source.info().interlaced {
            return self.draw_interlaced(canvas, watch);
        }
        let size = self.size();
        let mut rows = Rows::new(size, canvas.source_channels(), canvas);
        let mut arrived = 0;
        while let Some(row) = self.source.next_row().map_err(|error| fault(&error))? {
            rows.push(row.data(), canvas);
            arrived += 1;
            if arrived % STRIP == 0 {
                watch.strip(arrived, to_usize(size.1))?;
            }
        }
        // Reads to the end of the file: an image without its end is incomplete.
        self.source.finish().map_err(|error| fault(&error))
    }

    /// Decodes an interlaced image. It has seven passes, one after the other. Each pass has its own reader, so that all are at the
    /// same row, and no pixel waits for the last pass.
    fn draw_interlaced(self, canvas: &mut Canvas, watch: &mut Watch<'_>) -> Result<(), Fault> {
        let size = self.size();
        let (width, height) = (to_usize(size.0), to_usize(size.1));
        let channels = canvas.source_channels();
        let mut passes = Vec::new();
        let mut rows_before = 0;
        for pass in PASSES
            .into_iter()
            .filter(|pass| pass.x < width && pass.y < height)
        {
            watch.strip(0, height)?;
            passes.push((pass, open_at(self.bytes, rows_before, watch)?));
            rows_before += (height - pass.y).div_ceil(pass.every_y);
        }
        let mut rows = Rows::new(size, channels, canvas);
        let mut whole = vec![0; width * channels];
        for y in 0..height {
            for (pass, source) in passes
                .iter_mut()
                .filter(|(pass, _)| y % pass.every_y == pass.y)
            {
                let row = source
                    .next_row()
                    .map_err(|error| fault(&error))?
                    .ok_or_else(|| unreadable("rows are missing"))?;
                let places = whole
                    .chunks_exact_mut(channels)
                    .skip(pass.x)
                    .step_by(pass.every_x);
                places
                    .zip(row.data().chunks_exact(channels))
                    .for_each(|(place, pixel)| place.copy_from_slice(pixel));
            }
            rows.push(&whole, canvas);
            if y % STRIP == 0 {
                watch.strip(y, height)?;
            }
        }
        let last = passes.last_mut().map(|(_, source)| source.finish());
        last.transpose().map_err(|error| fault(&error)).map(|_| ())
    }
}

fn open(bytes: &[u8]) -> Result<Source<'_>, Fault> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits {
        bytes: MOST_BYTES_AROUND,
    });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let size = decoder
        .read_header_info()
        .map_err(|error| fault(&error))?
        .size();
    within_limits(size, MOST_PIXELS)?;
    decoder.read_info().map_err(|error| fault(&error))
}

/// Opens an image after this number of rows, counted over all passes.
fn open_at<'a>(bytes: &'a [u8], rows: usize, watch: &mut Watch<'_>) -> Result<Source<'a>, Fault> {
    let mut source = open(bytes)?;
    for row in 0..rows {
        source.next_row().map_err(|error| fault(&error))?;
        if row % STRIP == 0 {
            watch.strip(0, 1)?;
        }
    }
    Ok(source)
}

fn fault(error: &DecodingError) -> Fault {
    match error {
        DecodingError::LimitsExceeded => {
            Fault::TooLarge("what stands around its pixels is".to_owned())
        }
        _ => unreadable(error),
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
