//! Which step runs when: the tests one after the other, and beside them, with what they leave of the processors, what only
//! builds and checks.
//!
//! ```text
//!  in order   native ──▶ qemu ──▶ node ──▶ …          ──▶ what is left of those beside
//!  beside     loom ──▶ simulator ──▶ lints ──▶ … ────────▶ what is left of those beside
//!             └─ at the lowest priority ─────┘   └─ as urgent as any ─┘
//! ```
//!
//! Tests wait for brokers, boards and browsers a third of their time. Two builds in one target directory would wait for one
//! another, and one of the lowest priority would then hold up the tests: no two steps with the same directory run at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// Where a step runs, as `steps.rs` has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lane {
    /// With the others of its kind, one after the other in the order of the table: it may hold a clock. All of them build in the
    /// target directory.
    InOrder,
    /// Beside those. It holds no clock, and builds in a folder of the target directory that is its own, or that it shares with
    /// others which are to wait for it; nothing waits for one that builds [`NOTHING`].
    Beside(&'static str),
}

/// The folder of a step that builds nothing.
pub const NOTHING: &str = "";

/// How urgent a step is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Priority {
    Normal,
    /// It gets what of the processors nobody else wants.
    Lowest,
}

/// One of those that take steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Worker {
    /// Takes whatever comes next in the table.
    Alone,
    /// Takes those in order, and then any.
    InOrder,
    /// Takes those beside.
    Beside,
}

/// What a worker is to do.
#[derive(Debug, PartialEq)]
enum Next {
    Run(usize, Priority),
    /// What is left has to wait for one that runs.
    Wait,
    /// Nothing is left for it.
    Stop,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Waiting,
    Running,
    Ended,
}

/// How far each step is.
#[derive(Debug)]
struct Plan {
    steps: Vec<(Lane, State)>,
}

impl Plan {
    fn new(lanes: &[Lane]) -> Self {
        Self { steps: lanes.iter().map(|&lane| (lane, State::Waiting)).collect() }
    }

    /// Takes the next step for this worker.
    fn take(&mut self, worker: Worker) -> Next {
        let tests = self.steps.iter().any(|&(lane, state)| lane == Lane::InOrder && state != State::Ended);
        let wants = |lane| match worker {
            Worker::Alone => true,
            Worker::InOrder => (lane == Lane::InOrder) == tests,
            Worker::Beside => lane != Lane::InOrder,
        };
        let mut waiting = (0..self.steps.len()).filter(|&step| self.steps[step].1 == State::Waiting);
        let Some(step) = waiting.clone().find(|&step| wants(self.steps[step].0) && self.may_begin(step)) else {
            return if waiting.any(|step| wants(self.steps[step].0)) { Next::Wait } else { Next::Stop };
        };
        self.steps[step].1 = State::Running;
        match worker == Worker::Beside && tests {
            true => Next::Run(step, Priority::Lowest),
            false => Next::Run(step, Priority::Normal),
        }
    }

    /// Whether nothing that runs builds where this would.
    fn may_begin(&self, step: usize) -> bool {
        let lane = self.steps[step].0;
        let mut running = self.steps.iter().filter(|(_, state)| *state == State::Running);
        lane == Lane::Beside(NOTHING) || running.all(|(its, _)| *its != lane)
    }

    fn end(&mut self, step: usize) {
        self.steps[step].1 = State::Ended;
    }

    fn running(&self) -> Vec<usize> {
        (0..self.steps.len()).filter(|&step| self.steps[step].1 == State::Running).collect()
    }
}

/// What runs the steps.
pub trait Performs: Sync {
    type Report: Send;

    /// A step begins: these are those that run now, in the order of the table. No other begins or ends meanwhile.
    fn begins(&self, running: &[usize]);

    fn perform(&self, step: usize, priority: Priority) -> Self::Report;
}

/// Runs all steps with these workers, and gives the reports in the order of the steps.
pub fn run<P: Performs>(lanes: &[Lane], workers: &[Worker], performs: &P) -> Vec<P::Report> {
    let plan = Mutex::new(Plan::new(lanes));
    let one_ended = Condvar::new();
    let work = |worker| {
        let mut reports = Vec::new();
        let mut held = plan.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match held.take(worker) {
                Next::Run(step, priority) => {
                    performs.begins(&held.running());
                    drop(held);
                    let ending = Ending { plan: &plan, one_ended: &one_ended, step };
                    reports.push((step, performs.perform(step, priority)));
                    drop(ending);
                    held = plan.lock().unwrap_or_else(PoisonError::into_inner);
                }
                Next::Wait => held = one_ended.wait(held).unwrap_or_else(PoisonError::into_inner),
                Next::Stop => return reports,
            }
        }
    };
    let mut reports: Vec<(usize, P::Report)> = std::thread::scope(|scope| {
        let working: Vec<_> = workers.iter().map(|&worker| scope.spawn(move || work(worker))).collect();
        let ended = working.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.flat_map(|ended| ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    reports.sort_by_key(|(step, _)| *step);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// Ends a step however it is left, so that a panic holds up nobody who waits for it.
struct Ending<'a> {
    plan: &'a Mutex<Plan>,
    one_ended: &'a Condvar,
    step: usize,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).end(self.step);
        self.one_ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Worker; 2] = [Worker::InOrder, Worker::Beside];
    const TABLE: [Lane; 9] = [
        Lane::InOrder,
        Lane::Beside("loom"),
        Lane::InOrder,
        Lane::Beside("checks"),
        Lane::Beside("checks"),
        Lane::Beside(NOTHING),
        Lane::Beside("bench"),
        Lane::InOrder,
        Lane::Beside("checks"),
    ];

    /// Plays the table with steps that take as long as `chance` has it, and gives what began: the step, its priority, and what ran
    /// beside it.
    fn played(lanes: &[Lane], workers: &[Worker], mut chance: u64) -> Vec<(usize, Priority, Vec<usize>)> {
        let mut plan = Plan::new(lanes);
        let mut began = Vec::new();
        let mut runs: Vec<Option<usize>> = vec![None; workers.len()];
        loop {
            for (&worker, runs) in workers.iter().zip(&mut runs).filter(|(_, runs)| runs.is_none()) {
                let beside = plan.running();
                if let Next::Run(step, priority) = plan.take(worker) {
                    began.push((step, priority, beside));
                    *runs = Some(step);
                }
            }
            let busy: Vec<usize> = (0..workers.len()).filter(|&worker| runs[worker].is_some()).collect();
            if busy.is_empty() {
                assert!(plan.steps.iter().all(|(_, state)| *state == State::Ended), "all wait: {plan:?}");
                return began;
            }
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let ends = busy[(chance >> 33) as usize % busy.len()];
            plan.end(runs[ends].take().unwrap());
        }
    }

    #[test]
    fn whatever_takes_longest_each_step_runs_once_and_none_where_another_builds() {
        for chance in 0..2_000 {
            let began = played(&TABLE, &BOTH, chance);
            let mut steps: Vec<usize> = began.iter().map(|(step, ..)| *step).collect();
            let in_order: Vec<usize> = steps.iter().copied().filter(|&step| TABLE[step] == Lane::InOrder).collect();
            assert_eq!(in_order, [0, 2, 7], "{chance}");
            for (step, _, beside) in &began {
                let alike = beside.iter().any(|&other| TABLE[other] == TABLE[*step]);
                assert!(!alike || TABLE[*step] == Lane::Beside(NOTHING), "{step} beside {beside:?}, {chance}");
            }
            steps.sort_unstable();
            assert_eq!(steps, [0, 1, 2, 3, 4, 5, 6, 7, 8], "{chance}");
        }
    }

    #[test]
    fn what_begins_beside_tests_gives_way_to_them_and_what_begins_later_does_not() {
        let (mut lowest, mut normal) = (0, 0);
        for chance in 0..2_000 {
            let mut tests_left = 3;
            let began = played(&TABLE, &BOTH, chance);
            for (at, (step, priority, _)) in began.iter().enumerate() {
                if TABLE[*step] == Lane::InOrder {
                    assert_eq!(*priority, Priority::Normal);
                    tests_left -= 1;
                } else if tests_left > 0 {
                    assert_eq!(*priority, Priority::Lowest, "{at} of {began:?}");
                    lowest += 1;
                } else if *priority == Priority::Normal {
                    normal += 1;
                }
            }
        }
        assert!(lowest > 0 && normal > 0, "{lowest} and {normal}");
    }

    #[test]
    fn when_the_tests_have_ended_both_take_what_is_left() {
        let mut plan = Plan::new(&[Lane::InOrder, Lane::Beside("a"), Lane::Beside("a"), Lane::Beside("b")]);
        assert_eq!(plan.take(Worker::InOrder), Next::Run(0, Priority::Normal));
        assert_eq!(plan.take(Worker::Beside), Next::Run(1, Priority::Lowest));
        plan.end(0);
        assert_eq!(plan.take(Worker::InOrder), Next::Run(3, Priority::Normal), "2 builds where 1 does");
        plan.end(3);
        assert_eq!(plan.take(Worker::InOrder), Next::Wait);
        plan.end(1);
        assert_eq!(plan.take(Worker::InOrder), Next::Run(2, Priority::Normal));
        assert_eq!(plan.take(Worker::Beside), Next::Stop);
    }

    #[test]
    fn alone_a_worker_takes_all_in_the_order_of_the_table_and_gives_way_to_nobody() {
        let began = played(&TABLE, &[Worker::Alone], 0);
        let all: Vec<_> = (0..TABLE.len()).map(|step| (step, Priority::Normal, Vec::new())).collect();
        assert_eq!(began, all);
    }

    /// Steps that end at once: those of `fail` report that they failed.
    struct Fakes {
        fail: &'static [usize],
        panic: Option<usize>,
        began: Mutex<Vec<usize>>,
    }

    impl Performs for Fakes {
        type Report = (usize, bool);

        fn begins(&self, running: &[usize]) {
            assert!((1..=2).contains(&running.len()));
        }

        fn perform(&self, step: usize, _: Priority) -> Self::Report {
            self.began.lock().unwrap().push(step);
            assert_ne!(self.panic, Some(step), "as it was told to");
            (step, self.fail.contains(&step))
        }
    }

    #[test]
    fn a_step_that_fails_stops_no_other_and_all_are_reported_in_the_order_of_the_table() {
        let fakes = Fakes { fail: &[0, 3], panic: None, began: Mutex::default() };
        for workers in [&BOTH[..], &[Worker::Alone]] {
            let reports = run(&TABLE, workers, &fakes);
            let expected: Vec<_> = (0..TABLE.len()).map(|step| (step, [0, 3].contains(&step))).collect();
            assert_eq!(reports, expected);
        }
    }

    #[test]
    fn a_step_that_panics_leaves_nobody_waiting() {
        let fakes = Fakes { fail: &[], panic: Some(3), began: Mutex::default() };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&TABLE, &BOTH, &fakes)));
        assert!(ended.is_err());
        let mut began = fakes.began.into_inner().unwrap();
        began.sort_unstable();
        assert_eq!(began.iter().filter(|&&step| step == 3).count(), 1);
        assert!([0, 2, 7, 4, 8].iter().all(|step| began.contains(step)), "{began:?}");
    }
}
