//! Replacement for the crate `crc-fast`: the three checksums that the S3 SDK and the embedded S3 use, with tables of 48
//! KiB.
//!
//! The original has tables of 680 KB, which every function with S3 would include. It is faster, but a request with a
//! SHA-256 needs none of these checksums. Remove this crate when tables of the original can be left out:
//! <https://github.com/awesomized/crc-fast-rust/issues/61>. A test compares the checksums of both.

/// Checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrcAlgorithm {
    /// CRC-32, as in zip files.
    Crc32IsoHdlc,
    /// CRC-32C.
    Crc32Iscsi,
    /// CRC-64/NVME.
    Crc64Nvme,
}

/// Number of bytes per step, each with its own table.
const STEP: usize = 8;

type Tables = [[u64; 256]; STEP];

// Tables of 16 KiB each. The two 32-bit checksums have 64-bit entries, so that all three share one computation.
static ISO_HDLC: Tables = tables(0xedb8_8320);
static ISCSI: Tables = tables(0x82f6_3b78);
static NVME: Tables = tables(0x9a6c_9329_ac4b_c9b5);

const fn tables(reflected_polynomial: u64) -> Tables {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u64, 0);
        while bit < 8 {
            crc = (crc >> 1)
                ^ (if crc & 1 == 1 {
                    reflected_polynomial
                } else {
                    0
                });
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < STEP {
        byte = 0;
        while byte < 256 {
            let shorter = tables[table - 1][byte];
            tables[table][byte] = (shorter >> 8) ^ tables[0][(shorter & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// State of a checksum.
#[derive(Debug, Clone, Copy)]
pub struct Digest {
    tables: &'static Tables,
    all_ones: u64,
    state: u64,
}

impl Digest {
    /// Starts a checksum.
    pub fn new(algorithm: CrcAlgorithm) -> Self {
        let (tables, all_ones) = match algorithm {
            CrcAlgorithm::Crc32IsoHdlc => (&ISO_HDLC, u64::from(u32::MAX)),
            CrcAlgorithm::Crc32Iscsi => (&ISCSI, u64::from(u32::MAX)),
            CrcAlgorithm::Crc64Nvme => (&NVME, u64::MAX),
        };
        Self {
            tables,
            all_ones,
            state: all_ones,
        }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        let (steps, rest) = data.as_chunks::<STEP>();
        for step in steps {
            let bytes = (self.state ^ u64::from_le_bytes(*step)).to_le_bytes();
            let each = bytes.iter().zip(self.tables.iter().rev());
            self.state = each.fold(0, |crc, (byte, table)| crc ^ table[usize::from(*byte)]);
        }
        for byte in rest {
            let [low, ..] = self.state.to_le_bytes();
            self.state = (self.state >> 8) ^ self.tables[0][usize::from(low ^ byte)];
        }
    }

    /// Returns the checksum.
    pub fn finalize(&self) -> u64 {
        self.state ^ self.all_ones
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(algorithm: CrcAlgorithm, pieces: &[&[u8]]) -> u64 {
        let mut digest = Digest::new(algorithm);
        for piece in pieces {
            digest.update(piece);
        }
        digest.finalize()
    }

    /// <https://reveng.sourceforge.io/crc-catalogue/all.htm>
    #[test]
    fn the_check_of_the_catalogue_comes_out_however_the_bytes_come_in() {
        for (algorithm, check) in [
            (CrcAlgorithm::Crc32IsoHdlc, 0xcbf4_3926),
            (CrcAlgorithm::Crc32Iscsi, 0xe306_9283),
            (CrcAlgorithm::Crc64Nvme, 0xae8b_1486_0a79_9888),
        ] {
            assert_eq!(checksum(algorithm, &[b"123456789"]), check, "{algorithm:?}");
            assert_eq!(
                checksum(algorithm, &[b"1", b"", b"2345678", b"9"]),
                check,
                "{algorithm:?}"
            );
            assert_eq!(checksum(algorithm, &[]), 0);
        }
    }
}
