//! Frame header of a JPEG image: its size, and the sampling of its components (ITU-T T.81, B.2.2).

use super::super::fault::{Fault, unreadable};

/// Positions of coefficients in their block, in the order of their coding.
pub(super) const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A component, such as luminance.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of each MCU, horizontally and vertically.
    pub(super) h: usize,
    pub(super) v: usize,
    /// Number of the quantisation table.
    pub(super) table: u8,
    /// Blocks that have samples of the image.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Blocks of a row, including those that only fill its last MCU.
    pub(super) across: usize,
    /// Samples for each pixel, at most 1.
    pub(super) density: (f64, f64),
}

#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// MCUs of a row, and rows of MCUs.
    pub(super) mcus: usize,
    pub(super) mcu_rows: usize,
}

impl Frame {
    /// Reads the segment of a start-of-frame marker.
    pub(super) fn parse(marker: u8, segment: &[u8]) -> Result<Self, Fault> {
        match marker {
            0xc0..=0xc2 => {}
            0xc3 => return Err(Fault::Unsupported("lossless JPEG")),
            0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(Fault::Unsupported("JPEG with arithmetic coding"));
            }
            _ => return Err(Fault::Unsupported("hierarchical JPEG")),
        }
        let &[precision, h1, h0, w1, w0, count, ref components @ ..] = segment else {
            return Err(unreadable("its frame header is cut"));
        };
        let (height, width) = (
            u32::from_be_bytes([0, 0, h1, h0]),
            u32::from_be_bytes([0, 0, w1, w0]),
        );
        if components.len() != 3 * usize::from(count) || count == 0 || width == 0 {
            return Err(unreadable("its frame header is wrong"));
        }
        match (precision, height, count) {
            (8, 1.., 1 | 3 | 4) => {}
            (8, 0, _) => return Err(Fault::Unsupported("JPEG whose height is in a DNL segment")),
            (8, ..) => {
                return Err(Fault::Unsupported(
                    "JPEG with neither 1, 3 nor 4 components",
                ));
            }
            (12, ..) => return Err(Fault::Unsupported("JPEG with 12 bits a sample")),
            _ => return Err(unreadable("its samples are of neither 8 nor 12 bits")),
        }
        let mut frame = Self {
            width,
            height,
            is_progressive: marker == 0xc2,
            components: Vec::new(),
            mcus: 0,
            mcu_rows: 0,
        };
        frame.sample(components)?;
        Ok(frame)
    }

    fn sample(&mut self, components: &[u8]) -> Result<(), Fault> {
        let (width, height) = (to_usize(self.width), to_usize(self.height));
        // A single component is not interleaved, regardless of its sampling factors.
        let alone = components.len() == 3;
        let sampling = |both: u8| {
            if alone {
                (1, 1)
            } else {
                (usize::from(both >> 4), usize::from(both & 15))
            }
        };
        let (chunks, _) = components.as_chunks::<3>();
        let max_h = chunks
            .iter()
            .map(|chunk| sampling(chunk[1]).0)
            .max()
            .unwrap_or(1);
        let max_v = chunks
            .iter()
            .map(|chunk| sampling(chunk[1]).1)
            .max()
            .unwrap_or(1);
        self.mcus = width.div_ceil(8 * max_h.max(1));
        self.mcu_rows = height.div_ceil(8 * max_v.max(1));
        for &[id, both, table] in chunks {
            let (h, v) = sampling(both);
            if !(1..=4).contains(&h)
                || !(1..=4).contains(&v)
                || self.components.iter().any(|other| other.id == id)
            {
                return Err(unreadable("its components are wrong"));
            }
            self.components.push(Component {
                id,
                h,
                v,
                table,
                columns: (width * h).div_ceil(8 * max_h),
                rows: (height * v).div_ceil(8 * max_v),
                across: self.mcus * h,
                density: (ratio(h, max_h), ratio(v, max_v)),
            });
        }
        Ok(())
    }
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn ratio(of: usize, to: usize) -> f64 {
    f64::from(u8::try_from(of).unwrap_or(1)) / f64::from(u8::try_from(to).unwrap_or(1))
}
