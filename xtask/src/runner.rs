//! Runs steps one after the other: quiet while they pass, whole output where one fails, and one line at the end.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::process::{Ran, Run};
use crate::table::Table;
use crate::tally::Tally;
use crate::tools::{self, Tool};
use crate::workspace::Workspace;

/// One line of the tables in `steps.rs`.
#[derive(Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    /// What it shows, for `--list`.
    pub shows: &'static str,
    pub needs: &'static [Tool],
    pub counts: Counts,
    pub runs: fn(&Workspace) -> Result<Vec<Run>, Failure>,
}

/// Whether a step runs tests that are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Counts {
    /// It does: no test at all is then a failure.
    Tests,
    /// It checks something by succeeding.
    Nothing,
}

/// How a step went.
struct Report {
    name: &'static str,
    tally: Tally,
    took: Duration,
    fault: Option<String>,
}

/// Runs the chosen steps; the last line printed is `N passed, N failed`.
pub fn run(workspace: &Workspace, steps: &[Step], args: &clap::ArgMatches) -> Result<(), Failure> {
    let only: Vec<&str> = args.get_many::<String>("only").into_iter().flatten().map(String::as_str).collect();
    let chosen = choose(steps, &only)?;
    if args.get_flag("list") {
        list(workspace, &chosen);
        return Ok(());
    }
    let needs: Vec<Tool> = chosen.iter().flat_map(|step| step.needs).copied().collect();
    let missing = tools::ensure(&needs);
    let reports: Vec<Report> =
        chosen.iter().map(|step| perform(workspace, step, &missing, args.get_flag("verbose"))).collect();
    summarise(&reports)
}

fn choose(steps: &[Step], only: &[&str]) -> Result<Vec<Step>, Failure> {
    if let Some(unknown) = only.iter().find(|name| steps.iter().all(|step| step.name != **name)) {
        let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
        return Err(Failure::new(format!("there is no step `{unknown}`: choose from {}", names.join(", "))));
    }
    Ok(steps.iter().filter(|step| only.is_empty() || only.contains(&step.name)).copied().collect())
}

fn list(workspace: &Workspace, steps: &[Step]) {
    for step in steps {
        println!("{}: {}", step.name, step.shows);
        match (step.runs)(workspace) {
            Ok(runs) => runs.iter().for_each(|run| println!("    {run}")),
            Err(failure) => println!("    cannot run: {failure}"),
        }
    }
}

fn perform(workspace: &Workspace, step: &Step, missing: &[(Tool, String)], verbose: bool) -> Report {
    print!("{:<12} {} … ", step.name, step.shows);
    // Flushed so that the step's name stands there while it runs; a terminal that is gone is no reason to stop.
    let _ = std::io::stdout().flush();
    let began = Instant::now();
    let (output, fault) = match missing.iter().find(|(tool, _)| step.needs.contains(tool)) {
        Some((tool, way_out)) => (String::new(), Some(format!("{tool} is missing: {way_out}"))),
        None => match (step.runs)(workspace) {
            Ok(runs) => perform_runs(workspace, &runs, verbose),
            Err(failure) => (String::new(), Some(failure.to_string())),
        },
    };
    let report = judge(step, &output, fault, began.elapsed());
    match &report.fault {
        None => {
            println!("{report}");
            // A step that counts nothing shows at least its last word.
            let last = output.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with("$ "));
            if let Some(last) = last.filter(|_| step.counts == Counts::Nothing && !verbose) {
                println!("             └ {last}");
            }
        }
        Some(fault) => {
            println!("FAILED");
            if !verbose {
                print!("{output}");
            }
            println!("── {}: {fault}", step.name);
        }
    }
    report
}

/// Runs a step's commands until one fails.
fn perform_runs(workspace: &Workspace, runs: &[Run], verbose: bool) -> (String, Option<String>) {
    let mut printed = String::new();
    for run in runs {
        printed += &format!("$ {run}\n");
        if verbose {
            println!("\n$ {run}");
        }
        let Ran { output, fault } = run.captured(&workspace.root, verbose);
        printed += &output;
        if fault.is_some() {
            return (printed, fault);
        }
    }
    (printed, None)
}

/// A step that failed counts at least one failure, and a step of tests that ran none has failed.
fn judge(step: &Step, output: &str, fault: Option<String>, took: Duration) -> Report {
    let mut tally = match step.counts {
        Counts::Tests => Tally::of(output),
        Counts::Nothing => Tally::default(),
    };
    let fault = match fault {
        None if tally.failed > 0 => Some(format!("{} tests failed", tally.failed)),
        None if step.counts == Counts::Tests && tally.is_empty() => {
            Some("it ended well but no test ran: its output lacks the line `N passed, N failed`".to_owned())
        }
        fault => fault,
    };
    if fault.is_some() {
        tally.failed = tally.failed.max(1);
    }
    Report { name: step.name, tally, took, fault }
}

fn summarise(reports: &[Report]) -> Result<(), Failure> {
    let mut sum = Tally::default();
    let mut table = Table::new(["step", "passed", "failed", "left out", "seconds"]);
    for Report { name, tally, took, .. } in reports {
        sum += *tally;
        let counts = [tally.passed, tally.failed, tally.ignored].map(|count| match count {
            0 => "·".to_owned(),
            count => count.to_string(),
        });
        let [passed, failed, ignored] = counts;
        table.row([(*name).to_owned(), passed, failed, ignored, format!("{:.1}", took.as_secs_f64())]);
    }
    println!("\n{table}");
    println!("slowest: {}", slowest(reports));
    for Report { name, fault, .. } in reports {
        if let Some(fault) = fault {
            println!("failed:  {name}: {fault}");
        }
    }
    println!("{sum}");
    match sum.failed {
        0 => Ok(()),
        _ => Err(Failure::Shown),
    }
}

fn slowest(reports: &[Report]) -> String {
    let mut by_time: Vec<&Report> = reports.iter().collect();
    by_time.sort_by_key(|report| std::cmp::Reverse(report.took));
    let named = by_time.iter().take(3).map(|report| format!("{} {:.1} s", report.name, report.took.as_secs_f64()));
    named.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tally.is_empty() {
            true => write!(f, "ok ({:.1} s)", self.took.as_secs_f64()),
            false => write!(f, "{} passed ({:.1} s)", self.tally.passed, self.took.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step =
        Step { name: "step", shows: "a step", needs: &[], counts: Counts::Tests, runs: |_| Ok(Vec::new()) };

    fn judged(counts: Counts, output: &str, fault: Option<&str>) -> Report {
        judge(&Step { counts, ..STEP }, output, fault.map(str::to_owned), Duration::ZERO)
    }

    #[test]
    fn a_step_of_tests_that_ran_none_has_failed() {
        let report = judged(Counts::Tests, "nothing to see", None);
        assert!(report.fault.unwrap().contains("no test ran"));
        assert_eq!(report.tally.failed, 1);
    }

    #[test]
    fn a_step_that_does_not_build_counts_one_failure_beside_what_passed() {
        let output = "4 passed, 0 failed\nerror: could not compile";
        assert_eq!(
            judged(Counts::Tests, output, Some("exit code 101")).tally,
            Tally { passed: 4, failed: 1, ignored: 0 }
        );
    }

    #[test]
    fn failures_told_by_a_program_that_ends_well_are_failures() {
        assert!(judged(Counts::Tests, "4 passed, 2 failed", None).fault.is_some());
    }

    #[test]
    fn a_check_that_passes_counts_no_test() {
        let report = judged(Counts::Nothing, "4 passed, 0 failed", None);
        assert!(report.fault.is_none() && report.tally.is_empty());
    }

    #[test]
    fn the_sum_fails_when_a_step_does() {
        let good = || judged(Counts::Tests, "4 passed, 0 failed", None);
        assert!(summarise(&[good()]).is_ok());
        assert!(summarise(&[good(), judged(Counts::Nothing, "", Some("unformatted"))]).is_err());
    }

    #[test]
    fn an_unknown_step_is_named_beside_the_known_ones() {
        let told = choose(&[STEP], &["stepp"]).err().unwrap().to_string();
        assert_eq!(told, "there is no step `stepp`: choose from step");
        assert_eq!(choose(&[STEP], &["step"]).unwrap().len(), 1);
    }

    #[test]
    fn a_missing_tool_fails_its_step_with_the_way_out() {
        let workspace =
            Workspace { root: ".".into(), target: "target".into(), packages: Vec::new(), xtask: "xtask".into() };
        let step = Step { needs: &[tools::QEMU], ..STEP };
        let report = perform(&workspace, &step, &[(tools::QEMU, "type this".to_owned())], false);
        assert_eq!(report.fault.unwrap(), "qemu-system-arm is missing: type this");
        assert_eq!(report.tally.failed, 1);
    }
}
