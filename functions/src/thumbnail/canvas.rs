//! Pixels of the thumbnail. Rows arrive in the order of the image, and are stored rotated and in the form that the format needs.

use image::ExtendedColorType;
use image::metadata::Orientation;

/// Meaning of the channels of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    YCbCr,
    /// Inverted, as Adobe and most others write it.
    Cmyk,
    Ycck,
}

impl Colours {
    fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb | Self::YCbCr => 3,
            Self::Rgba | Self::Cmyk | Self::Ycck => 4,
        }
    }

    pub(super) fn has_alpha(self) -> bool {
        matches!(self, Self::GreyAlpha | Self::Rgba)
    }
}

/// Background of a transparent image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    Kept,
    White,
}

pub(super) struct Canvas {
    /// Size before the rotation.
    size: (u32, u32),
    orientation: Orientation,
    colours: Colours,
    ground: Ground,
    is_weighed: bool,
    /// Rows that have arrived.
    rows: usize,
    pixels: Vec<u8>,
}

/// Finished pixels.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) colour: ExtendedColorType,
    pub(super) pixels: Vec<u8>,
}

impl Canvas {
    /// Creates a canvas of this size, before the rotation, for an image of this size.
    pub(super) fn new(
        size: (u32, u32),
        source: (u32, u32),
        orientation: Orientation,
        ground: Ground,
    ) -> Self {
        let is_weighed = size != source;
        Self {
            size,
            orientation,
            colours: Colours::Grey,
            ground,
            is_weighed,
            rows: 0,
            pixels: Vec::new(),
        }
    }

    /// Sets the meaning of rows, before the first one.
    pub(super) fn colours(&mut self, colours: Colours) {
        self.colours = colours;
        self.is_weighed &= colours.has_alpha();
        let (width, height) = (to_usize(self.size.0), to_usize(self.size.1));
        self.pixels = vec![0; width * height * self.channels()];
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(super) fn source_channels(&self) -> usize {
        self.colours.channels()
    }

    /// Returns `true` if the colours of rows must be weighted by their opacity.
    pub(super) fn is_weighed(&self) -> bool {
        self.is_weighed
    }

    fn channels(&self) -> usize {
        match (self.colours, self.ground) {
            (Colours::Grey, _) | (Colours::GreyAlpha, Ground::White) => 1,
            (Colours::GreyAlpha, Ground::Kept) => 2,
            (Colours::Rgba, Ground::Kept) => 4,
            _ => 3,
        }
    }

    fn is_on_its_side(&self) -> bool {
        is_on_its_side(self.orientation)
    }

    /// Adds the next row, with a slice for each channel.
    pub(super) fn row(&mut self, planes: &[&[f32]]) {
        let channels = self.channels();
        for x in 0..to_usize(self.size.0) {
            let mut values = [0f32; 4];
            values
                .iter_mut()
                .zip(planes)
                .for_each(|(value, plane)| *value = plane[x]);
            let pixel = self.pixel(values);
            let place = self.place(x, self.rows) * channels;
            if let Some(stored) = self.pixels.get_mut(place..place + channels) {
                stored.copy_from_slice(&pixel[..channels]);
            }
        }
        self.rows += 1;
    }

    /// Returns the position of a pixel in the rotated image.
    fn place(&self, x: usize, y: usize) -> usize {
        let (width, height) = (to_usize(self.size.0), to_usize(self.size.1));
        let (right, below) = (width - 1 - x, height.saturating_sub(1 + y));
        let (x, y) = match self.orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (right, y),
            Orientation::Rotate180 => (right, below),
            Orientation::FlipVertical => (x, below),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate90 => (below, x),
            Orientation::Rotate270FlipH => (below, right),
            Orientation::Rotate270 => (y, right),
        };
        y * if self.is_on_its_side() { height } else { width } + x
    }

    fn pixel(&self, [a, b, c, d]: [f32; 4]) -> [u8; 4] {
        match self.colours {
            Colours::Grey => [to_u8(a), 0, 0, 0],
            Colours::GreyAlpha => {
                let [grey, _, _, alpha] = self.transparent([a, a, a], b);
                [grey, alpha, 0, 0]
            }
            Colours::Rgb => [to_u8(a), to_u8(b), to_u8(c), 0],
            Colours::Rgba => self.transparent([a, b, c], d),
            Colours::YCbCr => opaque(rgb(a, b, c)),
            Colours::Cmyk => opaque([a, b, c].map(|ink| ink * d / 255.0)),
            Colours::Ycck => {
                opaque(rgb(a, b, c).map(|ink| (255.0 - ink.clamp(0.0, 255.0)) * d / 255.0))
            }
        }
    }

    fn transparent(&self, colours: [f32; 3], alpha: f32) -> [u8; 4] {
        let alpha = alpha.clamp(0.0, 255.0);
        let [r, g, b] = match (self.ground, self.is_weighed) {
            (Ground::White, true) => colours.map(|colour| colour + 255.0 - alpha),
            (Ground::White, false) => colours.map(|colour| colour * alpha / 255.0 + 255.0 - alpha),
            (Ground::Kept, true) if alpha >= 0.5 => colours.map(|colour| colour * 255.0 / alpha),
            (Ground::Kept, true) => [0.0; 3],
            (Ground::Kept, false) => colours,
        };
        [to_u8(r), to_u8(g), to_u8(b), to_u8(alpha)]
    }

    /// Returns the pixels after all rows have arrived.
    pub(super) fn finish(self) -> Picture {
        let (width, height) = if self.is_on_its_side() {
            (self.size.1, self.size.0)
        } else {
            self.size
        };
        let colour = match self.channels() {
            1 => ExtendedColorType::L8,
            2 => ExtendedColorType::La8,
            3 => ExtendedColorType::Rgb8,
            _ => ExtendedColorType::Rgba8,
        };
        Picture {
            width,
            height,
            colour,
            pixels: self.pixels,
        }
    }
}

/// Returns `true` if this rotation exchanges width and height.
pub(super) fn is_on_its_side(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
    )
}

fn opaque([r, g, b]: [f32; 3]) -> [u8; 4] {
    [to_u8(r), to_u8(g), to_u8(b), 255]
}

/// Converts colours as JFIF defines.
fn rgb(luminance: f32, blue: f32, red: f32) -> [f32; 3] {
    let (blue, red) = (blue - 128.0, red - 128.0);
    [
        luminance + 1.402 * red,
        luminance - 0.344_136 * blue - 0.714_136 * red,
        luminance + 1.772 * blue,
    ]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` keeps to 0 to 255
fn to_u8(value: f32) -> u8 {
    (value + 0.5) as u8
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
