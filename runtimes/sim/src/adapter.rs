//! The adapter: the runtime contract, kept by a simulation.

use crate::{
    SimJoinHandle,
    network::HostId,
    random::nanos,
    scheduler::{Core, NEVER},
    task::Outcome,
    timers::TimerKey,
};
use anabranch_executor::{
    JoinError, MaybeSend, Moment, RuntimeAdapter, SpawnBlocking, SpawnDynamically, SpawnError, SpawnStatically,
    StaticSlot, TimeSource,
};
use std::{
    any::type_name,
    fmt::Display,
    future::Future,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// The runtime contract in a simulation; [`Sim::adapter`](crate::Sim::adapter) gives it.
///
/// It can be used inside tasks and outside; what is spawned outside runs as soon as the simulation does. After its
/// [`Sim`](crate::Sim) is gone nothing runs any more: a task that is spawned then is dropped at once, and its handle
/// gives [`JoinError::Aborted`].
///
/// All of it belongs to the one thread that runs the simulation. Using it from another is memory safe, but then the
/// seed no longer decides what happens.
#[derive(Debug, Clone)]
pub struct SimAdapter {
    pub(crate) core: Arc<Core>,
    pub(crate) host: HostId,
}

impl SimAdapter {
    /// Spawns a task that has a name of its own in traces and in [`SimError`](crate::SimError)s. A task without one
    /// is called by the type of its future, which names the function that made it.
    #[track_caller]
    pub fn spawn_named<F>(&self, name: &'static str, future: F) -> SimJoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_at(name, Location::caller(), future)
    }

    /// Writes a line of your own into the trace, so that it can be compared and read there.
    pub fn note(&self, text: impl Display) {
        self.core.note(&text.to_string());
    }

    /// A random number by the seed. It is drawn from a stream of its own: to draw more of them, or fewer, does not
    /// change the order in which tasks are picked.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.core.random()
    }

    /// A random number by the seed, from 0 to `bound - 1` (and 0 when `bound` is 0).
    #[must_use]
    pub fn random_below(&self, bound: u64) -> u64 {
        self.core.random_below(bound)
    }

    fn spawn_at<F>(&self, name: &'static str, at: &'static Location<'static>, future: F) -> SimJoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let outcome = Outcome::new();
        let done = outcome.clone();
        let future = Box::pin(async move {
            // `future` is gone, and all that it held, before anybody hears of its value.
            let value = future.await;
            done.set(Ok(value));
        });
        let task = self.core.start(name, at, None, future, Some(outcome.clone()));
        SimJoinHandle { outcome, task }
    }
}

impl RuntimeAdapter for SimAdapter {
    fn runtime_name(&self) -> &'static str {
        "sim"
    }
}

/// A moment of virtual time, counted in nanoseconds since the simulation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimInstant(u64);

impl SimInstant {
    /// The virtual time since the simulation began.
    #[must_use]
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl Moment for SimInstant {
    fn after(self, duration: Duration) -> Self {
        SimInstant(self.0.saturating_add(nanos(duration)))
    }

    fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A sleep in virtual time. Dropping it takes its timer back.
///
/// A deadline at the end of the clock's range, such as that of `sleep(Duration::MAX)`, never comes: no timer is set
/// for it, so a task that waits for nothing else is found as a deadlock.
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct SimSleep {
    core: Arc<Core>,
    deadline: u64,
    timer: Option<TimerKey>,
}

impl Future for SimSleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline <= self.core.now() {
            return Poll::Ready(());
        }
        match self.timer {
            Some(timer) => self.core.rewake_timer(timer, cx.waker().clone()),
            None if self.deadline == NEVER => {}
            None => self.timer = Some(self.core.set_timer(self.deadline, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        // One that was due has gone already.
        if let Some(timer) = self.timer
            && timer.deadline() > self.core.now()
        {
            self.core.take_timer_back(timer);
        }
    }
}

impl TimeSource for SimAdapter {
    type Instant = SimInstant;
    type Sleep = SimSleep;

    fn now(&self) -> SimInstant {
        SimInstant(self.core.now())
    }

    fn sleep_until(&self, deadline: SimInstant) -> SimSleep {
        SimSleep { core: self.core.clone(), deadline: deadline.0, timer: None }
    }

    fn unix_time(&self) -> Option<Duration> {
        self.core.unix_time()
    }
}

impl SpawnDynamically for SimAdapter {
    type JoinHandle<T: MaybeSend + 'static> = SimJoinHandle<T>;

    #[track_caller]
    fn spawn<F>(&self, future: F) -> SimJoinHandle<F::Output>
    where
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static,
    {
        self.spawn_at(type_name::<F>(), Location::caller(), future)
    }
}

impl SpawnStatically for SimAdapter {
    /// Nothing: tasks are on the heap here, and the slot's address alone tells it from others. So one static slot
    /// serves any number of simulations, one after the other or side by side.
    type Storage<F: Future<Output = ()> + MaybeSend + 'static> = ();

    #[track_caller]
    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        slot: &'static StaticSlot<WORDS>,
        make: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + MaybeSend + 'static,
    {
        /// Frees the slot when no task came to live in it.
        struct Taken<'a>(&'a Core, usize);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                self.0.free_slot(self.1);
            }
        }

        let slot = std::ptr::from_ref(slot).addr();
        if !self.core.take_slot(slot) {
            return Err(SpawnError::Busy);
        }
        let taken = Taken(&self.core, slot);
        let future = Box::pin(make());
        std::mem::forget(taken);
        self.core.start(type_name::<F>(), Location::caller(), Some(slot), future, None);
        Ok(())
    }
}

impl SpawnBlocking for SimAdapter {
    /// Runs the work as a task of its own, all at once, after a seeded virtual time. Where it waits for something
    /// that another task must do, it stalls the simulation: there is one thread.
    #[track_caller]
    fn spawn_blocking<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + MaybeSend + 'static
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let sleep = self.sleep(self.core.blocking_time());
        self.spawn_at(type_name::<W>(), Location::caller(), async move {
            sleep.await;
            work()
        })
    }
}
