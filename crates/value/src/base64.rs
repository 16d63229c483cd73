//! Bytes as text: base64 with padding (RFC 4648, §4), read strictly, so that bytes have one text. A character at a time: the loops of
//! the library, unrolled, are more code than the rest of the tagged texts.

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Three bytes are four characters; where fewer are left, `=` stands for what is not there.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| (bits << 8) | usize::from(three.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let character = if i <= three.len() { ALPHABET[(bits >> (18 - 6 * i)) & 63] } else { b'=' };
            text.push(char::from(character));
        }
    }
    text
}

/// The bytes of a text that [`encode`] gives, and of no other.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let characters = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - characters.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits = 0_u32;
    for (i, character) in characters.iter().enumerate() {
        bits = (bits << 6) | six_bits(*character)?;
        // Of four characters the first completes no byte, and each of the others leaves two bits fewer.
        if let Some(left) = (i % 4).checked_sub(1) {
            bytes.push((bits >> (4 - 2 * left)).to_le_bytes()[0]);
        }
    }
    // What the last character says beyond the last byte.
    let beyond = (1 << (2 * padding)) - 1;
    (bits & beyond == 0).then_some(bytes)
}

fn six_bits(character: u8) -> Option<u32> {
    let bits = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(bits.into())
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use alloc::vec::Vec;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_the_text_that_the_library_makes_of_them(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert_eq!(&text, &STANDARD.encode(&bytes));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn a_text_is_refused_where_the_library_refuses_it(text in "[A-Da-d9+/]{0,9}[ABQgw=]{0,3}[=-]{0,3}") {
            prop_assert_eq!(decode(&text), STANDARD.decode(&text).ok());
        }
    }
}
