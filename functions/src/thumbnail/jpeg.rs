//! JPEG images, decoded strip by strip (ITU-T T.81: baseline, extended sequential and progressive, Huffman codes, 8 bits).
//!
//! This decoder exists for two reasons. Other decoders hold all coefficients of a progressive image in memory, 6 bytes a pixel,
//! and all pixels as well; this one holds one row of blocks. And they continue if data is missing or wrong; this one decodes a
//! complete image or none.

use super::canvas::Canvas;
use super::fault::Fault;
use super::metadata::Metadata;
use super::resize::Plane;
use super::watch::Watch;
use frame::{Component, Frame};
use scan::{Block, Scan};
use segments::Segments;
pub(super) use structure::Jpeg;
use transform::Transform;

mod bits;
mod frame;
mod scan;
mod segments;
mod structure;
mod transform;

impl<'a> Jpeg<'a> {
    /// Reads all markers up to the end of the image. Data after it is ignored: cameras append previews and videos.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Segments::read(bytes)?.finish()
    }

    /// Returns the memory in bytes for decoding a row of MCUs, and the size of the image, from the first bytes of a file.
    pub(super) fn strip(head: &[u8]) -> Option<(u64, (u32, u32))> {
        let frame = Segments::frame_of(head)?;
        let blocks: usize = frame.components.iter().map(|it| it.across * it.v).sum();
        let block = size_of::<Block>() + 64 * size_of::<f32>();
        Some((
            u64::try_from(blocks * block).ok()?,
            (frame.width, frame.height),
        ))
    }

    pub(super) fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    pub(super) fn size(&self) -> (u32, u32) {
        (self.frame.width, self.frame.height)
    }

    /// Decodes the image into a canvas.
    pub(super) fn draw(mut self, canvas: &mut Canvas, watch: &mut Watch<'_>) -> Result<(), Fault> {
        canvas.colours(self.colours);
        let target = canvas.size();
        let mut strips: Vec<_> = self
            .frame
            .components
            .iter()
            .zip(&self.quantisation)
            .map(|(component, table)| Strip::new(&self.frame, component, table, target))
            .collect();
        let mut blocks: Vec<Vec<Block>> = self
            .frame
            .components
            .iter()
            .map(|it| vec![[0; 64]; it.across * it.v])
            .collect();
        for row in 0..self.frame.mcu_rows {
            for blocks in &mut blocks {
                blocks.fill([0; 64]);
            }
            for scan in &mut self.scans {
                scan.row(row, &self.frame, &mut blocks)?;
            }
            for (strip, blocks) in strips.iter_mut().zip(&blocks) {
                strip.draw(blocks)?;
            }
            while let Some(planes) = strips
                .iter_mut()
                .map(|strip| strip.plane.ready())
                .collect::<Option<Vec<_>>>()
            {
                canvas.row(&planes);
                for strip in &mut strips {
                    strip.plane.pop();
                }
            }
            watch.strip(row, self.frame.mcu_rows)?;
        }
        self.scans.iter_mut().try_for_each(Scan::finish)
    }
}

/// Samples of a component in one row of MCUs, reduced as far as the thumbnail allows.
struct Strip {
    transform: Transform,
    /// Number of blocks in a row of the image and in a row of samples, and number of rows.
    columns: usize,
    across: usize,
    rows: usize,
    samples: Vec<f32>,
    plane: Plane,
}

impl Strip {
    fn new(
        frame: &Frame,
        component: &Component,
        quantisation: &[u16; 64],
        target: (u32, u32),
    ) -> Self {
        let full = (
            f64::from(frame.width) * component.density.0,
            f64::from(frame.height) * component.density.1,
        );
        let (columns, rows) = (reduction(full.0, target.0), reduction(full.1, target.1));
        let of_eight = |samples: usize| f64::from(u8::try_from(samples).unwrap_or(8)) / 8.0;
        let extent = (full.0 * of_eight(columns), full.1 * of_eight(rows));
        Self {
            transform: Transform::new(quantisation, (columns, rows)),
            columns: component.columns,
            across: component.across,
            rows: component.v,
            samples: vec![0.0; component.columns * columns * component.v * rows],
            plane: Plane::new(extent, target),
        }
    }

    fn draw(&mut self, blocks: &[Block]) -> Result<(), Fault> {
        let (columns, rows) = (self.transform.columns, self.transform.rows);
        let stride = self.columns * columns;
        for (line, samples) in self
            .samples
            .chunks_mut(stride * rows)
            .enumerate()
            .take(self.rows)
        {
            let blocks = &blocks[line * self.across..][..self.columns];
            for (column, block) in blocks.iter().enumerate() {
                self.transform
                    .write(block, &mut samples[column * columns..], stride)?;
            }
        }
        self.samples
            .chunks(stride)
            .for_each(|row| self.plane.push(row));
        Ok(())
    }
}

/// Returns the number of samples for 8 of the image. If possible, it leaves twice as many as the thumbnail has, for the filter
/// that follows.
fn reduction(full: f64, target: u32) -> usize {
    (1u8..8)
        .find(|&samples| full * f64::from(samples) >= 16.0 * f64::from(target))
        .unwrap_or(8)
        .into()
}
