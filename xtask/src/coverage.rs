//! `cargo xtask coverage`: how many lines of `crates/` are run by their own tests, and by those of the simulator and of MQTT, which
//! run links. All native tests run more; to build and run all of them again would take ten minutes.

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::process::Run;
use crate::table::Table;
use crate::workspace::Workspace;

/// The least share of lines that the tests have to run, in percent.
const BOUND: f64 = 90.0;

/// Where the packages stand whose tests are run: the layers, and what runs all of them by itself. The other runtimes' tests, and
/// those of the broker, run three more lines of 15,500, and take a minute to build.
const FOLDERS: &[&str] = &["crates/", "runtimes/sim/", "connectors/mqtt/"];

/// Lines of one file, and how many of them ran.
#[derive(Debug, PartialEq)]
struct Covered {
    file: String,
    lines: u64,
    ran: u64,
}

pub fn measure(workspace: &Workspace) -> Result<(), Failure> {
    let report = workspace.built("coverage.json");
    let mut run = Run::cargo(["llvm-cov", "--json", "--summary-only", "--output-path"]).args([&report]);
    run = run.args(workspace.packages_below(FOLDERS).flat_map(|package| ["-p", &package.name]));
    // The lines are those that the compiler counts, and none of a debugger.
    run = run.env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_PROFILE_TEST_DEBUG", "none");
    // With what its tests of kept records need.
    run = run.args(["--features", "anabranch/redb,anabranch/sim-runtime"]);
    // What only compiles runs no line of ours.
    run = run.args(["--", "--skip", "wrong_use_is_told"]);
    run.through(&workspace.root)?;
    let files = covered(&read(&report)?, &workspace.root);
    let mut table = Table::new(["file", "lines", "ran", "%"]);
    for Covered { file, lines, ran } in &files {
        table.row([file.clone(), lines.to_string(), ran.to_string(), format!("{:.1}", share(*ran, *lines))]);
    }
    let (lines, ran) = files.iter().fold((0, 0), |(lines, ran), file| (lines + file.lines, ran + file.ran));
    print!("{table}");
    println!("{ran} of {lines} lines of crates/ ran: {:.1} %, and the bound is {BOUND} %", share(ran, lines));
    if share(ran, lines) < BOUND {
        return Err(Failure::new("too few lines of crates/ are tested: add tests where the table is lowest"));
    }
    Ok(())
}

fn read(report: &Path) -> Result<Value, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(format!(
            "{} is no coverage report ({error}): run `cargo llvm-cov clean --workspace`",
            report.display()
        ))
    };
    let text = std::fs::read_to_string(report).map_err(|error| unreadable(&error))?;
    serde_json::from_str(&text).map_err(|error| unreadable(&error))
}

/// The files of crates/ that the product consists of, the lowest share first.
fn covered(report: &Value, root: &Path) -> Vec<Covered> {
    let files = report["data"][0]["files"].as_array().into_iter().flatten();
    let mut covered: Vec<Covered> = files
        .filter_map(|file| {
            let path = Path::new(file["filename"].as_str()?).strip_prefix(root).ok()?;
            let path = path.to_string_lossy().replace('\\', "/");
            let lines = &file["summary"]["lines"];
            let is_product = path.starts_with("crates/") && path.contains("/src/");
            is_product.then_some(Covered {
                file: path,
                lines: lines["count"].as_u64()?,
                ran: lines["covered"].as_u64()?,
            })
        })
        .collect();
    covered.sort_by(|a, b| share(a.ran, a.lines).total_cmp(&share(b.ran, b.lines)));
    covered
}

/// In percent; nothing at all is no share, so that a run which measured nothing does not pass.
fn share(ran: u64, lines: u64) -> f64 {
    if lines == 0 { 0.0 } else { 100.0 * ran as f64 / lines as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sources_of_crates_count_and_the_lowest_come_first() {
        let file = |name: &str, count: u64, covered: u64| serde_json::json!({ "filename": name, "summary": { "lines": { "count": count, "covered": covered } } });
        let report = serde_json::json!({ "data": [{ "files": [
            file("/w/crates/core/src/lib.rs", 10, 9),
            file("/w/crates/core/src/record.rs", 10, 5),
            file("/w/crates/core/tests/loom.rs", 10, 0),
            file("/w/runtimes/sim/src/lib.rs", 10, 0),
        ] }] });
        let covered = covered(&report, Path::new("/w"));
        let names: Vec<&str> = covered.iter().map(|file| file.file.as_str()).collect();
        assert_eq!(names, ["crates/core/src/record.rs", "crates/core/src/lib.rs"]);
    }

    #[test]
    fn a_run_that_measured_nothing_is_below_any_bound() {
        assert!(share(0, 0) < BOUND);
        assert!((share(9, 10) - 90.0).abs() < f64::EPSILON);
    }
}
