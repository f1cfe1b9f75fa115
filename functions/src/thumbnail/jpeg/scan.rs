//! Scan of a JPEG image, decoded one row of MCUs at a time (ITU-T T.81, annexes F and G).
//!
//! Scans only depend on each other within the same block. So all scans of a progressive image advance together, row by row, and
//! only the coefficients of one row are in memory.

use std::rc::Rc;

use super::super::fault::{Fault, unreadable};
use super::bits::{Bits, Table};
use super::frame::{Component, Frame, ZIGZAG};

/// Coefficients of 8 × 8 samples, row by row.
pub(super) type Block = [i16; 64];

/// A component in a scan.
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: Option<Rc<Table>>,
    pub(super) ac: Option<Rc<Table>>,
    /// DC coefficient of the last block.
    pub(super) last: i32,
}

/// Coding of the coefficients of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Sequential,
    DcFirst { low: u8 },
    DcRefine { low: u8 },
    AcFirst { first: usize, last: usize, low: u8 },
    AcRefine { first: usize, last: usize, low: u8 },
}

pub(super) struct Scan<'a> {
    pub(super) parts: Vec<Part>,
    pub(super) coding: Coding,
    pub(super) bits: Bits<'a>,
    /// MCUs between restart markers; 0 without restart markers.
    pub(super) interval: u32,
    /// MCUs decoded so far.
    pub(super) done: u32,
    /// Number of blocks whose band ends here without a further code.
    pub(super) run: u32,
}

impl Scan<'_> {
    /// Decodes the row of MCUs with this number into the rows of blocks of the components.
    pub(super) fn row(
        &mut self,
        row: usize,
        frame: &Frame,
        blocks: &mut [Vec<Block>],
    ) -> Result<(), Fault> {
        if let [part] = &self.parts[..] {
            let Component {
                across,
                v,
                columns,
                rows,
                ..
            } = frame.components[part.component];
            let component = part.component;
            for line in 0..v.min(rows.saturating_sub(row * v)) {
                for column in 0..columns {
                    self.start_mcu()?;
                    self.block(0, &mut blocks[component][line * across + column])?;
                }
            }
            return Ok(());
        }
        for mcu in 0..frame.mcus {
            self.start_mcu()?;
            for part in 0..self.parts.len() {
                let component = self.parts[part].component;
                let Component { across, h, v, .. } = frame.components[component];
                for place in 0..h * v {
                    let (line, column) = (place / h, mcu * h + place % h);
                    self.block(part, &mut blocks[component][line * across + column])?;
                }
            }
        }
        Ok(())
    }

    /// Checks, after the last row, that the scan ends here.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        self.no_run_left()?;
        self.bits.finish()
    }

    fn no_run_left(&self) -> Result<(), Fault> {
        if self.run == 0 {
            Ok(())
        } else {
            Err(unreadable("a run of blocks is longer than its scan"))
        }
    }

    fn start_mcu(&mut self) -> Result<(), Fault> {
        if self.interval > 0 && self.done > 0 && self.done.is_multiple_of(self.interval) {
            self.no_run_left()?;
            let number = (self.done / self.interval - 1) % 8;
            self.bits.restart(u8::try_from(number).unwrap_or(0))?;
            self.parts.iter_mut().for_each(|part| part.last = 0);
        }
        self.done += 1;
        Ok(())
    }

    #[inline]
    fn block(&mut self, part: usize, block: &mut Block) -> Result<(), Fault> {
        match self.coding {
            Coding::Sequential => {
                block[0] = self.dc(part)?;
                self.sequential_ac(part, block)
            }
            Coding::DcFirst { low } => {
                block[0] = self.dc(part)? << low;
                Ok(())
            }
            Coding::DcRefine { low } => {
                block[0] |= to_i16(self.bits.take(1)? << low)?;
                Ok(())
            }
            Coding::AcFirst { first, last, low } => self.ac_first(block, first, last, low),
            Coding::AcRefine { first, last, low } => self.ac_refine(block, first, last, low),
        }
    }

    fn dc(&mut self, part: usize) -> Result<i16, Fault> {
        let part = &mut self.parts[part];
        let table = part.dc.as_ref().ok_or_else(no_table)?;
        let size = table.next(&mut self.bits)?;
        if size > 11 {
            return Err(unreadable("a DC coefficient is too large"));
        }
        part.last += self.bits.signed(u32::from(size))?;
        // Images of eight bits never exceed this. After a lost code, the sum does.
        if !(-2048..2048).contains(&part.last) {
            return Err(unreadable("a DC coefficient is too large"));
        }
        to_i16(part.last)
    }

    #[inline]
    fn sequential_ac(&mut self, part: usize, block: &mut Block) -> Result<(), Fault> {
        let table = self.parts[part].ac.as_ref().ok_or_else(no_table)?;
        let mut at = 1;
        while at < 64 {
            let code = table.next(&mut self.bits)?;
            let (zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
            match (zeros, size) {
                (0, 0) => return Ok(()),
                (15, 0) => at += 16,
                (_, 1..=11) => {
                    at += zeros;
                    *block.get_mut(place(at)?).ok_or_else(beyond)? =
                        to_i16(self.bits.signed(size)?)?;
                    at += 1;
                }
                _ => return Err(unreadable("an AC code means nothing")),
            }
        }
        if at == 64 { Ok(()) } else { Err(beyond()) }
    }

    /// Reads a code: the number of zeros to skip and the size of the coefficient after them, or the length of a run of blocks
    /// that end here.
    fn ac_code(&mut self) -> Result<Option<(usize, u32)>, Fault> {
        let table = self.parts[0].ac.as_ref().ok_or_else(no_table)?;
        let code = table.next(&mut self.bits)?;
        let (zeros, size) = (u32::from(code >> 4), u32::from(code & 15));
        if size == 0 && zeros < 15 {
            self.run = (1 << zeros) + u32::try_from(self.bits.take(zeros)?).unwrap_or(0);
            return Ok(None);
        }
        Ok(Some((usize::try_from(zeros).unwrap_or(0), size)))
    }

    fn ac_first(
        &mut self,
        block: &mut Block,
        first: usize,
        last: usize,
        low: u8,
    ) -> Result<(), Fault> {
        let mut at = first;
        while self.run == 0 && at <= last {
            let Some((zeros, size)) = self.ac_code()? else {
                break;
            };
            at += zeros;
            if size > 0 {
                if at > last || size > 11 {
                    return Err(beyond());
                }
                block[ZIGZAG[at]] = to_i16(self.bits.signed(size)? << low)?;
            }
            at += 1;
        }
        if at > last + 1 {
            return Err(beyond());
        }
        self.run = self.run.saturating_sub(1);
        Ok(())
    }

    fn ac_refine(
        &mut self,
        block: &mut Block,
        first: usize,
        last: usize,
        low: u8,
    ) -> Result<(), Fault> {
        let mut at = first;
        while self.run == 0 && at <= last {
            let Some((mut zeros, size)) = self.ac_code()? else {
                break;
            };
            let new = match size {
                0 => None,
                1 => Some(if self.bits.take(1)? == 1 {
                    1 << low
                } else {
                    -(1 << low)
                }),
                _ => return Err(unreadable("a refinement is of more than one bit")),
            };
            while at <= last {
                let coefficient = &mut block[ZIGZAG[at]];
                if *coefficient != 0 {
                    refine(&mut self.bits, coefficient, low)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if at > last {
                return Err(beyond());
            }
            if let Some(new) = new {
                block[ZIGZAG[at]] = new;
            }
            at += 1;
        }
        if self.run > 0 {
            for &at in ZIGZAG.get(at..=last).unwrap_or_default() {
                if block[at] != 0 {
                    refine(&mut self.bits, &mut block[at], low)?;
                }
            }
            self.run -= 1;
        }
        Ok(())
    }
}

/// Reads one more bit of a coefficient.
fn refine(bits: &mut Bits<'_>, coefficient: &mut i16, low: u8) -> Result<(), Fault> {
    if bits.take(1)? == 1 && *coefficient & (1 << low) == 0 {
        let more = 1 << low;
        *coefficient = coefficient.saturating_add(if *coefficient > 0 { more } else { -more });
    }
    Ok(())
}

fn place(at: usize) -> Result<usize, Fault> {
    ZIGZAG.get(at).copied().ok_or_else(beyond)
}

fn to_i16(value: i32) -> Result<i16, Fault> {
    i16::try_from(value).map_err(|_| unreadable("a coefficient is too large"))
}

fn beyond() -> Fault {
    unreadable("a coefficient is beyond its block")
}

fn no_table() -> Fault {
    unreadable("a Huffman table is missing")
}
