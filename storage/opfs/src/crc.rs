//! Which bit has changed, where a CRC-32C says that one has; and a second sum, which such an answer has to fit, too.

/// CRC-32C's polynomial, the lowest power last.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The bit of so many bytes that makes two checksums of them differ by this, if one does.
pub(crate) fn flipped(syndrome: u32, length: usize) -> Option<usize> {
    let mut of_bit = POLYNOMIAL;
    for from_end in 0..length * 8 {
        if of_bit == syndrome {
            return Some((length - 1 - from_end / 8) * 8 + 7 - from_end % 8);
        }
        of_bit = if of_bit & 1 == 1 { of_bit >> 1 ^ POLYNOMIAL } else { of_bit >> 1 };
    }
    None
}

/// A sum that has nothing in common with a CRC.
pub(crate) fn check(bytes: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    let sum = words.fold(bytes.len() as u64, |sum, word| (sum ^ word).wrapping_mul(FACTOR).rotate_left(29));
    (sum ^ sum >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_store::crc32c;

    #[test]
    fn every_bit_is_found_by_what_it_does_to_the_sum() {
        let mut bytes: Vec<u8> = (0..300_u32).map(|number| ((number * 7919) >> 3) as u8).collect();
        let sum = crc32c(&bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(flipped(crc32c(&bytes) ^ sum, bytes.len()), Some(bit));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        bytes[7] ^= 3;
        assert_eq!(flipped(crc32c(&bytes) ^ sum, bytes.len()), None);
    }

    #[test]
    fn the_check_of_what_differs_in_a_bit_or_in_length_differs() {
        let mut bytes = vec![0; 64];
        let sum = check(&bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(check(&bytes), sum, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!((0..64).all(|length| check(&bytes[..length]) != sum));
    }
}
