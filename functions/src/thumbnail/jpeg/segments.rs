//! Segments of a JPEG image: its tables, scans and metadata (ITU-T T.81, annex B).

use std::rc::Rc;

use image::metadata::Orientation;

use super::super::canvas::Colours;
use super::super::fault::{Fault, unreadable};
use super::super::metadata::{MOST_PROFILE_BYTES, Metadata};
use super::bits::{self, Bits};
use super::frame::{Frame, ZIGZAG};
use super::scan::{self, Coding, Scan};
use super::structure::Jpeg;

/// Most scans of an image. Encoders use about ten. Each one is a pass over all blocks.
const MOST_SCANS: usize = 100;
/// Mark of a coefficient that no scan has contained yet.
const UNSEEN: u8 = u8::MAX;

#[derive(Default)]
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    scans: Vec<Scan<'a>>,
    quantisation: [Option<[u16; 64]>; 4],
    /// Table of each component at its first scan, and the number of missing bits of each coefficient.
    used: Vec<Option<[u16; 64]>>,
    missing: Vec<[u8; 64]>,
    dc: [Option<Rc<bits::Table>>; 4],
    ac: [Option<Rc<bits::Table>>; 4],
    interval: u32,
    has_jfif: bool,
    adobe: Option<u8>,
    orientation: Option<Orientation>,
    /// Parts of the colour profile by their number, and the total number of parts.
    profile: Vec<(u8, u8, &'a [u8])>,
}

impl<'a> Segments<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut this = Self {
            bytes,
            at: 2,
            ..Self::default()
        };
        if bytes.get(..2) != Some(&[0xff, 0xd8]) {
            return Err(unreadable("it does not start as a JPEG does"));
        }
        loop {
            match this.marker()? {
                0xd9 => return Ok(this),
                0x01 | 0xd0..=0xd8 => return Err(unreadable("a marker is in the wrong place")),
                marker => {
                    let segment = this.segment()?;
                    this.take(marker, segment)?;
                }
            }
        }
    }

    /// Returns the frame header, if these first bytes of a file contain it.
    pub(super) fn frame_of(head: &'a [u8]) -> Option<Frame> {
        let mut this = Self {
            bytes: head,
            at: 2,
            ..Self::default()
        };
        while this.frame.is_none() {
            let marker = this.marker().ok()?;
            let segment = this.segment().ok()?;
            if matches!(marker, 0xc0..=0xcf) && marker != 0xc4 {
                this.frame(marker, segment).ok()?;
            }
        }
        this.frame
    }

    fn marker(&mut self) -> Result<u8, Fault> {
        if self.bytes.get(self.at).is_some_and(|&byte| byte != 0xff) {
            return Err(unreadable("a marker is missing"));
        }
        while self.bytes.get(self.at) == Some(&0xff) {
            self.at += 1;
        }
        self.at += 1;
        self.bytes.get(self.at - 1).copied().ok_or_else(cut)
    }

    fn segment(&mut self) -> Result<&'a [u8], Fault> {
        let &[high, low, ..] = self.bytes.get(self.at..).unwrap_or_default() else {
            return Err(cut());
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = self
            .bytes
            .get(self.at + 2..self.at + length)
            .ok_or_else(cut)?;
        self.at += length;
        Ok(segment)
    }

    fn take(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), Fault> {
        match marker {
            0xc4 => self.huffman(segment),
            0xcc => Err(Fault::Unsupported("JPEG with arithmetic coding")),
            0xc0..=0xcf if self.frame.is_some() => Err(unreadable("it has two frame headers")),
            0xc0..=0xcf => self.frame(marker, segment),
            0xda => self.scan(segment),
            0xdb => self.quantisation(segment),
            0xdc => self.lines(segment),
            0xdd => {
                let &[high, low] = segment else {
                    return Err(cut());
                };
                self.interval = u32::from(u16::from_be_bytes([high, low]));
                Ok(())
            }
            0xde | 0xdf => Err(Fault::Unsupported("hierarchical JPEG")),
            _ => {
                self.application(marker, segment);
                Ok(())
            }
        }
    }

    fn frame(&mut self, marker: u8, segment: &[u8]) -> Result<(), Fault> {
        let frame = Frame::parse(marker, segment)?;
        self.used = vec![None; frame.components.len()];
        self.missing = vec![[UNSEEN; 64]; frame.components.len()];
        self.frame = Some(frame);
        Ok(())
    }

    /// Checks the segment after the first scan that repeats the height.
    fn lines(&self, segment: &[u8]) -> Result<(), Fault> {
        let height = self.frame.as_ref().map(|frame| frame.height.to_be_bytes());
        match height {
            Some([.., high, low]) if segment == [high, low] => Ok(()),
            _ => Err(Fault::Unsupported("JPEG whose height is in a DNL segment")),
        }
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let [class_and_id, rest @ ..] = segment {
            let (counts, rest) = rest.split_at_checked(16).ok_or_else(cut)?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (values, rest) = rest.split_at_checked(total).ok_or_else(cut)?;
            let table = Rc::new(bits::Table::new(counts, values)?);
            let tables = match class_and_id >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(unreadable("a Huffman table is of no known class")),
            };
            *tables
                .get_mut(usize::from(class_and_id & 15))
                .ok_or_else(no_place)? = Some(table);
            segment = rest;
        }
        Ok(())
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Result<(), Fault> {
        while let [wide_and_id, rest @ ..] = segment {
            let bytes = match wide_and_id >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(unreadable("a quantisation table is of no known precision")),
            };
            let (factors, rest) = rest.split_at_checked(64 * bytes).ok_or_else(cut)?;
            let mut table = [0; 64];
            for (factor, place) in factors.chunks(bytes).zip(ZIGZAG) {
                table[place] = factor
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            }
            *self
                .quantisation
                .get_mut(usize::from(wide_and_id & 15))
                .ok_or_else(no_place)? = Some(table);
            segment = rest;
        }
        Ok(())
    }

    fn application(&mut self, marker: u8, segment: &'a [u8]) {
        match (marker, segment) {
            (0xe0, [b'J', b'F', b'I', b'F', 0, ..]) => self.has_jfif = true,
            (0xe1, [b'E', b'x', b'i', b'f', 0, _, exif @ ..]) => {
                self.orientation = self
                    .orientation
                    .or_else(|| Orientation::from_exif_chunk(exif));
            }
            (0xe2, [header @ .., _, _])
                if header.starts_with(b"ICC_PROFILE\0") && segment.len() >= 14 =>
            {
                self.profile
                    .push((segment[12], segment[13], &segment[14..]));
            }
            (
                0xee,
                [
                    b'A',
                    b'd',
                    b'o',
                    b'b',
                    b'e',
                    _,
                    _,
                    _,
                    _,
                    _,
                    _,
                    transform,
                    ..,
                ],
            ) => self.adobe = Some(*transform),
            _ => {}
        }
    }

    fn scan(&mut self, header: &[u8]) -> Result<(), Fault> {
        let frame = self
            .frame
            .as_ref()
            .ok_or_else(|| unreadable("a scan stands before the frame header"))?;
        let wrong = || unreadable("a scan header is wrong");
        let [count, rest @ ..] = header else {
            return Err(wrong());
        };
        let (chosen, rest) = rest
            .split_at_checked(2 * usize::from(*count))
            .ok_or_else(wrong)?;
        let &[first, last, bits] = rest else {
            return Err(wrong());
        };
        if self.scans.len() == MOST_SCANS {
            return Err(Fault::Unsupported("JPEG with more than 100 scans"));
        }
        let mut parts = Vec::new();
        for &[id, tables] in chosen.as_chunks::<2>().0 {
            let component = frame
                .components
                .iter()
                .position(|it| it.id == id)
                .ok_or_else(wrong)?;
            let table = |tables: &[Option<Rc<bits::Table>>; 4], id: u8| {
                tables.get(usize::from(id)).cloned().flatten()
            };
            let (dc, ac) = (table(&self.dc, tables >> 4), table(&self.ac, tables & 15));
            parts.push(scan::Part {
                component,
                dc,
                ac,
                last: 0,
            });
        }
        let coding = coding(frame.is_progressive, (first, last), (bits >> 4, bits & 15))
            .ok_or_else(wrong)?;
        let alone = matches!(coding, Coding::AcFirst { .. } | Coding::AcRefine { .. });
        if parts.is_empty() || alone && parts.len() > 1 {
            return Err(wrong());
        }
        let tables: Vec<_> = parts
            .iter()
            .map(|part| (part.component, frame.components[part.component].table))
            .collect();
        for (component, table) in tables {
            self.note(component, table, coding)?;
        }
        let bits = Bits::new(self.entropy_coded()?);
        self.scans.push(Scan {
            parts,
            coding,
            bits,
            interval: self.interval,
            done: 0,
            run: 0,
        });
        Ok(())
    }

    /// Records the coefficients of a component in a scan. No other scan may have contained them.
    fn note(&mut self, component: usize, table: u8, coding: Coding) -> Result<(), Fault> {
        if self.used[component].is_none() {
            let table = self.quantisation.get(usize::from(table)).copied().flatten();
            self.used[component] =
                Some(table.ok_or_else(|| unreadable("a quantisation table is missing"))?);
        }
        let (band, before, after) = match coding {
            Coding::Sequential => (0..=63, UNSEEN, 0),
            Coding::DcFirst { low } => (0..=0, UNSEEN, low),
            Coding::DcRefine { low } => (0..=0, low + 1, low),
            Coding::AcFirst { first, last, low } => (first..=last, UNSEEN, low),
            Coding::AcRefine { first, last, low } => (first..=last, low + 1, low),
        };
        for missing in &mut self.missing[component][band] {
            if *missing != before {
                return Err(unreadable("its scans don't follow each other"));
            }
            *missing = after;
        }
        Ok(())
    }

    /// Returns the data of a scan, up to the marker that ends it.
    fn entropy_coded(&mut self) -> Result<&'a [u8], Fault> {
        let data = self.bytes.get(self.at..).unwrap_or_default();
        let mut from = 0;
        while let Some(marker) = data[from..].iter().position(|&byte| byte == 0xff) {
            let start = from + marker;
            let code = data[start..]
                .iter()
                .find(|&&byte| byte != 0xff)
                .ok_or_else(cut)?;
            if !matches!(code, 0 | 0xd0..=0xd7) {
                self.at += start;
                return Ok(&data[..start]);
            }
            from = start
                + data[start..]
                    .iter()
                    .take_while(|&&byte| byte == 0xff)
                    .count();
        }
        Err(cut())
    }

    pub(super) fn finish(self) -> Result<Jpeg<'a>, Fault> {
        let frame = self
            .frame
            .ok_or_else(|| unreadable("it has no frame header"))?;
        if self.missing.iter().flatten().any(|&bits| bits != 0) {
            return Err(unreadable("scans are missing"));
        }
        let ids: Vec<_> = frame.components.iter().map(|it| it.id).collect();
        let colours = match (&ids[..], self.adobe) {
            ([_], _) => Colours::Grey,
            ([_, _, _, _], Some(2)) => Colours::Ycck,
            ([_, _, _, _], _) => Colours::Cmyk,
            (_, Some(0)) | (b"RGB", None) if !self.has_jfif => Colours::Rgb,
            _ => Colours::YCbCr,
        };
        let metadata = Metadata {
            orientation: self.orientation.unwrap_or(Orientation::NoTransforms),
            profile: profile(self.profile),
        };
        let quantisation = self.used.into_iter().flatten().collect();
        Ok(Jpeg {
            frame,
            scans: self.scans,
            quantisation,
            colours,
            metadata,
        })
    }
}

/// Joins the parts of a colour profile. Returns `None` if a part is missing, or if it is too large.
fn profile(mut parts: Vec<(u8, u8, &[u8])>) -> Option<Vec<u8>> {
    parts.sort_by_key(|&(number, ..)| number);
    let whole = parts
        .iter()
        .zip(1..)
        .all(|(&(number, of, _), at)| number == at && usize::from(of) == parts.len());
    let bytes: usize = parts.iter().map(|(.., part)| part.len()).sum();
    (whole && (1..=MOST_PROFILE_BYTES).contains(&bytes))
        .then(|| parts.iter().flat_map(|(.., part)| *part).copied().collect())
}

fn coding(is_progressive: bool, (first, last): (u8, u8), (high, low): (u8, u8)) -> Option<Coding> {
    if !is_progressive {
        return Some(Coding::Sequential);
    }
    let (first, last) = (usize::from(first), usize::from(last));
    match (first, high) {
        _ if low > 13 || high > 0 && high != low + 1 => None,
        (0, 0) if last == 0 => Some(Coding::DcFirst { low }),
        (0, _) if last == 0 => Some(Coding::DcRefine { low }),
        (1.., 0) if first <= last && last < 64 => Some(Coding::AcFirst { first, last, low }),
        (1.., _) if first <= last && last < 64 => Some(Coding::AcRefine { first, last, low }),
        _ => None,
    }
}

fn cut() -> Fault {
    unreadable("it is cut")
}

fn no_place() -> Fault {
    unreadable("a table has a number above 3")
}
