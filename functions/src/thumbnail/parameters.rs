//! Parameters of the command: the box that the thumbnail fits into, and the format.

use cloakroom::FieldError;
use image::ImageFormat;
use schemars::JsonSchema;
use serde::Deserialize;

use super::limits::LONGEST_SIDE;

/// Box that the thumbnail fits into. The aspect ratio is preserved, and the image is never enlarged. At least one side is required;
/// the other one is up to 4096 pixels long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["width"] }, { "required": ["height"] }]))]
pub(super) struct Thumbnail {
    /// Maximum width in pixels.
    #[schemars(range(min = 1, max = 4096))]
    pub(super) width: Option<u32>,
    /// Maximum height in pixels.
    #[schemars(range(min = 1, max = 4096))]
    pub(super) height: Option<u32>,
    /// Format of the thumbnail. By default the format of the image.
    pub(super) format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Png,
    /// Transparent pixels become white.
    Jpeg,
    /// Lossless. Photos are larger than as JPEG.
    Webp,
}

impl Format {
    /// Detects the format by the first bytes of a file.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::WebP => Some(Self::Webp),
            _ => None,
        }
    }

    pub(super) fn codec(self) -> ImageFormat {
        match self {
            Self::Png => ImageFormat::Png,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Webp => ImageFormat::WebP,
        }
    }
}

impl Thumbnail {
    /// Returns the box for the image before it is rotated.
    pub(super) fn bounds(&self, is_on_its_side: bool) -> (u32, u32) {
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
    pub(super) fn check(&self) -> Vec<FieldError> {
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
            errors.push(FieldError::new("", "send width, height or both, in pixels"));
        }
        errors
    }
}

/// Returns the largest size of the same aspect ratio that fits into the box, but no larger size than the original.
pub(super) fn fit((width, height): (u32, u32), (max_width, max_height): (u32, u32)) -> (u32, u32) {
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
