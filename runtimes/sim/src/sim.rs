//! The simulation as its owner holds it: run it, look at it, and when it is dropped everything in it is.

use crate::{
    SimAdapter, SimError, SimOptions, TaskLabel, Trace,
    network::HostId,
    scheduler::{Core, Until, end_of},
};
use std::{
    future::Future,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

/// One simulated world: tasks, a clock, and a seed that decides all that is left open.
///
/// Dropping it drops every task in it.
///
/// ```
/// use anabranch_executor::{SpawnDynamically, TimeSource};
/// use anabranch_sim::Sim;
/// use std::time::Duration;
///
/// let mut sim = Sim::new(17);
/// let adapter = sim.adapter();
/// let answer = adapter.spawn({
///     let adapter = adapter.clone();
///     async move {
///         adapter.sleep(Duration::from_secs(86_400)).await;
///         42
///     }
/// });
/// assert_eq!(sim.block_on(answer), Ok(Ok(42)));
/// ```
#[derive(Debug)]
pub struct Sim {
    core: Arc<Core>,
    static_adapter: OnceLock<&'static SimAdapter>,
}

/// How often something happened in a simulation, and what is there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Decisions of the scheduler: a poll, or what a fault put in its place.
    pub steps: u64,
    /// Tasks that were spawned, the futures of `block_on` included.
    pub spawned: u64,
    /// Tasks that ended by themselves.
    pub ended: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks that were aborted.
    pub aborted: u64,
    /// Tasks that are there now.
    pub alive: u64,
    /// Timers that are set now, and packets that are under way.
    pub timers: u64,
}

impl Sim {
    /// A simulation of a perfect machine, ordered by `seed`. For others see [`SimOptions`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        SimOptions::default().build(seed)
    }

    pub(crate) fn build(seed: u64, options: &SimOptions) -> Self {
        Sim { core: Core::new(seed, options), static_adapter: OnceLock::new() }
    }

    /// The adapter: what the code under test runs on.
    #[must_use]
    pub fn adapter(&self) -> SimAdapter {
        SimAdapter { core: self.core.clone(), host: HostId::default() }
    }

    /// The adapter for [`spawn_static`](anabranch_executor::SpawnStatically::spawn_static), which asks for one that
    /// lives for ever. It is leaked: some hundred bytes for each simulation that asks.
    #[must_use]
    pub fn static_adapter(&self) -> &'static SimAdapter {
        self.static_adapter.get_or_init(|| Box::leak(Box::new(self.adapter())))
    }

    /// Runs `future` to its end, among the tasks and like one of them, and gives its value. Tasks that have not ended
    /// then stay, and go on in the next run.
    ///
    /// # Errors
    /// [`SimError`] when it cannot end, or not within the limits.
    ///
    /// # Panics
    /// With the panic of `future`. Panics of spawned tasks arrive at their handles instead.
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> Result<F::Output, SimError> {
        let main = self.core.enter_main();
        let mut value = None;
        let run = self.core.run(Until::End(main), Some(pin!(async { value = Some(future.await) })));
        run.inspect_err(|_| self.core.leave_main(main))?;
        Ok(value.expect("a run until the end of a future ends when that future has given its value"))
    }

    /// Runs until every task has ended.
    ///
    /// # Errors
    /// [`SimError::Deadlock`] when some wait for ever, and the limits. Where tasks may wait for ever,
    /// [`run_until_idle`](Self::run_until_idle).
    pub fn run(&mut self) -> Result<(), SimError> {
        self.run_until_idle()?;
        match self.core.alive() {
            waiting if waiting.is_empty() => Ok(()),
            waiting => Err(SimError::Deadlock { after: Duration::from_nanos(self.core.now()), waiting }),
        }
    }

    /// Runs until nothing is ready and no timer is set. Tasks that wait for something else are left waiting.
    ///
    /// # Errors
    /// [`SimError::TimeLimit`] and [`SimError::StepLimit`].
    pub fn run_until_idle(&mut self) -> Result<(), SimError> {
        self.core.run(Until::Idle, None)
    }

    /// Runs for so much virtual time, and stops when all that is due by then is done.
    ///
    /// # Errors
    /// [`SimError::StepLimit`], and [`SimError::TimeLimit`] when that comes first.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), SimError> {
        self.core.run(Until::Time(end_of(self.core.now(), duration)), None)
    }

    /// Sets the wall clock, forward or back; virtual time goes on as it was.
    pub fn set_unix_time(&mut self, since_1970: Duration) {
        self.core.set_unix_time(since_1970);
    }

    /// How many decisions the scheduler has taken.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.counts().steps
    }

    /// What has happened so far, counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.core.counts()
    }

    /// What has happened so far, to compare with another run of the same seed.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.core.trace()
    }

    /// The tasks that have not ended, in the order of spawning.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskLabel> {
        self.core.alive()
    }

    pub(crate) fn first_panic(&self) -> Option<(TaskLabel, String)> {
        self.core.first_panic()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.core.shut_down();
    }
}
