//! Bits of entropy-coded data, and the Huffman codes in them (ITU-T T.81, annexes C and F).
//!
//! A missing bit is an error. Lenient decoders would continue with zeros.

use super::super::fault::{Fault, unreadable};

/// Codes of at most this many bits are found in one step.
const FAST_BITS: usize = 9;

/// Bits of one scan, up to the marker after it.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// Next bits, from the highest one. Bits after `count` are 0.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            buffer: 0,
            count: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.data.get(self.at) else {
                return;
            };
            if byte == 0xff {
                if self.data.get(self.at + 1) != Some(&0) {
                    return; // a marker
                }
                self.at += 1;
            }
            self.at += 1;
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn drop(&mut self, count: u32) -> Result<(), Fault> {
        if count > self.count {
            return Err(unreadable("a scan ends early"));
        }
        self.buffer <<= count;
        self.count -= count;
        Ok(())
    }

    /// Reads up to 16 bits.
    pub(super) fn take(&mut self, count: u32) -> Result<i32, Fault> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        let value = self.buffer >> (64 - count);
        self.drop(count)?;
        Ok(i32::try_from(value).unwrap_or(0))
    }

    /// Reads a number of up to 16 bits. Its first bit is the sign (F.2.2.1).
    pub(super) fn signed(&mut self, count: u32) -> Result<i32, Fault> {
        let value = self.take(count)?;
        Ok(if count > 0 && value < 1 << (count - 1) {
            value - (1 << count) + 1
        } else {
            value
        })
    }

    /// Reads the padding up to the next restart marker, and the marker.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Fault> {
        self.padding()?;
        while self.data.get(self.at + 1) == Some(&0xff) {
            self.at += 1;
        }
        if self.data.get(self.at..self.at + 2) != Some(&[0xff, 0xd0 + number]) {
            return Err(unreadable("a restart marker is missing"));
        }
        self.at += 2;
        Ok(())
    }

    /// Checks that only padding is left. A restart marker after the last interval is allowed.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        self.padding()?;
        match self.data.get(self.at..).unwrap_or_default() {
            [] | [0xff, 0xd0..=0xd7] => Ok(()),
            _ => Err(unreadable("a scan has more data than its blocks")),
        }
    }

    fn padding(&mut self) -> Result<(), Fault> {
        self.fill();
        if self.count >= 8 {
            return Err(unreadable("a scan has more data than its blocks"));
        }
        self.buffer = 0;
        self.count = 0;
        Ok(())
    }
}

/// A Huffman table.
pub(super) struct Table {
    /// Length and value of the code for each next 9 bits; length 0 if the code is longer.
    fast: Vec<(u8, u8)>,
    /// First code that is too large, for each length.
    ends: [i32; 17],
    /// Index of a code's value minus the code, for each length.
    offsets: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    /// Builds a table from the number of codes of each length from 1 to 16, and all values by their codes.
    pub(super) fn new(counts: &[u8], values: &[u8]) -> Result<Self, Fault> {
        let mut table = Self {
            fast: vec![(0, 0); 1 << FAST_BITS],
            ends: [0; 17],
            offsets: [0; 17],
            values: values.to_vec(),
        };
        let (mut code, mut place) = (0, 0);
        for (length, &count) in (1..=16).zip(counts) {
            table.offsets[length] = i32::try_from(place).unwrap_or(0) - code;
            for &value in values
                .get(place..place + usize::from(count))
                .unwrap_or_default()
            {
                if length <= FAST_BITS {
                    let first = usize::try_from(code).unwrap_or(0) << (FAST_BITS - length);
                    let entries = table
                        .fast
                        .get_mut(first..first + (1 << (FAST_BITS - length)));
                    entries
                        .ok_or_else(overfull)?
                        .fill((u8::try_from(length).unwrap_or(0), value));
                }
                code += 1;
            }
            place += usize::from(count);
            table.ends[length] = code;
            if code > 1 << length {
                return Err(overfull());
            }
            code <<= 1;
        }
        Ok(table)
    }

    /// Reads the next code from `bits`, and returns its value.
    #[inline]
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Result<u8, Fault> {
        if bits.count < 16 {
            bits.fill();
        }
        let next = usize::try_from(bits.buffer >> 48).unwrap_or(0);
        let (length, value) = self.fast[next >> (16 - FAST_BITS)];
        if length > 0 {
            bits.drop(u32::from(length))?;
            return Ok(value);
        }
        for length in FAST_BITS + 1..=16 {
            let code = i32::try_from(next >> (16 - length)).unwrap_or(0);
            if code < self.ends[length] {
                bits.drop(u32::try_from(length).unwrap_or(0))?;
                let place = usize::try_from(code + self.offsets[length]).ok();
                return place
                    .and_then(|place| self.values.get(place).copied())
                    .ok_or_else(unknown);
            }
        }
        Err(unknown())
    }
}

fn overfull() -> Fault {
    unreadable("a Huffman table has too many codes")
}

fn unknown() -> Fault {
    unreadable("a code is not in its Huffman table")
}
