//! What a simulation is like: when it starts, where it stops, and what goes wrong in it.

use crate::{NetworkFaults, Sim, random::Chance};
use std::time::Duration;

/// What a simulation is like. The default is a perfect machine: nothing is late and nothing fails, only the order of
/// ready tasks is up to the seed.
///
/// ```
/// use anabranch_sim::{Faults, SimOptions};
/// use std::time::Duration;
///
/// let options = SimOptions::default().time_limit(Duration::from_secs(3600)).faults(Faults::harsh());
/// let mut sim = options.build(7);
/// assert_eq!(sim.block_on(async { 6 * 7 }), Ok(42));
/// ```
#[derive(Debug, Clone)]
pub struct SimOptions {
    pub(crate) unix_time: Option<Duration>,
    pub(crate) faults: Faults,
    pub(crate) network: NetworkFaults,
    pub(crate) step_limit: u64,
    pub(crate) time_limit: Duration,
    pub(crate) blocking: Duration,
    pub(crate) record: bool,
    pub(crate) panics_expected: bool,
    pub(crate) twice_every: u64,
}

impl Default for SimOptions {
    fn default() -> Self {
        SimOptions {
            // 2026-01-01T00:00:00Z
            unix_time: Some(Duration::from_secs(1_767_225_600)),
            faults: Faults::default(),
            network: NetworkFaults::none(),
            step_limit: 10_000_000,
            time_limit: Duration::MAX,
            blocking: Duration::from_millis(1),
            record: false,
            panics_expected: false,
            twice_every: 1,
        }
    }
}

impl SimOptions {
    /// The wall clock at the start, as the time since 1970 in UTC; at first it is the first moment of 2026. `None` is
    /// a platform that does not know the date, until [`Sim::set_unix_time`] tells it.
    #[must_use]
    pub fn unix_time(self, at_start: impl Into<Option<Duration>>) -> Self {
        SimOptions { unix_time: at_start.into(), ..self }
    }

    /// Of so many seeds one is run twice, to see whether it does the same; at first each is. Many seeds take half the time then,
    /// and what is not deterministic hardly ever is so under one seed alone. 0 is taken for 1.
    #[must_use]
    pub fn twice_every(self, seeds: u64) -> Self {
        SimOptions { twice_every: seeds.max(1), ..self }
    }

    /// What goes wrong; at first nothing.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        SimOptions { faults, ..self }
    }

    /// What the network is like at the start; at first a perfect one. [`SimNetwork`](crate::SimNetwork) changes it at any time.
    #[must_use]
    pub fn network(self, faults: NetworkFaults) -> Self {
        SimOptions { network: faults, ..self }
    }

    /// After how many steps [`SimError::StepLimit`](crate::SimError::StepLimit) ends the run; at first 10,000,000.
    /// A loop inside one poll takes no step, and so is not found.
    #[must_use]
    pub fn step_limit(self, steps: u64) -> Self {
        SimOptions { step_limit: steps, ..self }
    }

    /// Beyond which virtual time since the start [`SimError::TimeLimit`](crate::SimError::TimeLimit) ends the run; at
    /// first there is no limit.
    #[must_use]
    pub fn time_limit(self, since_start: Duration) -> Self {
        SimOptions { time_limit: since_start, ..self }
    }

    /// How long blocking work takes at most: each piece takes a seeded virtual time up to this; at first 1 ms.
    #[must_use]
    pub fn blocking(self, longest: Duration) -> Self {
        SimOptions { blocking: longest, ..self }
    }

    /// Keeps the trace as text also; without it there is its hash alone.
    #[must_use]
    pub fn record(self) -> Self {
        SimOptions { record: true, ..self }
    }

    /// Tells [`check`](Self::check) that tasks panic in this scenario by intention. Without it a task that panicked
    /// fails the seed, so that an assertion in a task whose handle nobody awaits is not overlooked.
    #[must_use]
    pub fn panics_expected(self) -> Self {
        SimOptions { panics_expected: true, ..self }
    }

    /// A simulation of this kind.
    #[must_use]
    pub fn build(&self, seed: u64) -> Sim {
        Sim::build(seed, self)
    }
}

/// What goes wrong in a simulation, when the seed says so. Probabilities are from 0 (never, the default) to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// The probability that a timer is late.
    pub late_timer: f64,
    /// By how much it is late at most.
    pub late_by: Duration,
    /// The probability, at each poll, that the task is held up first, as when the system runs another thread.
    pub stall: f64,
    /// For how long it is held up at most.
    pub stall_for: Duration,
    /// The probability, at each poll, that another waiting task is polled though nobody woke it. No runtime does so
    /// to a task, but `select!`, `join!` and their kin do to the futures inside it.
    pub needless_poll: f64,
    /// The probability, at each poll of a spawned task, that it is aborted instead. Its handle gives
    /// [`JoinError::Aborted`](anabranch_executor::JoinError::Aborted).
    pub abort: f64,
}

impl Faults {
    /// A bad day that correct code gets through: timers are late, tasks are held up, polls are needless. Nothing is
    /// aborted.
    #[must_use]
    pub fn harsh() -> Self {
        Faults {
            late_timer: 0.1,
            late_by: Duration::from_millis(20),
            stall: 0.02,
            stall_for: Duration::from_millis(50),
            needless_poll: 0.05,
            abort: 0.0,
        }
    }
}

/// The faults as the scheduler asks for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultChances {
    pub(crate) late_timer: Chance,
    pub(crate) late_by: Duration,
    pub(crate) stall: Chance,
    pub(crate) stall_for: Duration,
    pub(crate) needless_poll: Chance,
    pub(crate) abort: Chance,
}

impl From<Faults> for FaultChances {
    fn from(faults: Faults) -> Self {
        // What happens at every poll would leave no poll that does its work: these stay below one.
        let at_each_poll = |probability: f64| Chance::new(probability.min(0.9));
        FaultChances {
            late_timer: Chance::new(faults.late_timer),
            late_by: faults.late_by,
            stall: at_each_poll(faults.stall),
            stall_for: faults.stall_for,
            needless_poll: at_each_poll(faults.needless_poll),
            abort: Chance::new(faults.abort),
        }
    }
}
