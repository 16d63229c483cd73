//! CRC-32C (Castagnoli): finds every flipped bit of a row. By the processor's own instruction where there is an operating
//! system to tell whether it has one; else by tables, eight bytes at a step.

/// A checksum in the making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crc(u32);

impl Crc {
    pub const fn new() -> Self {
        Crc(!0)
    }

    #[cfg(feature = "std")]
    pub fn update(self, bytes: &[u8]) -> Self {
        Crc(!crc32c::crc32c_append(!self.0, bytes))
    }

    #[cfg(not(feature = "std"))]
    pub fn update(self, bytes: &[u8]) -> Self {
        Crc(tables::update(self.0, bytes))
    }

    pub const fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(any(not(feature = "std"), test))]
mod tables {
    const POLYNOMIAL: u32 = 0x82f6_3b78;

    static TABLES: [[u32; 256]; 8] = tables();

    const fn tables() -> [[u32; 256]; 8] {
        let mut tables = [[0; 256]; 8];
        let mut byte = 0;
        while byte < 256 {
            let mut crc = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
                bit += 1;
            }
            tables[0][byte] = crc;
            byte += 1;
        }
        let mut table = 1;
        while table < 8 {
            let mut byte = 0;
            while byte < 256 {
                let before = tables[table - 1][byte];
                tables[table][byte] = before >> 8 ^ tables[0][(before & 255) as usize];
                byte += 1;
            }
            table += 1;
        }
        tables
    }

    pub(super) fn update(mut crc: u32, bytes: &[u8]) -> u32 {
        let (steps, rest) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in steps {
            let [p, q, r, s] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            crc = TABLES[7][usize::from(p)]
                ^ TABLES[6][usize::from(q)]
                ^ TABLES[5][usize::from(r)]
                ^ TABLES[4][usize::from(s)]
                ^ TABLES[3][usize::from(e)]
                ^ TABLES[2][usize::from(f)]
                ^ TABLES[1][usize::from(g)]
                ^ TABLES[0][usize::from(h)];
        }
        for byte in rest {
            crc = crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)];
        }
        crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc_32c() {
        assert_eq!(Crc::new().update(b"123456789").value(), 0xe306_9283);
        assert_eq!(Crc::new().update(&[0; 32]).value(), 0x8a91_36aa);
        let bytes: [u8; 32] = core::array::from_fn(|place| place as u8);
        assert_eq!(Crc::new().update(&bytes).value(), 0x46dd_794e);
        assert_eq!(Crc::new().update(&bytes[..5]).update(&bytes[5..]).value(), 0x46dd_794e);
    }

    #[test]
    fn the_tables_say_the_same_as_the_processor() {
        let bytes: std::vec::Vec<u8> = (0..300_u32).map(|place| ((place * 7919) >> 3) as u8).collect();
        for from in 0..20 {
            for to in from..bytes.len() {
                let bytes = &bytes[from..to];
                assert_eq!(Crc::new().update(bytes).value(), !tables::update(!0, bytes));
            }
        }
    }
}
