//! What a case says: nothing when all is well, or what it expected and what it got.

use core::fmt;

/// A broken promise of the contract: what was expected, and the two numbers that show it, where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What the contract promises, to be read after "expected".
    pub expected: &'static str,
    /// What was wanted and what was got.
    pub numbers: Option<(u64, u64)>,
}

impl Fault {
    /// A fault that no number explains.
    #[must_use]
    pub const fn new(expected: &'static str) -> Self {
        Fault { expected, numbers: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)?;
        match self.numbers {
            Some((wanted, got)) => write!(f, ": wanted {wanted}, got {got}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Fault {}

/// Fails with `expected` unless it holds.
pub(crate) fn expect(holds: bool, expected: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::new(expected)) }
}

/// Fails with `expected` unless `got` is what was `wanted`.
pub(crate) fn expect_equal(wanted: u64, got: u64, expected: &'static str) -> Result<(), Fault> {
    if wanted == got { Ok(()) } else { Err(Fault { expected, numbers: Some((wanted, got)) }) }
}

/// Fails with `expected` unless `got` is `least` or more.
pub(crate) fn expect_at_least(least: u64, got: u64, expected: &'static str) -> Result<(), Fault> {
    if got >= least { Ok(()) } else { Err(Fault { expected, numbers: Some((least, got)) }) }
}

/// Fails with `expected` unless `got` is `most` or less.
pub(crate) fn expect_at_most(most: u64, got: u64, expected: &'static str) -> Result<(), Fault> {
    if got <= most { Ok(()) } else { Err(Fault { expected, numbers: Some((most, got)) }) }
}

/// Takes the outcome of each case as it comes.
pub trait Report {
    /// The case of this name ended so.
    fn case(&mut self, name: &'static str, outcome: Result<(), Fault>);
}

impl<F: FnMut(&'static str, Result<(), Fault>)> Report for F {
    fn case(&mut self, name: &'static str, outcome: Result<(), Fault>) {
        self(name, outcome);
    }
}

/// Counts the cases and writes a line for each, by whatever means the platform has to write one.
#[derive(Debug)]
pub struct Tally<W> {
    write: W,
    passed: u32,
    failed: u32,
}

impl<W: FnMut(fmt::Arguments<'_>)> Tally<W> {
    /// A tally of nothing yet.
    pub fn new(write: W) -> Self {
        Tally { write, passed: 0, failed: 0 }
    }

    /// Writes `N passed, N failed`, and says whether every case passed and there was at least one.
    pub fn finish(&mut self) -> bool {
        (self.write)(format_args!("{} passed, {} failed", self.passed, self.failed));
        self.failed == 0 && self.passed > 0
    }
}

impl<W: FnMut(fmt::Arguments<'_>)> Report for Tally<W> {
    fn case(&mut self, name: &'static str, outcome: Result<(), Fault>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                (self.write)(format_args!("ok      {name}"));
            }
            Err(fault) => {
                self.failed += 1;
                (self.write)(format_args!("FAILED  {name}: {fault}"));
            }
        }
    }
}
