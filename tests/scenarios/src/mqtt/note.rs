//! What a number is on its way: its digits, and a filling by which it is known whether all of it came, and nothing else.

use super::ends::flow_of;
use anabranch::Payload;
use std::fmt::Write;

/// How numbers are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note {
    /// Fillings are shorter than this.
    pub(super) longest: u64,
}

impl Note {
    fn filling(self, number: u64) -> impl Iterator<Item = u8> {
        (0..number * 37 % self.longest).map(move |place| b'a' + ((number + place) % 26) as u8)
    }

    pub(super) fn write(self, number: u64, payload: &mut Payload<'_>) -> Result<(), std::fmt::Error> {
        write!(payload, "{number}:")?;
        self.filling(number).try_for_each(|letter| payload.write_char(letter.into()))
    }

    /// Reads a number of `flow`.
    pub(super) fn read(self, bytes: &[u8], flow: u8) -> Result<u64, &'static str> {
        let number = number_of(bytes).ok_or("no number")?;
        let digits = bytes.iter().position(|byte| *byte == b':').unwrap_or(0);
        match flow_of(number) == flow && bytes[digits + 1..].iter().copied().eq(self.filling(number)) {
            true => Ok(number),
            false => Err("a number that is not whole, or of another flow"),
        }
    }
}

/// The number of a note.
pub(super) fn number_of(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.split(|byte| *byte == b':').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
