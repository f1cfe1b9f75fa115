//! Inverse cosine transform of a block, to a reduced number of samples.
//!
//! The coefficients of the lowest frequencies are enough for fewer samples. This reduction costs less than the whole block.

use super::super::fault::{Fault, unreadable};
use super::scan::Block;

/// Transform that reduces the 8 samples of a block to 1 to 8, both horizontally and vertically.
pub(super) struct Transform {
    quantisation: [f32; 64],
    /// Weight of each frequency in each sample.
    horizontal: [[f32; 8]; 8],
    vertical: [[f32; 8]; 8],
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Transform {
    /// Creates a transform. `quantisation` has its factors in the order of the coefficients in a block.
    pub(super) fn new(quantisation: &[u16; 64], (columns, rows): (usize, usize)) -> Self {
        let quantisation = quantisation.map(f32::from);
        Self {
            quantisation,
            horizontal: basis(columns),
            vertical: basis(rows),
            columns,
            rows,
        }
    }

    /// Writes the samples of a block into an image of this many samples a row, at its start.
    pub(super) fn write(
        &self,
        block: &Block,
        samples: &mut [f32],
        stride: usize,
    ) -> Result<(), Fault> {
        let mut half = [[0f32; 8]; 8];
        let mut used = 0;
        for row in 0..self.rows {
            for column in 0..self.columns {
                let coefficient = block[8 * row + column];
                if coefficient != 0 {
                    used = row + 1;
                    let value = f32::from(coefficient) * self.quantisation[8 * row + column];
                    add(&mut half[row], value, &self.horizontal[column]);
                }
            }
        }
        for (y, line) in samples.chunks_mut(stride).take(self.rows).enumerate() {
            let mut sums = [128f32; 8];
            for (row, factors) in half.iter().zip(&self.vertical).take(used) {
                add(&mut sums, factors[y], row);
            }
            let line = line
                .get_mut(..self.columns)
                .ok_or_else(|| unreadable("a block is outside the image"))?;
            line.iter_mut()
                .zip(sums)
                .for_each(|(sample, sum)| *sample = sum.clamp(0.0, 255.0));
        }
        Ok(())
    }
}

#[inline]
fn add(sums: &mut [f32; 8], factor: f32, row: &[f32; 8]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

/// Returns the cosines of each frequency for this number of samples.
fn basis(samples: usize) -> [[f32; 8]; 8] {
    let small = |value: usize| f32::from(u8::try_from(value).unwrap_or(0));
    let mut basis = [[0.0; 8]; 8];
    for (frequency, row) in basis.iter_mut().enumerate() {
        for (sample, value) in row.iter_mut().enumerate().take(samples) {
            let angle = std::f32::consts::PI * (2.0 * small(sample) + 1.0) * small(frequency)
                / (2.0 * small(samples));
            *value = if frequency == 0 {
                std::f32::consts::FRAC_1_SQRT_2 / 2.0
            } else {
                0.5 * angle.cos()
            };
        }
    }
    basis
}
