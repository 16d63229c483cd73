//! Runs steps and says how they went: quiet while they pass, whole output where one fails, and one line at the end.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::lanes::{self, Lane, Performs, Priority, Worker};
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
    pub lane: Lane,
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
    lane: Lane,
    tally: Tally,
    took: Took,
    fault: Option<String>,
}

/// When a step ran, from when the first began, and how urgently.
#[derive(Debug, Clone, Copy)]
struct Took {
    began: Duration,
    ended: Duration,
    priority: Priority,
}

impl Took {
    fn seconds(self) -> f64 {
        self.ended.saturating_sub(self.began).as_secs_f64()
    }
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
    let began = Instant::now();
    let running = Running { workspace, steps: &chosen, missing: &missing, verbose: args.get_flag("verbose"), began };
    let lanes: Vec<Lane> = chosen.iter().map(|step| step.lane).collect();
    let reports = lanes::run(&lanes, running.workers(), &running);
    summarise(&reports, began.elapsed())
}

/// The chosen steps, while they run.
struct Running<'a> {
    workspace: &'a Workspace,
    steps: &'a [Step],
    missing: &'a [(Tool, String)],
    /// Whether all output is shown as it comes: nothing may run beside it then.
    verbose: bool,
    began: Instant,
}

impl Running<'_> {
    fn workers(&self) -> &'static [Worker] {
        match self.verbose || self.steps.len() == 1 {
            true => &[Worker::Alone],
            false => &[Worker::InOrder, Worker::Beside],
        }
    }
}

impl Performs for Running<'_> {
    type Report = Report;

    fn begins(&self, running: &[usize]) {
        let names: Vec<&str> = running.iter().map(|&step| self.steps[step].name).collect();
        println!("{:>6.0} s │ running: {}", self.began.elapsed().as_secs_f64(), names.join(", "));
    }

    fn perform(&self, step: usize, priority: Priority) -> Report {
        let (report, printed) = perform(self, &self.steps[step], priority);
        print!("{printed}");
        // Flushed so that it is seen while the next runs; a terminal that is gone is no reason to stop.
        let _ = std::io::stdout().flush();
        report
    }
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

/// Runs a step, and gives all that is to be printed of it, so that it stands together whatever runs beside it.
fn perform(running: &Running<'_>, step: &Step, priority: Priority) -> (Report, String) {
    let began = running.began.elapsed();
    let (output, fault) = match running.missing.iter().find(|(tool, _)| step.needs.contains(tool)) {
        Some((tool, way_out)) => (String::new(), Some(format!("{tool} is missing: {way_out}"))),
        None => match (step.runs)(running.workspace) {
            Ok(runs) => perform_runs(running, runs, priority),
            Err(failure) => (String::new(), Some(failure.to_string())),
        },
    };
    let took = Took { began, ended: running.began.elapsed(), priority };
    let report = judge(step, &output, fault, took);
    let mut printed = format!("{:<12} {} … ", step.name, step.shows);
    match &report.fault {
        None => {
            printed += &format!("{report}\n");
            // A step that counts nothing shows at least its last word.
            let last = output.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with("$ "));
            if let Some(last) = last.filter(|_| step.counts == Counts::Nothing && !running.verbose) {
                printed += &format!("             └ {last}\n");
            }
        }
        Some(fault) => {
            printed += "FAILED\n";
            if !running.verbose {
                printed += &output;
            }
            printed += &format!("── {}: {fault}\n", step.name);
        }
    }
    (report, printed)
}

/// Runs a step's commands until one fails.
fn perform_runs(running: &Running<'_>, runs: Vec<Run>, priority: Priority) -> (String, Option<String>) {
    let mut printed = String::new();
    for run in runs {
        printed += &format!("$ {run}\n");
        if running.verbose {
            println!("\n$ {run}");
        }
        let Ran { output, fault } = run.at(priority).captured(&running.workspace.root, running.verbose);
        printed += &output;
        if fault.is_some() {
            return (printed, fault);
        }
    }
    (printed, None)
}

/// A step that failed counts at least one failure, and a step of tests that ran none has failed.
fn judge(step: &Step, output: &str, fault: Option<String>, took: Took) -> Report {
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
    Report { name: step.name, lane: step.lane, tally, took, fault }
}

fn summarise(reports: &[Report], whole: Duration) -> Result<(), Failure> {
    let mut sum = Tally::default();
    let mut table = Table::new(["step", "lane", "passed", "failed", "left out", "began", "seconds"]);
    for Report { name, lane, tally, took, .. } in reports {
        sum += *tally;
        let counts = [tally.passed, tally.failed, tally.ignored].map(|count| match count {
            0 => "·".to_owned(),
            count => count.to_string(),
        });
        let [passed, failed, ignored] = counts;
        let began = format!("{:.0}", took.began.as_secs_f64());
        let lane = match (lane, took.priority) {
            (Lane::InOrder, _) => "in order",
            (Lane::Beside(_), Priority::Lowest) => "beside",
            (Lane::Beside(_), Priority::Normal) => "after",
        };
        table.row([
            (*name).to_owned(),
            lane.to_owned(),
            passed,
            failed,
            ignored,
            began,
            format!("{:.1}", took.seconds()),
        ]);
    }
    println!("\n{table}");
    println!("{}", what_took_long(reports, whole));
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

fn what_took_long(reports: &[Report], whole: Duration) -> String {
    let in_order = reports.iter().filter(|report| report.lane == Lane::InOrder);
    let in_order = in_order.map(|report| report.took.ended).max().unwrap_or_default();
    let mut by_time: Vec<&Report> = reports.iter().collect();
    by_time.sort_by(|a, b| b.took.seconds().total_cmp(&a.took.seconds()));
    let named = by_time.iter().take(3).map(|report| format!("{} {:.1} s", report.name, report.took.seconds()));
    let (whole, in_order) = (whole.as_secs_f64(), in_order.as_secs_f64());
    format!(
        "took {whole:.1} s, those in order {in_order:.1} s of it; slowest: {}",
        named.collect::<Vec<_>>().join(", ")
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tally.is_empty() {
            true => write!(f, "ok ({:.1} s)", self.took.seconds()),
            false => write!(f, "{} passed ({:.1} s)", self.tally.passed, self.took.seconds()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Step = Step {
        name: "step",
        shows: "a step",
        needs: &[],
        counts: Counts::Tests,
        lane: Lane::InOrder,
        runs: |_| Ok(Vec::new()),
    };
    const TOOK: Took =
        Took { began: Duration::from_secs(2), ended: Duration::from_secs(5), priority: Priority::Normal };

    fn performed(step: Step, missing: &[(Tool, String)]) -> (Report, String) {
        let workspace =
            Workspace { root: ".".into(), target: "target".into(), packages: Vec::new(), xtask: "xtask".into() };
        let running = Running { workspace: &workspace, steps: &[step], missing, verbose: false, began: Instant::now() };
        perform(&running, &step, Priority::Normal)
    }

    fn judged(counts: Counts, output: &str, fault: Option<&str>) -> Report {
        judge(&Step { counts, ..STEP }, output, fault.map(str::to_owned), TOOK)
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
        assert!(summarise(&[good()], TOOK.ended).is_ok());
        assert!(summarise(&[good(), judged(Counts::Nothing, "", Some("unformatted"))], TOOK.ended).is_err());
    }

    #[test]
    fn an_unknown_step_is_named_beside_the_known_ones() {
        let told = choose(&[STEP], &["stepp"]).err().unwrap().to_string();
        assert_eq!(told, "there is no step `stepp`: choose from step");
        assert_eq!(choose(&[STEP], &["step"]).unwrap().len(), 1);
    }

    #[test]
    fn a_missing_tool_fails_its_step_with_the_way_out() {
        let step = Step { needs: &[tools::QEMU], ..STEP };
        let (report, _) = performed(step, &[(tools::QEMU, "type this".to_owned())]);
        assert_eq!(report.fault.unwrap(), "qemu-system-arm is missing: type this");
        assert_eq!(report.tally.failed, 1);
    }

    #[test]
    fn what_is_printed_of_a_step_stands_together() {
        let fails = |_: &Workspace| Ok(vec![Run::new("sh", ["-c", "echo 3 passed, 1 failed; exit 4"])]);
        let (report, printed) = performed(Step { runs: fails, ..STEP }, &[]);
        assert_eq!(
            printed,
            "step         a step … FAILED\n$ sh -c 'echo 3 passed, 1 failed; exit 4'\n3 passed, 1 failed\n── step: exit code 4\n"
        );
        assert_eq!(report.tally, Tally { passed: 3, failed: 1, ignored: 0 });
    }

    #[test]
    fn the_time_of_the_whole_and_of_those_in_order_is_told() {
        let mut beside = judged(Counts::Nothing, "", None);
        beside.lane = Lane::Beside("checks");
        beside.took.ended = Duration::from_secs(9);
        let told = what_took_long(&[judged(Counts::Tests, "1 passed, 0 failed", None), beside], Duration::from_secs(9));
        assert_eq!(told, "took 9.0 s, those in order 5.0 s of it; slowest: step 7.0 s, step 3.0 s");
    }
}
