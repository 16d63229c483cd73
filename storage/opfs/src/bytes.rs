//! Numbers in bytes: little-endian, or of as many bytes as they need.

/// The number of four bytes that stands at a place; 0 where there are fewer.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    four(bytes, at).map_or(0, u32::from_le_bytes)
}

/// The number of eight bytes that stands at a place; 0 where there are fewer.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn four(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at + 4)?.try_into().ok()
}

/// Appends a length as LEB128: one byte for what is shorter than 128.
pub(crate) fn put_length(length: usize, into: &mut Vec<u8>) {
    let mut left = length;
    while left > 127 {
        into.push(left as u8 | 128);
        left >>= 7;
    }
    into.push(left as u8);
}

/// So many bytes as the length before them says, and what follows; `None` where there are not so many.
pub(crate) fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut from) = (0, 0);
    loop {
        let byte = *bytes.get(from)?;
        length |= usize::from(byte & 127) << (7 * from);
        from += 1;
        if byte < 128 {
            break;
        }
        // Nothing here is longer than 32 bits say.
        if from == 5 {
            return None;
        }
    }
    bytes.get(from..)?.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_taken_and_what_is_cut_off_is_not() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3 << 20] {
            let mut bytes = Vec::new();
            put_length(length, &mut bytes);
            bytes.resize(bytes.len() + length, 7);
            bytes.push(9);
            let (taken, rest) = take(&bytes).unwrap_or_default();
            assert_eq!((taken.len(), rest), (length, &[9][..]));
            bytes.pop();
            assert_eq!(take(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take(&[255; 9]), None);
    }
}
