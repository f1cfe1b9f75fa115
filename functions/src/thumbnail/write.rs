//! Encoding of thumbnails. No codec has more in memory than the pixels and its output.

use std::error::Error;
use std::io::Write as _;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use image_webp::WebPEncoder;

use super::canvas::Picture;
use super::parameters::Format;

const JPEG_QUALITY: u8 = 85;
/// Bytes of a data chunk of a PNG.
const PNG_CHUNK: usize = 64 * 1024;

type Fallible = Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

/// A thumbnail before it is encoded.
pub(super) struct Drawn {
    pub(super) picture: Picture,
    pub(super) format: Format,
    pub(super) profile: Option<Vec<u8>>,
}

impl Drawn {
    /// Encodes the thumbnail.
    pub(super) fn write(self) -> Fallible {
        let is_grey = matches!(
            self.picture.colour,
            ExtendedColorType::L8 | ExtendedColorType::La8
        );
        let profile = self.profile.filter(|_| !is_grey);
        match self.format {
            Format::Png => png(&self.picture, profile),
            Format::Jpeg => jpeg(&self.picture, profile),
            Format::Webp => webp(&self.picture, profile),
        }
    }
}

fn jpeg(picture: &Picture, profile: Option<Vec<u8>>) -> Fallible {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile)?;
    }
    encoder.write_image(
        &picture.pixels,
        picture.width,
        picture.height,
        picture.colour,
    )?;
    Ok(bytes)
}

/// Writes row by row: compressing the whole image would need two more buffers.
fn png(picture: &Picture, profile: Option<Vec<u8>>) -> Fallible {
    let mut info = png::Info::with_size(picture.width, picture.height);
    info.bit_depth = png::BitDepth::Eight;
    info.color_type = match picture.colour {
        ExtendedColorType::L8 => png::ColorType::Grayscale,
        ExtendedColorType::La8 => png::ColorType::GrayscaleAlpha,
        ExtendedColorType::Rgb8 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    };
    info.icc_profile = profile.map(Into::into);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::with_info(&mut bytes, info)?;
    // Level 1 stores noise uncompressed. The crate's own fast codes would enlarge it by half.
    encoder.set_deflate_compression(png::DeflateCompression::Level(1));
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    let mut rows = writer.stream_writer_with_size(PNG_CHUNK)?;
    rows.write_all(&picture.pixels)?;
    rows.finish()?;
    writer.finish()?;
    Ok(bytes)
}

fn webp(picture: &Picture, profile: Option<Vec<u8>>) -> Fallible {
    let colour = match picture.colour {
        ExtendedColorType::L8 => image_webp::ColorType::L8,
        ExtendedColorType::La8 => image_webp::ColorType::La8,
        ExtendedColorType::Rgb8 => image_webp::ColorType::Rgb8,
        _ => image_webp::ColorType::Rgba8,
    };
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new(&mut bytes);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile);
    }
    encoder.encode(&picture.pixels, picture.width, picture.height, colour)?;
    Ok(bytes)
}
