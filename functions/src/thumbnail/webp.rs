//! WebP images. The codecs need a whole frame: 1.5 bytes per pixel if it is lossy, 4 if it is lossless or has alpha.
//!
//! The result of an animation is its first frame.

use std::io::{BufRead, Read, Result as IoResult, Seek, SeekFrom};

use image::metadata::Orientation;
use image_webp::WebPDecoder;
use image_webp::vp8::{Frame, Vp8Decoder};

use super::canvas::{Canvas, Colours};
use super::fault::{Fault, unreadable};
use super::limits::within_limits;
use super::metadata::{MOST_PROFILE_BYTES, Metadata};
use super::resize::Rows;
use super::watch::Watch;

/// Both limits correspond to a frame of 96 to 100 MB.
const MOST_LOSSY_PIXELS: u64 = 64_000_000;
const MOST_LOSSLESS_PIXELS: u64 = 25_000_000;
/// Rows between two checks of the job.
const STRIP: usize = 16;

pub(super) struct Webp<'a> {
    size: (u32, u32),
    kind: Kind<'a>,
    pub(super) metadata: Metadata,
}

enum Kind<'a> {
    Lossy {
        data: &'a [u8],
        alpha: Option<&'a [u8]>,
    },
    Lossless {
        data: &'a [u8],
        has_alpha: bool,
    },
}

impl<'a> Webp<'a> {
    /// Reads all chunks. A file that is shorter than its header says is incomplete.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let [
            b'R',
            b'I',
            b'F',
            b'F',
            s0,
            s1,
            s2,
            s3,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] = *bytes
        else {
            return Err(unreadable("it does not start as a WebP image does"));
        };
        let end = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3]))
            .unwrap_or(usize::MAX)
            .saturating_add(8);
        let chunks = chunks(bytes.get(12..end).ok_or_else(cut)?)?;
        let (mut frame, mut canvas) = (None, None);
        if let Some(header) = find(&chunks, b"VP8X") {
            let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = header else {
                return Err(cut());
            };
            canvas = Some((
                1 + u32::from_le_bytes([w0, w1, w2, 0]),
                1 + u32::from_le_bytes([h0, h1, h2, 0]),
            ));
            within_limits(canvas.unwrap_or_default(), MOST_LOSSY_PIXELS)?;
            if flags & 2 != 0 {
                let first = find(&chunks, b"ANMF").ok_or_else(|| unreadable("it has no frame"))?;
                frame = Some(self::chunks(first.get(16..).ok_or_else(cut)?)?);
            }
        }
        let is_animated = frame.is_some();
        let frame = frame.as_ref().unwrap_or(&chunks);
        let (size, kind) = match (find(frame, b"VP8 "), find(frame, b"VP8L")) {
            (Some(data), None) => lossy(data, find(frame, b"ALPH"))?,
            (None, Some(data)) => lossless(data)?,
            _ => return Err(unreadable("it has not one image")),
        };
        match canvas {
            Some(canvas) if canvas != size && is_animated => {
                return Err(Fault::Unsupported(
                    "animated WebP whose first frame does not fill it",
                ));
            }
            Some(canvas) if canvas != size => {
                return Err(unreadable("its sizes contradict each other"));
            }
            _ => {}
        }
        let orientation = find(&chunks, b"EXIF").and_then(Orientation::from_exif_chunk);
        let profile = find(&chunks, b"ICCP").filter(|profile| profile.len() <= MOST_PROFILE_BYTES);
        let metadata = Metadata {
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
            profile: profile.map(<[u8]>::to_vec),
        };
        Ok(Self {
            size,
            kind,
            metadata,
        })
    }

    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Decodes the image into a canvas.
    pub(super) fn draw(self, canvas: &mut Canvas, watch: &mut Watch<'_>) -> Result<(), Fault> {
        let (width, height) = (to_usize(self.size.0), to_usize(self.size.1));
        let pixel = |at: usize, step: usize| at * step * width..(at + 1) * step * width;
        match self.kind {
            Kind::Lossless { data, has_alpha } => {
                let pixels = decode_lossless(self.size, data)?;
                canvas.colours(if has_alpha {
                    Colours::Rgba
                } else {
                    Colours::Rgb
                });
                let mut rows = Rows::new(self.size, 4, canvas);
                draw(height, watch, |y| rows.push(&pixels[pixel(y, 4)], canvas))
            }
            Kind::Lossy { data, alpha } => {
                let alpha = alpha
                    .map(|chunk| decode_alpha(self.size, chunk))
                    .transpose()?;
                watch.strip(0, height)?;
                let frame = Vp8Decoder::decode_frame(data).map_err(unreadable)?;
                canvas.colours(if alpha.is_some() {
                    Colours::Rgba
                } else {
                    Colours::Rgb
                });
                let mut rows = Rows::new(self.size, 4, canvas);
                let mut row = vec![255; 4 * width];
                draw(height, watch, |y| {
                    colours(&frame, y, &mut row);
                    if let Some(alpha) = &alpha {
                        row.chunks_exact_mut(4)
                            .zip(&alpha[pixel(y, 1)])
                            .for_each(|(pixel, &alpha)| pixel[3] = alpha);
                    }
                    rows.push(&row, canvas);
                })
            }
        }
    }
}

fn draw(height: usize, watch: &mut Watch<'_>, mut row: impl FnMut(usize)) -> Result<(), Fault> {
    for y in 0..height {
        row(y);
        if y % STRIP == 0 {
            watch.strip(y, height)?;
        }
    }
    Ok(())
}

type Chunk<'a> = ([u8; 4], &'a [u8]);

/// Chunks of a RIFF list. The padding of the last one may be missing.
fn chunks(mut list: &[u8]) -> Result<Vec<Chunk<'_>>, Fault> {
    let mut chunks = Vec::new();
    while let Some((&[a, b, c, d, s0, s1, s2, s3], rest)) = list.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
        chunks.push(([a, b, c, d], rest.get(..length).ok_or_else(cut)?));
        list = rest.get(length + length % 2..).unwrap_or_default();
    }
    if list.is_empty() {
        Ok(chunks)
    } else {
        Err(cut())
    }
}

fn find<'a>(chunks: &[Chunk<'a>], name: &[u8]) -> Option<&'a [u8]> {
    chunks
        .iter()
        .find(|(of, _)| of == name)
        .map(|&(_, data)| data)
}

fn lossy<'a>(data: &'a [u8], alpha: Option<&'a [u8]>) -> Result<((u32, u32), Kind<'a>), Fault> {
    let &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = data else {
        return Err(unreadable("its frame has no header"));
    };
    let pixels = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let size = (pixels(w0, w1), pixels(h0, h1));
    within_limits(
        size,
        if alpha.is_some() {
            MOST_LOSSLESS_PIXELS
        } else {
            MOST_LOSSY_PIXELS
        },
    )?;
    Ok((size, Kind::Lossy { data, alpha }))
}

fn lossless(data: &[u8]) -> Result<((u32, u32), Kind<'_>), Fault> {
    let &[0x2f, b0, b1, b2, b3, ..] = data else {
        return Err(unreadable("its frame has no header"));
    };
    let header = u32::from_le_bytes([b0, b1, b2, b3]);
    let size = (1 + (header & 0x3fff), 1 + (header >> 14 & 0x3fff));
    within_limits(size, MOST_LOSSLESS_PIXELS)?;
    Ok((
        size,
        Kind::Lossless {
            data,
            has_alpha: header >> 28 & 1 == 1,
        },
    ))
}

/// Properties of a frame, from the first bytes of a file.
pub(super) struct Outline {
    pub(super) size: (u32, u32),
    pub(super) channels: u64,
    /// Memory for decoding, in bytes.
    pub(super) decoding: u64,
}

pub(super) fn outline(head: &[u8]) -> Option<Outline> {
    let data = head.get(20..)?;
    let (size, has_alpha, is_lossy) = match head.get(12..16)? {
        b"VP8 " => (lossy(data, None).ok()?.0, false, true),
        b"VP8L" => match lossless(data).ok()? {
            (size, Kind::Lossless { has_alpha, .. }) => (size, has_alpha, false),
            _ => return None,
        },
        b"VP8X" => {
            let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = data else {
                return None;
            };
            let size = (
                1 + u32::from_le_bytes([w0, w1, w2, 0]),
                1 + u32::from_le_bytes([h0, h1, h2, 0]),
            );
            // The kind may follow a colour profile. Only a lossy image without alpha may have more pixels than these.
            (
                size,
                flags & 0x10 != 0,
                u64::from(size.0) * u64::from(size.1) > MOST_LOSSLESS_PIXELS,
            )
        }
        _ => return None,
    };
    // In eighths of a byte per pixel. A lossless frame has 4 bytes, and up to three tables with 4 bytes for each 4 x 4 pixels. A
    // lossy one has 1.5 bytes, and data for each 16 x 16 pixels.
    let eighths = if is_lossy { 13 } else { 38 };
    let decoding = u64::from(size.0) * u64::from(size.1) * eighths / 8;
    Some(Outline {
        size,
        channels: if has_alpha { 4 } else { 3 },
        decoding,
    })
}

/// Decodes a lossless frame to four bytes a pixel.
fn decode_lossless(size: (u32, u32), data: &[u8]) -> Result<Vec<u8>, Fault> {
    decode_entropy_image(size, data.get(5..).ok_or_else(cut)?)
}

/// Decodes the data of a lossless frame after its header, to four bytes a pixel. The header declares alpha, so that the library
/// decodes in place; otherwise it would make a copy.
fn decode_entropy_image((width, height): (u32, u32), data: &[u8]) -> Result<Vec<u8>, Fault> {
    let length = u32::try_from(data.len() + 5).map_err(unreadable)?;
    let mut head = b"RIFF\0\0\0\0WEBPVP8L".to_vec();
    head[4..8].copy_from_slice(&length.saturating_add(12).to_le_bytes());
    head.extend(length.to_le_bytes());
    head.push(0x2f);
    head.extend((1 << 28 | (height - 1) << 14 | (width - 1)).to_le_bytes());
    let mut decoder = WebPDecoder::new(Joined {
        head,
        tail: data,
        at: 0,
    })
    .map_err(unreadable)?;
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap_or(0)];
    decoder.read_image(&mut pixels).map_err(unreadable)?;
    if pixels.len() == 4 * to_usize(width) * to_usize(height) {
        Ok(pixels)
    } else {
        Err(unreadable("it has no pixels"))
    }
}

/// Decodes an alpha channel, to a byte a pixel.
fn decode_alpha(size: (u32, u32), chunk: &[u8]) -> Result<Vec<u8>, Fault> {
    let (width, pixels) = (to_usize(size.0), to_usize(size.0) * to_usize(size.1));
    let [header, data @ ..] = chunk else {
        return Err(cut());
    };
    let mut alpha = match header & 3 {
        0 => data.get(..pixels).ok_or_else(cut)?.to_vec(),
        1 => {
            let mut decoded = decode_entropy_image(size, data)?;
            (0..pixels).for_each(|at| decoded[at] = decoded[4 * at + 1]);
            decoded.truncate(pixels);
            decoded.shrink_to_fit();
            decoded
        }
        _ => return Err(unreadable("its alpha is compressed in an unknown way")),
    };
    let filter = header >> 2 & 3;
    for at in 1..if filter == 0 { 0 } else { pixels } {
        let (is_first_row, is_first_column) = (at < width, at % width == 0);
        let predicted = match filter {
            _ if is_first_row => alpha[at - 1],
            _ if is_first_column => alpha[at - width],
            1 => alpha[at - 1],
            2 => alpha[at - width],
            _ => {
                let sum = i16::from(alpha[at - 1]) + i16::from(alpha[at - width])
                    - i16::from(alpha[at - width - 1]);
                u8::try_from(sum.clamp(0, 255)).unwrap_or(0)
            }
        };
        alpha[at] = alpha[at].wrapping_add(predicted);
    }
    Ok(alpha)
}

/// Writes the colours of a row into its pixels of four bytes.
fn colours(frame: &Frame, y: usize, row: &mut [u8]) {
    let across = usize::from(frame.width).next_multiple_of(16);
    let (chroma_columns, chroma_rows) = (
        usize::from(frame.width).div_ceil(2),
        usize::from(frame.height).div_ceil(2),
    );
    // Between four samples of chroma. The nearest counts three times in each direction.
    let near = |at: usize, count: usize| {
        (
            at / 2,
            if at.is_multiple_of(2) {
                (at / 2).saturating_sub(1)
            } else {
                (at / 2 + 1).min(count - 1)
            },
        )
    };
    let (y1, y2) = near(y, chroma_rows);
    let (rows, others) = (y1 * across / 2, y2 * across / 2);
    for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
        let (x1, x2) = near(x, chroma_columns);
        let chroma = |plane: &[u8]| {
            let at = |rows: usize, column: usize| f32::from(plane[rows + column]);
            (9.0 * at(rows, x1) + 3.0 * at(rows, x2) + 3.0 * at(others, x1) + at(others, x2)) / 16.0
                - 128.0
        };
        let (light, u, v) = (
            1.164_38 * (f32::from(frame.ybuf[y * across + x]) - 16.0),
            chroma(&frame.ubuf),
            chroma(&frame.vbuf),
        );
        pixel[0] = to_u8(light + 1.596_03 * v);
        pixel[1] = to_u8(light - 0.391_76 * u - 0.812_97 * v);
        pixel[2] = to_u8(light + 2.017_23 * u);
    }
}

/// A reader of two slices, one after the other.
struct Joined<'a> {
    head: Vec<u8>,
    tail: &'a [u8],
    at: usize,
}

impl Read for Joined<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Joined<'_> {
    fn fill_buf(&mut self) -> IoResult<&[u8]> {
        let in_tail = self.at.saturating_sub(self.head.len());
        let head = self.head.get(self.at..).filter(|head| !head.is_empty());
        Ok(head.or(self.tail.get(in_tail..)).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Seek for Joined<'_> {
    fn seek(&mut self, to: SeekFrom) -> IoResult<u64> {
        let at = match to {
            SeekFrom::Start(at) => i64::try_from(at).unwrap_or(i64::MAX),
            SeekFrom::Current(by) => to_i64(self.at).saturating_add(by),
            SeekFrom::End(by) => to_i64(self.head.len() + self.tail.len()).saturating_add(by),
        };
        self.at = usize::try_from(at).map_err(std::io::Error::other)?;
        Ok(at.unsigned_abs())
    }
}

fn cut() -> Fault {
    unreadable("it is cut")
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` keeps to 0 to 255
fn to_u8(value: f32) -> u8 {
    (value + 0.5) as u8
}

fn to_usize(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn to_i64(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
