//! A scenario under many seeds: each runs twice and must do the same both times; the one that fails is named.

use crate::{Sim, SimOptions, TaskLabel, Trace, scheduler::message};
use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

/// The environment variable that narrows every [`check`] to one seed.
pub const SEED_VARIABLE: &str = "ANABRANCH_SIM_SEED";

/// What a scenario says in the end. Errors of all kinds become one with `?`; assertions may be used as well.
pub type Verdict = Result<(), Box<dyn Error + Send + Sync>>;

/// Runs `scenario` under each seed, on a perfect machine; see [`SimOptions::check`].
///
/// ```
/// use anabranch_executor::RuntimeExt;
/// use std::time::Duration;
///
/// anabranch_sim::check(0..100, |sim| {
///     let adapter = sim.adapter();
///     let mut every = adapter.interval(Duration::from_secs(1));
///     let last = sim.block_on(async move {
///         for _ in 0..9 {
///             every.tick().await;
///         }
///         every.tick().await
///     })?;
///     assert_eq!(last.since_start(), Duration::from_secs(10));
///     Ok(())
/// });
/// ```
///
/// # Panics
/// When a seed fails; the message names it and says how to run it alone.
#[track_caller]
pub fn check(seeds: impl IntoIterator<Item = u64>, scenario: impl Fn(&mut Sim) -> Verdict) {
    SimOptions::default().check(seeds, scenario);
}

/// What [`SimOptions::explore`] went through when nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Explored {
    /// How many seeds there were.
    pub seeds: u64,
    /// How many different courses they took.
    pub courses: u64,
    /// How many steps, the second runs not counted.
    pub steps: u64,
}

/// A seed under which a scenario failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What went wrong.
    pub why: Why,
    /// The last lines of the trace before that.
    pub last: Vec<String>,
}

/// What went wrong under a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The scenario gave an error.
    Failed(String),
    /// The scenario panicked.
    Panicked(String),
    /// A task panicked, and the scenario did not say that one would.
    TaskPanicked(TaskLabel, String),
    /// The second run did not do the same as the first.
    NotDeterministic {
        /// The line of the trace where they part, from 1.
        line: usize,
        /// What that line is in the first run, and in the second.
        lines: (String, String),
    },
}

impl SimOptions {
    /// Runs `scenario` under each seed, twice each (but see [`twice_every`](Self::twice_every)), in a simulation of this kind. The
    /// two runs must have the same trace; one that differs uses something that the seed does not decide.
    ///
    /// With [`ANABRANCH_SIM_SEED`](SEED_VARIABLE) set to a number, that seed alone runs.
    ///
    /// # Panics
    /// When a seed fails: the scenario gives an error or panics, a task panics (unless
    /// [`panics_expected`](Self::panics_expected)), or the two runs differ. The message names the seed, shows the end
    /// of its trace and says how to run it alone.
    #[track_caller]
    pub fn check(&self, seeds: impl IntoIterator<Item = u64>, scenario: impl Fn(&mut Sim) -> Verdict) {
        let explored = match env::var(SEED_VARIABLE) {
            Err(_) => self.explore(seeds, scenario),
            Ok(seed) => match seed.parse() {
                Ok(seed) => self.explore([seed], scenario),
                Err(_) => panic!("{SEED_VARIABLE}={seed} is not a seed; set it to a number from 0 to 2^64 - 1"),
            },
        };
        if let Err(failure) = explored {
            panic!("{failure}");
        }
    }

    /// The same as [`check`](Self::check), but gives the failure back, and looks at no environment variable.
    ///
    /// # Errors
    /// The first seed that failed.
    pub fn explore(
        &self,
        seeds: impl IntoIterator<Item = u64>,
        scenario: impl Fn(&mut Sim) -> Verdict,
    ) -> Result<Explored, Failure> {
        let mut explored = Explored::default();
        let mut courses = BTreeSet::new();
        for seed in seeds {
            let first = self.run_once(seed, &scenario);
            let repeats = seed.is_multiple_of(self.twice_every);
            if first.why.is_some() || (repeats && first != self.run_once(seed, &scenario)) {
                return Err(self.failure(seed, first, &scenario));
            }
            courses.insert(first.trace.hash);
            explored.seeds += 1;
            explored.steps += first.steps;
        }
        explored.courses = courses.len() as u64;
        Ok(explored)
    }

    fn run_once(&self, seed: u64, scenario: &impl Fn(&mut Sim) -> Verdict) -> Run {
        let mut sim = self.build(seed);
        let verdict = catch_unwind(AssertUnwindSafe(|| scenario(&mut sim)));
        let why = match verdict {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Why::Failed(error.to_string())),
            Err(panic) => Some(Why::Panicked(message(&*panic).to_owned())),
        };
        let why = match sim.first_panic() {
            // It is the cause of what the scenario says, if that says anything.
            Some((task, message)) if !self.panics_expected => Some(Why::TaskPanicked(task, message)),
            _ => why,
        };
        Run { why, trace: sim.trace(), steps: sim.steps() }
    }

    /// Looks once more at a seed that failed, with the trace as text.
    fn failure(&self, seed: u64, first: Run, scenario: &impl Fn(&mut Sim) -> Verdict) -> Failure {
        const SHOWN: usize = 20;
        let recording = self.clone().record();
        let [one, other] = [(); 2].map(|()| recording.run_once(seed, scenario).trace.text.unwrap_or_default());
        let parts = one.lines().zip(other.lines()).position(|(one, other)| one != other);
        let (end, why) = match (parts, first.why) {
            (None, Some(why)) => (one.lines().count(), why),
            (parts, _) => {
                let place = parts.unwrap_or_else(|| one.lines().count().min(other.lines().count()));
                let line = |text: &str| text.lines().nth(place).unwrap_or("(the end)").to_owned();
                (place, Why::NotDeterministic { line: place + 1, lines: (line(&one), line(&other)) })
            }
        };
        let last = one.lines().take(end).skip(end.saturating_sub(SHOWN)).map(str::to_owned).collect();
        Failure { seed, why, last }
    }
}

/// What one run of a seed came to.
#[derive(PartialEq)]
struct Run {
    why: Option<Why>,
    trace: Trace,
    steps: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, why, last } = self;
        writeln!(f, "seed {seed}: {why}")?;
        writeln!(f, "the last of its trace:")?;
        last.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let name = thread::current().name().filter(|&name| name != "main").map_or_else(String::new, str::to_owned);
        write!(
            f,
            "to run this seed alone: `{SEED_VARIABLE}={seed} cargo test {name}`, \
             or the scenario in `Sim::new({seed})` (with other options: `.build({seed})`)"
        )
    }
}

impl Error for Failure {}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Failed(error) => write!(f, "the scenario failed: {error}"),
            Why::Panicked(message) => write!(f, "the scenario panicked: {message}"),
            Why::TaskPanicked(task, message) => write!(
                f,
                "{task} panicked: {message}\n(when that is as it should be, say so with `SimOptions::panics_expected`)"
            ),
            Why::NotDeterministic { line, lines: (first, second) } => write!(
                f,
                "not deterministic: two runs part in line {line} of the trace, `{first}` against `{second}`; take out \
                 what the seed does not decide (the order of a `HashMap`, real clocks and threads, addresses, globals)"
            ),
        }
    }
}
