//! Counting tests: from the lines that test programs end with.

use std::ops::AddAssign;

/// How many tests passed, failed and were left out.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
}

impl Tally {
    /// The sum of all `test result: …` lines (what `cargo test` prints for each test program) and all lines that are
    /// exactly `N passed, N failed` (what our own runs in QEMU, Node and simulation end with).
    pub fn of(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines().map(str::trim) {
            if let Some(tally) = Self::of_libtest(line).or_else(|| Self::of_plain(line)) {
                sum += tally;
            }
        }
        sum
    }

    pub fn is_empty(&self) -> bool {
        self.passed + self.failed == 0
    }

    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
    fn of_libtest(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = counts.split("; ");
        Some(Self {
            passed: number(counts.next()?, "passed")?,
            failed: number(counts.next()?, "failed")?,
            ignored: number(counts.next()?, "ignored")?,
        })
    }

    /// `3 passed, 0 failed`
    fn of_plain(line: &str) -> Option<Self> {
        let (passed, failed) = line.split_once(", ")?;
        Some(Self { passed: number(passed, "passed")?, failed: number(failed, "failed")?, ignored: 0 })
    }
}

fn number(words: &str, unit: &str) -> Option<u64> {
    words.strip_suffix(unit)?.trim_end().parse().ok()
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_program_of_a_run_is_counted() {
        let output = "\
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests anabranch
test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";
        assert_eq!(Tally::of(output), Tally { passed: 6, failed: 3, ignored: 1 });
    }

    #[test]
    fn our_own_last_line_is_counted_and_reads_back() {
        let tally = Tally { passed: 24, failed: 1, ignored: 0 };
        assert_eq!(Tally::of(&format!("mps2-an385\r\n{tally}\r\n")), tally);
    }

    #[test]
    fn prose_that_speaks_of_tests_counts_nothing() {
        for line in ["all passed, none failed", "3 passed, 0 failed in seed 7", "test result: ok", "passed, failed", ""]
        {
            assert!(Tally::of(line).is_empty(), "{line}");
        }
    }
}
