//! The buffer that is lent to whoever writes a value's bytes.

use core::fmt;

/// A buffer of fixed size that a value's bytes are written into. Whoever lends it takes a larger one and asks again when
/// the value did not fit, so an [`Encode`](crate::Encode) passes [`PayloadFull`] on and thinks no more of it.
#[derive(Debug)]
pub struct Payload<'a> {
    buffer: &'a mut [u8],
    written: usize,
    full: bool,
}

/// The value is larger than the buffer that was lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the value is larger than the buffer that was lent for it")]
pub struct PayloadFull;

impl<'a> Payload<'a> {
    /// An empty one over `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Payload { buffer, written: 0, full: false }
    }

    /// Appends `bytes`, all or none.
    ///
    /// # Errors
    /// [`PayloadFull`] when they do not fit.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), PayloadFull> {
        let end = self.written + bytes.len();
        match self.buffer.get_mut(self.written..end) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.written = end;
                Ok(())
            }
            None => {
                self.full = true;
                Err(PayloadFull)
            }
        }
    }

    /// Lends what is free to `write`, which says how much of it it used; `None` from it means that it was too small.
    ///
    /// # Errors
    /// [`PayloadFull`] when it was.
    pub fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Result<(), PayloadFull> {
        let free = self.buffer.get_mut(self.written..).unwrap_or_default();
        let room = free.len();
        match write(free).filter(|used| *used <= room) {
            Some(used) => {
                self.written += used;
                Ok(())
            }
            None => {
                self.full = true;
                Err(PayloadFull)
            }
        }
    }

    /// What was written so far.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.written).unwrap_or_default()
    }

    /// Whether something did not fit.
    pub fn is_full(&self) -> bool {
        self.full
    }
}

impl fmt::Write for Payload<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes()).map_err(|PayloadFull| fmt::Error)
    }
}
