//! Resizing while rows arrive. Only the rows of the result that further rows of the source contribute to are in memory.

use std::collections::VecDeque;

use super::canvas::Canvas;

/// Radius of the filter (Lanczos), in pixels of the result.
const REACH: f64 = 3.0;

/// One channel of an image.
pub(super) struct Plane {
    columns: Vec<Window>,
    rows: Vec<Window>,
    /// Source rows that have arrived.
    arrived: usize,
    /// Incomplete rows of the result, and the position of the first one.
    sums: VecDeque<Vec<f32>>,
    first: usize,
    /// A source row, resized horizontally.
    resized: Vec<f32>,
}

/// Source pixels of one pixel of the result: those from `start` on, each with its weight.
struct Window {
    start: usize,
    weights: Vec<f32>,
}

impl Plane {
    /// Creates a plane of `target` pixels from `extent` samples. The last sample may be partly outside.
    pub(super) fn new(extent: (f64, f64), (width, height): (u32, u32)) -> Self {
        let columns = windows(extent.0, width);
        let resized = vec![0.0; columns.len()];
        Self {
            columns,
            rows: windows(extent.1, height),
            arrived: 0,
            sums: VecDeque::new(),
            first: 0,
            resized,
        }
    }

    /// Adds the next row of the source. Rows outside of the extent have no effect.
    pub(super) fn push(&mut self, row: &[f32]) {
        for (value, window) in self.resized.iter_mut().zip(&self.columns) {
            *value = dot(row.get(window.start..).unwrap_or_default(), &window.weights);
        }
        while self
            .rows
            .get(self.first + self.sums.len())
            .is_some_and(|next| next.start <= self.arrived)
        {
            self.sums.push_back(vec![0.0; self.resized.len()]);
        }
        for (sums, window) in self.sums.iter_mut().zip(&self.rows[self.first..]) {
            if let Some(&weight) = window.weights.get(self.arrived - window.start) {
                sums.iter_mut()
                    .zip(&self.resized)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
        }
        self.arrived += 1;
    }

    /// Returns the next row of the result, if it is complete.
    pub(super) fn ready(&self) -> Option<&[f32]> {
        let window = self.rows.get(self.first)?;
        let row = self.sums.front()?;
        (window.start + window.weights.len() <= self.arrived).then_some(row)
    }

    /// Continues with the following row.
    pub(super) fn pop(&mut self) {
        if self.sums.pop_front().is_some() {
            self.first += 1;
        }
    }
}

/// Rows of pixels with interleaved channels, on their way to a canvas.
pub(super) struct Rows {
    planes: Vec<Plane>,
    /// Bytes from one pixel to the next.
    step: usize,
    /// True if colours are weighted by their opacity: invisible colours must not show at the edges.
    is_weighed: bool,
    channel: Vec<f32>,
}

impl Rows {
    /// Creates the rows. `step` is the number of bytes of a pixel, which starts with the canvas's channels.
    pub(super) fn new((width, height): (u32, u32), step: usize, canvas: &Canvas) -> Self {
        let extent = (f64::from(width), f64::from(height));
        let planes = (0..canvas.source_channels())
            .map(|_| Plane::new(extent, canvas.size()))
            .collect();
        Self {
            planes,
            step,
            is_weighed: canvas.is_weighed(),
            channel: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: &[u8], canvas: &mut Canvas) {
        let alpha = self.planes.len() - 1;
        for (channel, plane) in self.planes.iter_mut().enumerate() {
            self.channel.clear();
            let pixels = row.chunks_exact(self.step);
            if self.is_weighed && channel != alpha {
                let weighed =
                    |pixel: &[u8]| f32::from(pixel[channel]) * f32::from(pixel[alpha]) / 255.0;
                self.channel.extend(pixels.map(weighed));
            } else {
                self.channel
                    .extend(pixels.map(|pixel| f32::from(pixel[channel])));
            }
            plane.push(&self.channel);
        }
        // All planes have the same size, and receive their rows together.
        while let Some(planes) = self
            .planes
            .iter()
            .map(Plane::ready)
            .collect::<Option<Vec<_>>>()
        {
            canvas.row(&planes);
            self.planes.iter_mut().for_each(Plane::pop);
        }
    }
}

/// Returns the windows of a side of `target` pixels over `extent` samples.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)] // sides are 1 to 20000
fn windows(extent: f64, target: u32) -> Vec<Window> {
    let ratio = extent / f64::from(target);
    let scale = ratio.max(1.0);
    let samples = extent.ceil();
    let window = |pixel: u32| {
        let centre = (f64::from(pixel) + 0.5) * ratio;
        let start = (centre - REACH * scale).floor().max(0.0) as usize;
        let end = (centre + REACH * scale).ceil().min(samples) as usize;
        let weight = |sample: usize| lanczos((sample as f64 + 0.5 - centre) / scale);
        let weights: Vec<_> = (start..end).map(weight).collect();
        // At the edges all weights may be zero.
        let skipped = weights
            .iter()
            .take_while(|weight| weight.abs() < 1e-6)
            .count()
            .min(weights.len() - 1);
        let sum: f64 = weights[skipped..].iter().sum();
        let mut weights: Vec<_> = weights[skipped..]
            .iter()
            .map(|weight| (weight / sum) as f32)
            .collect();
        let kept = weights
            .iter()
            .rposition(|weight| weight.abs() >= 1e-6)
            .map_or(1, |last| last + 1);
        weights.truncate(kept);
        Window {
            start: start + skipped,
            weights,
        }
    };
    (0..target).map(window).collect()
}

fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| {
        if x.abs() < 1e-9 {
            1.0
        } else {
            (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
        }
    };
    if x.abs() < REACH {
        sinc(x) * sinc(x / REACH)
    } else {
        0.0
    }
}

/// Returns the sum of products, computed in eight lanes for SIMD.
fn dot(samples: &[f32], weights: &[f32]) -> f32 {
    let (sample_lanes, samples_left) = samples[..weights.len().min(samples.len())].as_chunks::<8>();
    let (weight_lanes, weights_left) = weights.as_chunks::<8>();
    let mut sums = [0f32; 8];
    for (samples, weights) in sample_lanes.iter().zip(weight_lanes) {
        for lane in 0..8 {
            sums[lane] += samples[lane] * weights[lane];
        }
    }
    let rest: f32 = samples_left
        .iter()
        .zip(weights_left)
        .map(|(sample, weight)| sample * weight)
        .sum();
    sums.iter().sum::<f32>() + rest
}
