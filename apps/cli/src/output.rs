//! The standard output, a line at a time.

use std::{
    fmt::Display,
    io::{self, BufWriter, StdoutLock, Write, stdout},
};

use crate::failure::Failure;

/// Lines for whoever reads them: many are written at once, and all of them by the [`end`](Self::end).
pub struct Output {
    to: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub fn new() -> Self {
        Output { to: BufWriter::new(stdout().lock()) }
    }

    /// # Errors
    /// [`Failure::Unheard`] when the reader has left, which ends the command; [`Failure::Output`].
    pub fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        heard(writeln!(self.to, "{line}"))
    }

    /// Writes the line so that its reader has it now.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn line_now(&mut self, line: impl Display) -> Result<(), Failure> {
        self.line(line)?;
        heard(self.to.flush())
    }

    /// # Errors
    /// As [`line`](Self::line).
    pub fn end(mut self) -> Result<(), Failure> {
        heard(self.to.flush())
    }
}

/// A reader that has seen enough closes the pipe, as `head` does: then there is no more to do.
fn heard(written: io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Unheard,
        _ => Failure::Output(error),
    })
}
