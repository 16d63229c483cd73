//! CRC-32C (Castagnoli): finds every flipped bit of a row. By the processor's own instruction where there is an operating
//! system to tell whether it has one (the feature `crc32c`); else by tables, eight bytes at a step. Those are 8 KiB that no
//! compression makes less, so where a program is downloaded they are made when they are first needed: in microseconds.

/// A checksum in the making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crc(u32);

impl Crc {
    pub const fn new() -> Self {
        Crc(!0)
    }

    #[cfg(feature = "crc32c")]
    pub fn update(self, bytes: &[u8]) -> Self {
        Crc(!crc32c::crc32c_append(!self.0, bytes))
    }

    #[cfg(not(feature = "crc32c"))]
    pub fn update(self, bytes: &[u8]) -> Self {
        Crc(tables::update(self.0, bytes))
    }

    pub const fn value(self) -> u32 {
        !self.0
    }

    /// Of a key and of what comes after it. Most keys are of one length and most rows are short: those are put side by side
    /// first, as a step of eight bytes begins where memory does, and single bytes before and after take as long each.
    pub fn of(key: &[u8], rest: &[u8]) -> u32 {
        const KEY: usize = 16;
        #[repr(align(8))]
        struct Together([u8; KEY + 64]);
        let mut together = Together([0; KEY + 64]);
        if let (Ok(key), Some(both)) = (<&[u8; KEY]>::try_from(key), together.0.get_mut(..KEY + rest.len())) {
            let (before, after) = both.split_at_mut(KEY);
            before.copy_from_slice(key);
            if ends::<32>(rest, after) || ends::<16>(rest, after) {
                return Crc::new().update(both).value();
            }
        }
        Crc::new().update(key).update(rest).value()
    }
}

/// Copies from `N` to twice as many bytes as two pieces, which may share some in the middle: two moves, where a call to copy so
/// few takes longer than to sum them.
fn ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else { return false };
    if from.len() > 2 * N || from.len() != to.len() {
        return false;
    }
    if let Some(begin) = to.first_chunk_mut::<N>() {
        *begin = *first;
    }
    if let Some(end) = to.last_chunk_mut::<N>() {
        *end = *last;
    }
    true
}

/// The CRC-32C of bytes, for a [`Backend`](crate::Backend) that checks what it reads as the store checks its rows.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    Crc::new().update(bytes).value()
}

#[cfg(any(not(feature = "crc32c"), test))]
mod tables {
    const POLYNOMIAL: u32 = 0x82f6_3b78;

    type Tables = [[u32; 256]; 8];

    #[cfg(feature = "std")]
    static TABLES: std::sync::LazyLock<Tables> = std::sync::LazyLock::new(tables);
    #[cfg(not(feature = "std"))]
    static TABLES: Tables = tables();

    const fn tables() -> Tables {
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
        let tables: &Tables = &TABLES;
        let (steps, rest) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in steps {
            let [p, q, r, s] = (crc ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
            crc = tables[7][usize::from(p)]
                ^ tables[6][usize::from(q)]
                ^ tables[5][usize::from(r)]
                ^ tables[4][usize::from(s)]
                ^ tables[3][usize::from(e)]
                ^ tables[2][usize::from(f)]
                ^ tables[1][usize::from(g)]
                ^ tables[0][usize::from(h)];
        }
        for byte in rest {
            crc = crc >> 8 ^ tables[0][usize::from(crc as u8 ^ byte)];
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
    fn side_by_side_is_one_after_the_other() {
        let bytes: std::vec::Vec<u8> = (0..300_u32).map(|place| ((place * 7919) >> 3) as u8).collect();
        for length in [0, 1, 8, 15, 16, 31, 32, 33, 47, 48, 49, 79, 80, 81, 128, 300] {
            for end in 0..=length {
                let (key, rest) = bytes[..length].split_at(end);
                assert_eq!(Crc::of(key, rest), Crc::new().update(&bytes[..length]).value(), "{end} of {length}");
            }
        }
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
