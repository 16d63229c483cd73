//! Words that say why something went wrong: all of them where there is a heap, as many as have a place elsewhere.

use core::fmt;

/// Why something went wrong, for people. Without a heap (the feature `alloc`) what is longer than 46 bytes is cut off.
#[derive(Clone, PartialEq, Eq)]
pub struct Words(kept::Kept);

impl Words {
    /// What `why` displays.
    pub fn of(why: impl fmt::Display) -> Self {
        Words(kept::Kept::of(&why))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Words::of(text)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(feature = "alloc")]
mod kept {
    use alloc::{boxed::Box, string::ToString};
    use core::fmt;

    #[derive(Clone, PartialEq, Eq)]
    pub(super) struct Kept(Box<str>);

    impl Kept {
        pub(super) fn of(why: &dyn fmt::Display) -> Self {
            Kept(why.to_string().into_boxed_str())
        }

        pub(super) fn as_str(&self) -> &str {
            &self.0
        }
    }
}

#[cfg(any(not(feature = "alloc"), test))]
mod cut_off {
    use core::fmt::{self, Write};

    /// With its length it takes twelve words.
    const ROOM: usize = 46;

    #[derive(Clone, PartialEq, Eq)]
    pub(super) struct Kept {
        bytes: [u8; ROOM],
        length: u8,
        /// Something did not fit: what comes after it is left away, too.
        full: bool,
    }

    impl Kept {
        pub(super) fn of(why: &dyn fmt::Display) -> Self {
            let mut kept = Kept { bytes: [0; ROOM], length: 0, full: false };
            let _cut_off_is_no_failure = write!(kept, "{why}");
            kept
        }

        pub(super) fn as_str(&self) -> &str {
            let text = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
            core::str::from_utf8(text).unwrap_or("")
        }
    }

    impl Write for Kept {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for character in text.chars() {
                let from = usize::from(self.length);
                let size = character.len_utf8();
                self.full |= from + size > ROOM;
                if self.full {
                    return Ok(());
                }
                character.encode_utf8(self.bytes.get_mut(from..from + size).unwrap_or_default());
                self.length += size as u8;
            }
            Ok(())
        }
    }
}

#[cfg(not(feature = "alloc"))]
use cut_off as kept;

#[cfg(test)]
mod tests {
    use super::cut_off::Kept;

    #[test]
    fn without_a_heap_words_are_cut_off_between_two_characters() {
        assert_eq!(Kept::of(&"short").as_str(), "short");
        let long = Kept::of(&"0123456789012345678901234567890123456789012345é and more");
        assert_eq!(long.as_str(), "0123456789012345678901234567890123456789012345");
        let more = Kept::of(&format_args!("{}{}", "01234567890123456789012345678901234567890123é", 7));
        assert_eq!(
            more.as_str(),
            "01234567890123456789012345678901234567890123é",
            "nothing stands after what was cut off"
        );
    }
}
