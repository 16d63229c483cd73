//! `cargo xtask sizes`: flash and RAM of what is linked, each case beyond the one that it builds on, held to a budget.
//!
//! ```text
//!  cases.rs ──▶ cargo build ──▶ elf.rs ──▶ the difference ──▶ budget.rs ──▶ the table ──▶ target/sizes.json
//!                                                                               └──▶ readme.rs
//! ```

mod budget;
mod cases;
mod elf;
mod readme;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::process::Run;
use crate::table::{Table, grouped};
use crate::toolchain;
use crate::workspace::{THUMBV7EM, Workspace};
pub use cases::PROGRAMS;

use budget::{Budget, Verdict};
use cases::{CASES, Case};
use elf::Program;

/// What `--accept` says for every case.
const ALL: &str = "all";

/// The bytes of a program, or of what it takes beyond another.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Size {
    /// Code, constants and the initial values of statics.
    pub flash: u64,
    /// Statics, whether they have an initial value or begin as zero.
    pub ram: u64,
}

/// A case, built and compared with the one that it builds on.
struct Measured {
    case: Case,
    size: Size,
    /// Its static services with their bytes, where they are shown.
    tasks: Vec<(String, u64)>,
    /// What none of them may have.
    has_heap: bool,
}

/// One line of the table and one object of the JSON.
#[derive(Debug, PartialEq)]
struct Row {
    title: String,
    size: Size,
    budget: Option<Size>,
    bound: Option<Size>,
    holds: bool,
}

/// What is asked for beside the table.
pub struct Asked<'a> {
    /// The cases whose size shall be their budget, and why.
    pub accepted: Vec<&'a str>,
    pub because: &'a str,
    pub write_readme: bool,
}

pub fn measure(workspace: &Workspace, asked: &Asked<'_>) -> Result<(), Failure> {
    let root = &workspace.root;
    check_names(&asked.accepted)?;
    let mut budget = Budget::read(root)?;
    let (measured, mut faults) = build_and_compare(workspace, CASES);
    if !asked.accepted.is_empty() {
        let accepted = |name| asked.accepted.iter().any(|accepted| [name, ALL].contains(accepted));
        for Measured { case, size, .. } in measured.iter().filter(|measured| accepted(measured.case.name)) {
            budget.accept(case.name, *size, asked.because, CASES);
        }
        budget.write(root)?;
    }
    let complete = faults.is_empty();
    let rows: Vec<Row> = measured.iter().flat_map(|measured| rows(measured, &budget)).collect();
    let printed = table(&rows).to_string();
    print!("{printed}");
    let report = root.join("target/sizes.json");
    write(&report, &rows).map_err(|error| Failure::new(format!("{}: {error}; make it writable", report.display())))?;
    println!("{}", report.display());

    for Measured { case, size, has_heap, .. } in &measured {
        match budget.judge(case.name, *size) {
            Verdict::Fits => {}
            Verdict::Shrunk(told) => println!("{told}"),
            Verdict::Broken(told) => faults.push(told),
        }
        if *has_heap {
            faults.push(format!(
                "`{}` links an allocator: `cargo tree -e features` shows who asks for `alloc`",
                case.name
            ));
        }
        if !case.bound.is_none_or(|bound| size.within(bound)) {
            faults.push(format!("`{}` is beyond its bound: `cargo bloat` shows what takes the room", case.title()));
        }
    }
    faults.extend(budget.strangers(CASES));
    // A README is not right or wrong by cases that do not build.
    if complete {
        // An accepted budget stands in the table, too.
        match asked.write_readme || !asked.accepted.is_empty() {
            true => readme::write(root, &printed)?,
            false => faults.extend(readme::compare(root, &printed).err().map(|fault| fault.to_string())),
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("\nxtask: "))) }
}

/// The bounded size as a row of a benchmark: the larger of flash and RAM, since each has to hold.
pub fn beyond_an_empty_program(workspace: &Workspace) -> Result<Value, Failure> {
    let with_a_bound = CASES.iter().filter(|case| case.bound.is_some() && case.folder == PROGRAMS);
    let needed = with_a_bound.flat_map(|case| [case.beyond, Some(case.name)]).flatten();
    let needed: Vec<Case> = needed.filter_map(|name| CASES.iter().find(|case| case.name == name)).copied().collect();
    let (measured, faults) = build_and_compare(workspace, &needed);
    let bounded = measured.iter().find_map(|measured| Some((measured, measured.case.bound?)));
    let Some((Measured { case, size, .. }, bound)) = bounded else {
        return Err(Failure::new(faults.join("\nxtask: ")));
    };
    let Size { flash, ram } = *size;
    Ok(json!({
        "case": format!("flash ({flash}) and RAM ({ram}) of {}", case.title()), "unit": "bytes",
        "ours": flash.max(ram), "peers": {}, "ratio": null, "bound": bound.to_json(), "holds": size.within(bound),
    }))
}

fn check_names(accepted: &[&str]) -> Result<(), Failure> {
    let unknown = accepted.iter().find(|name| **name != ALL && CASES.iter().all(|case| case.name != **name));
    unknown.map_or(Ok(()), |name| {
        let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        Err(Failure::new(format!("there is no case `{name}` to accept: choose from {}, or {ALL}", names.join(", "))))
    })
}

/// What can be measured, and why the rest cannot.
fn build_and_compare(workspace: &Workspace, cases: &[Case]) -> (Vec<Measured>, Vec<String>) {
    let mut built: Vec<(&str, Program)> = Vec::new();
    let mut measured = Vec::new();
    let mut faults = Vec::new();
    let paths = paths_as_everywhere();
    for case in cases {
        let program = match build(workspace, case, &paths) {
            Ok(program) => program,
            Err(failure) => {
                faults.push(failure.to_string());
                continue;
            }
        };
        let before = case.beyond.map(|name| built.iter().find(|(built, _)| *built == name));
        let size = match before {
            None => Some(program.size),
            Some(before) => before.map(|(_, before)| program.size.beyond(before.size)),
        };
        let tasks = if case.shows_tasks { program.tasks.clone() } else { Vec::new() };
        if case.shows_tasks && tasks.is_empty() {
            faults.push(format!("no static task is seen in `{}`: see TASK_SLOT in xtask/src/sizes/elf.rs", case.name));
        }
        // What it builds on does not build: that was said.
        measured.extend(size.map(|size| Measured { case: *case, size, tasks, has_heap: program.has_heap }));
        built.push((case.name, program));
    }
    (measured, faults)
}

fn build(workspace: &Workspace, case: &Case, paths: &str) -> Result<Program, Failure> {
    let package = workspace.package_in(case.folder)?;
    let program = package.program()?;
    let build = Run::cargo(["build", "--quiet", "--profile", "firmware", "--target", THUMBV7EM, "-p", &package.name])
        .args(["--features", case.features, "--config", paths]);
    build.through(&workspace.root)?;
    let elf = workspace.built(format!("{THUMBV7EM}/firmware/{program}"));
    let bytes = std::fs::read(&elf)
        .map_err(|error| Failure::new(format!("{}: {error}; `{build}` should have made it", elf.display())))?;
    elf::read(&bytes)
        .map_err(|fault| Failure::new(format!("{} builds no 32-bit ELF ({fault}): see its target", case.folder)))
}

/// Where a crate lies on this machine stands in what a panic says, and so in flash: the same bytes for every machine. The standard library
/// lies somewhere where its sources are installed, too.
fn paths_as_everywhere() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
    let mut flags = vec![format!("--remap-path-prefix={}=registry", home.join("registry/src").display())];
    if let Some((sources, written)) = toolchain::standard_library() {
        flags.push(format!("--remap-path-prefix={sources}={written}"));
    }
    format!("target.{THUMBV7EM}.rustflags={flags:?}")
}

/// The row of a case, and under it those of its static services.
fn rows(Measured { case, size, tasks, has_heap }: &Measured, budget: &Budget) -> Vec<Row> {
    let within_bound = case.bound.is_none_or(|bound| size.within(bound));
    let of_case = Row {
        title: case.title(),
        size: *size,
        budget: budget.of(case.name),
        bound: case.bound,
        holds: within_bound && !has_heap && !matches!(budget.judge(case.name, *size), Verdict::Broken(_)),
    };
    let of_task = |(service, ram): &(String, u64)| Row {
        title: format!("  the task of {service}"),
        size: Size { flash: 0, ram: *ram },
        budget: None,
        bound: None,
        holds: true,
    };
    std::iter::once(of_case).chain(tasks.iter().map(of_task)).collect()
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new([THUMBV7EM, "flash", "budget", "ram", "budget", "bound", "holds"]);
    let dot = || "·".to_owned();
    for Row { title, size, budget, bound, holds } in rows {
        table.row([
            title.clone(),
            grouped(size.flash),
            budget.map_or_else(dot, |budget| grouped(budget.flash)),
            grouped(size.ram),
            budget.map_or_else(dot, |budget| grouped(budget.ram)),
            bound.map_or_else(dot, Size::as_bound),
            if *holds { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}

fn write(report: &Path, rows: &[Row]) -> std::io::Result<()> {
    let json = Value::Array(rows.iter().map(Row::to_json).collect());
    std::fs::create_dir_all(report.parent().unwrap_or(report))?;
    std::fs::write(report, format!("{json:#}\n"))
}

impl Size {
    fn of_section(bytes: u64, in_flash: bool, in_ram: bool) -> Self {
        Self { flash: if in_flash { bytes } else { 0 }, ram: if in_ram { bytes } else { 0 } }
    }

    fn beyond(self, before: Self) -> Self {
        Self { flash: self.flash.saturating_sub(before.flash), ram: self.ram.saturating_sub(before.ram) }
    }

    /// Flash and RAM are two memories; each has to stay within the bound.
    fn within(self, bound: Self) -> bool {
        self.flash <= bound.flash && self.ram <= bound.ram
    }

    /// As a bound: one number where flash and RAM have the same.
    fn as_bound(self) -> String {
        match self.flash == self.ram {
            true => grouped(self.flash),
            false => format!("{} / {}", grouped(self.flash), grouped(self.ram)),
        }
    }

    fn to_json(self) -> Value {
        if self.flash == self.ram { json!(self.flash) } else { json!({ "flash": self.flash, "ram": self.ram }) }
    }
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.flash += other.flash;
        self.ram += other.ram;
    }
}

impl Row {
    fn to_json(&self) -> Value {
        json!({
            "target": THUMBV7EM, "case": self.title.trim(), "flash": self.size.flash, "ram": self.size.ram,
            "bytes": null, "gzip": null, "bound": self.bound.map(Size::to_json), "holds": self.holds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(size: Size) -> Measured {
        let bounded = CASES.iter().find(|case| case.bound.is_some()).unwrap();
        let bound = Some(Size { flash: 100, ram: 100 });
        Measured {
            case: Case { bound, ..*bounded },
            size,
            tasks: vec![("app::Smooth".to_owned(), 40)],
            has_heap: false,
        }
    }

    fn budget(size: Size) -> Budget {
        let mut budget = Budget::default();
        budget.accept(measured(size).case.name, size, "as measured", CASES);
        budget
    }

    #[test]
    fn a_row_holds_when_its_bound_and_its_budget_do() {
        let holds = |is, budgeted| rows(&measured(is), &budget(budgeted))[0].holds;
        let size = |flash, ram| Size { flash, ram };
        assert!(holds(size(100, 100), size(100, 100)));
        assert!(!holds(size(101, 0), size(101, 0)) && !holds(size(0, 101), size(0, 101)), "the bound");
        assert!(!holds(size(90, 90), size(80, 90)) && !holds(size(90, 90), size(90, 80)), "the budget");
        assert!(holds(size(70, 70), size(80, 80)));
        let with_heap = Measured { has_heap: true, ..measured(size(70, 70)) };
        assert!(!rows(&with_heap, &budget(size(80, 80)))[0].holds, "the heap");
    }

    #[test]
    fn the_json_has_the_keys_that_every_table_of_sizes_has() {
        let rows = rows(&measured(Size { flash: 90, ram: 80 }), &budget(Size { flash: 90, ram: 80 }));
        let json: Vec<Value> = rows.iter().map(Row::to_json).collect();
        assert_eq!(
            json[0],
            json!({
                "target": "thumbv7em-none-eabihf", "case": "records and services, beyond bare executor", "flash": 90,
                "ram": 80, "bytes": null, "gzip": null, "bound": 100, "holds": true,
            })
        );
        assert_eq!((&json[1]["case"], &json[1]["ram"]), (&json!("the task of app::Smooth"), &json!(40)));
        assert_eq!(Size { flash: 2, ram: 1 }.to_json(), json!({ "flash": 2, "ram": 1 }));
    }

    #[test]
    fn a_case_is_what_it_adds() {
        let before = Size { flash: 1_000, ram: 80 };
        assert_eq!(Size { flash: 1_100, ram: 90 }.beyond(before), Size { flash: 100, ram: 10 });
    }

    #[test]
    fn only_a_case_that_there_is_can_be_accepted() {
        assert!(check_names(&["ring", ALL]).is_ok());
        assert!(check_names(&["rnig"]).unwrap_err().to_string().contains("choose from bare executor, ring"));
    }
}
