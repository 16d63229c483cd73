//! The budget: a file with the flash and RAM that each case may take, and why. Growth fails until the budget changes in
//! the same commit, so that it is seen, and its reason stands beside the figure.

use std::path::Path;

use serde_json::Value;

use super::{Size, cases::Case};
use crate::failure::Failure;
use crate::table::grouped;

/// Where it lies: beside the programs.
pub const FILE: &str = "tests/firmware-sizes/budget.json";

/// More or less than this share of a figure is a change; what is less is what compilers and neighbours do.
const PERCENT: u64 = 2;

/// A line of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub case: String,
    pub size: Size,
    pub because: String,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Budget(Vec<Line>);

/// What a measured size is beside its budget.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Fits,
    /// Less than budgeted: no fault, but the budget could hold it there. What to tell.
    Shrunk(String),
    /// More than budgeted, or not budgeted: a fault. What to tell.
    Broken(String),
}

impl Budget {
    pub fn read(root: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(root.join(FILE))
            .map_err(|error| Failure::new(format!("{FILE}: {error}; `git checkout {FILE}` brings it back")))?;
        Self::parse(&text).map_err(|fault| Failure::new(format!("{FILE}: {fault}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = "write a line for each case: { \"case\": …, \"flash\": …, \"ram\": …, \"because\": … }";
        let json: Value = serde_json::from_str(text).map_err(|error| format!("{error}; {wrong}"))?;
        let lines = json.as_array().ok_or_else(|| format!("it is no array; {wrong}"))?;
        let mut budget = Self::default();
        for line in lines {
            let line = Line::parse(line).ok_or_else(|| format!("`{line}` is no budget; {wrong}"))?;
            if line.because.trim().is_empty() {
                return Err(format!("`{}` has no reason; say in `because` why it takes what it takes", line.case));
            }
            if budget.of(&line.case).is_some() {
                return Err(format!("`{}` stands twice; take one of its lines out", line.case));
            }
            budget.0.push(line);
        }
        Ok(budget)
    }

    pub fn write(&self, root: &Path) -> Result<(), Failure> {
        std::fs::write(root.join(FILE), self.to_string())
            .map_err(|error| Failure::new(format!("{FILE}: {error}; make it writable")))
    }

    /// The budget of a case.
    pub fn of(&self, case: &str) -> Option<Size> {
        self.0.iter().find(|line| line.case == case).map(|line| line.size)
    }

    /// Judges what was measured of `case`.
    pub fn judge(&self, case: &str, is: Size) -> Verdict {
        let accept = format!("cargo xtask sizes --accept {} --because \"…\"", quoted(case));
        let Some(budget) = self.of(case) else {
            return Verdict::Broken(format!("`{case}` has no budget in {FILE}: give it one by `{accept}`"));
        };
        let memories = [("flash", is.flash, budget.flash), ("RAM", is.ram, budget.ram)];
        let told = |changed: fn(u64, u64) -> bool, how: &str| {
            let told = memories.iter().filter(|&&(_, is, budget)| changed(is, budget)).map(|&(memory, is, budget)| {
                let by = is.abs_diff(budget);
                let share = percent(by, budget);
                format!(
                    "{} bytes of {memory}, {} ({share}) {how} its budget of {}",
                    grouped(is),
                    grouped(by),
                    grouped(budget)
                )
            });
            told.collect::<Vec<String>>().join(" and ")
        };
        let (grown, shrunk) = (told(grew, "beyond"), told(shrank, "below"));
        if !grown.is_empty() {
            return Verdict::Broken(format!(
                "`{case}` takes {grown}: make it smaller (`cargo bloat` shows what takes the room), or say why it may: \
                 `{accept}`, in the same commit"
            ));
        }
        if !shrunk.is_empty() {
            return Verdict::Shrunk(format!("`{case}` takes {shrunk}. To keep what was won: `{accept}`"));
        }
        Verdict::Fits
    }

    /// Lines that budget what is not measured.
    pub fn strangers(&self, cases: &[Case]) -> Vec<String> {
        let strangers = self.0.iter().filter(|line| cases.iter().all(|case| case.name != line.case));
        let told = strangers.map(|line| {
            format!(
                "{FILE} has `{}`, which is no case: take its line out, or add it to xtask/src/sizes/cases.rs",
                line.case
            )
        });
        told.collect()
    }

    /// Takes a measured size as the budget of its case, in the order of `cases`.
    pub fn accept(&mut self, case: &str, size: Size, because: &str, cases: &[Case]) {
        self.0.retain(|line| line.case != case);
        self.0.push(Line { case: case.to_owned(), size, because: because.trim().to_owned() });
        self.0.sort_by_key(|line| cases.iter().position(|case| case.name == line.case));
    }
}

impl Line {
    fn parse(json: &Value) -> Option<Self> {
        let size = Size { flash: json["flash"].as_u64()?, ram: json["ram"].as_u64()? };
        Some(Self { case: json["case"].as_str()?.to_owned(), size, because: json["because"].as_str()?.to_owned() })
    }
}

/// A line for each case, so that a change of one is a line of a diff.
impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for (place, Line { case, size: Size { flash, ram }, because }) in self.0.iter().enumerate() {
            let (case, because) = (Value::from(case.as_str()), Value::from(because.as_str()));
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}\n  {{ \"case\": {case}, \"flash\": {flash}, \"ram\": {ram}, \"because\": {because} }}")?;
        }
        f.write_str("\n]\n")
    }
}

fn grew(is: u64, budget: u64) -> bool {
    is * 100 > budget * (100 + PERCENT)
}

fn shrank(is: u64, budget: u64) -> bool {
    is * 100 < budget * (100 - PERCENT)
}

/// With a digit behind the point: `2.4 %`.
fn percent(part: u64, whole: u64) -> String {
    let Some(tenths) = (part * 1_000).checked_div(whole) else { return "from nothing".to_owned() };
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// As a shell takes it.
fn quoted(case: &str) -> String {
    if case.contains(' ') { format!("'{case}'") } else { case.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::cases::CASES;

    fn budget(flash: u64, ram: u64) -> Budget {
        let mut budget = Budget::default();
        budget.accept("ring", Size { flash, ram }, "as measured", CASES);
        budget
    }

    fn broken(verdict: Verdict) -> String {
        match verdict {
            Verdict::Broken(told) => told,
            other => panic!("it is {other:?}"),
        }
    }

    #[test]
    fn two_percent_more_or_less_fit() {
        for (flash, ram) in [(1_000, 100), (1_020, 102), (980, 98)] {
            assert_eq!(budget(1_000, 100).judge("ring", Size { flash, ram }), Verdict::Fits);
        }
    }

    #[test]
    fn more_growth_is_broken_by_flash_or_by_ram_and_says_by_how_much_and_what_to_do() {
        let told = broken(budget(10_000, 100).judge("ring", Size { flash: 10_201, ram: 100 }));
        assert!(told.contains("10,201 bytes of flash, 201 (2.0 %) beyond its budget of 10,000"), "{told}");
        assert!(told.contains("cargo xtask sizes --accept ring --because") && !told.contains("RAM"), "{told}");
        let told = broken(budget(10_000, 100).judge("ring", Size { flash: 9_000, ram: 103 }));
        assert!(
            told.contains("103 bytes of RAM, 3 (3.0 %) beyond its budget of 100") && !told.contains("flash"),
            "{told}"
        );
        let told = broken(budget(10_000, 0).judge("ring", Size { flash: 11_000, ram: 4 }));
        assert!(told.contains("of flash, 1,000 (10.0 %)") && told.contains("of RAM, 4 (from nothing)"), "{told}");
    }

    #[test]
    fn less_is_told_and_no_fault() {
        let verdict = budget(10_000, 100).judge("ring", Size { flash: 9_799, ram: 100 });
        let Verdict::Shrunk(told) = verdict else { panic!("it is {verdict:?}") };
        assert!(told.contains("201 (2.0 %) below its budget") && told.contains("--accept ring"), "{told}");
    }

    #[test]
    fn a_case_without_a_budget_is_broken_and_a_budget_without_a_case_is_told() {
        let told = broken(Budget::default().judge("all four buffers", Size::default()));
        assert!(told.contains("no budget") && told.contains("--accept 'all four buffers' --because"), "{told}");
        assert_eq!(budget(1, 1).strangers(CASES), [""; 0]);
        let mut unheard = budget(1, 1);
        unheard.accept("unheard of", Size::default(), "x", CASES);
        assert!(unheard.strangers(CASES)[0].contains("`unheard of`, which is no case"));
    }

    #[test]
    fn what_is_written_is_read_again_in_the_order_of_the_cases() {
        let mut budget = budget(1, 2);
        budget.accept("bare executor", Size { flash: 3, ram: 4 }, " says \"so\" ", CASES);
        budget.accept("ring", Size { flash: 5, ram: 6 }, "more values", CASES);
        let text = budget.to_string();
        assert_eq!(
            text,
            "[\n  { \"case\": \"bare executor\", \"flash\": 3, \"ram\": 4, \"because\": \"says \\\"so\\\"\" },\n  \
             { \"case\": \"ring\", \"flash\": 5, \"ram\": 6, \"because\": \"more values\" }\n]\n"
        );
        assert_eq!(Budget::parse(&text), Ok(budget));
    }

    #[test]
    fn a_file_that_is_no_budget_says_what_to_write() {
        let line = |because| format!("{{ \"case\": \"ring\", \"flash\": 1, \"ram\": 2, \"because\": \"{because}\" }}");
        for (text, told) in [
            ("{".to_owned(), "write a line for each case"),
            ("{}".to_owned(), "it is no array"),
            ("[{ \"case\": \"ring\", \"flash\": -1 }]".to_owned(), "is no budget"),
            (format!("[{}]", line(" ")), "`ring` has no reason"),
            (format!("[{0}, {0}]", line("x")), "`ring` stands twice"),
        ] {
            let fault = Budget::parse(&text).unwrap_err();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
