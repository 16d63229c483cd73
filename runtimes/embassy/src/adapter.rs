//! The adapter: an Embassy spawner that keeps the runtime contract.

#[cfg(feature = "net")]
use crate::network::{Net, Sockets};
use crate::{Instant, Sleep, TaggedTask, slot, wall_clock::WallClock};
use anabranch_executor::{
    Duration, JoinError, RuntimeAdapter, SpawnBlocking, SpawnError, SpawnStatically, StaticSlot, TimeSource,
};
use core::{fmt, future::Future};
use embassy_executor::Spawner;

/// One wall clock for the board, whichever copy of the adapter is asked.
static WALL_CLOCK: WallClock = WallClock::new();

/// Embassy as a runtime: starts services on the executor that `spawner` belongs to.
#[derive(Clone, Copy)]
pub struct EmbassyAdapter {
    spawner: Spawner,
    #[cfg(feature = "net")]
    network: Option<Net>,
}

impl EmbassyAdapter {
    /// The adapter for the executor that gave `spawner`.
    #[must_use]
    pub fn new(spawner: Spawner) -> Self {
        EmbassyAdapter {
            spawner,
            #[cfg(feature = "net")]
            network: None,
        }
    }

    /// The same, with a network: its connections go over `stack`, through `sockets`, which it fills. The stack's
    /// `StackResources` need a place for each of them, beside those that the stack has for itself (DHCP and DNS: one each).
    ///
    /// Sockets serve one adapter and its copies: another one that is given the same has none.
    #[cfg(feature = "net")]
    #[must_use]
    pub fn with_network<const N: usize, const RX: usize, const TX: usize>(
        self,
        stack: embassy_net::Stack<'static>,
        sockets: &'static Sockets<N, RX, TX>,
    ) -> Self {
        EmbassyAdapter { network: Some(Net::new(stack, sockets)), ..self }
    }

    #[cfg(feature = "net")]
    pub(crate) fn network(&self) -> Option<Net> {
        self.network
    }

    /// Embassy's own spawner, for tasks that are no services (drivers, network stacks).
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.spawner
    }

    /// Tells the board the wall clock: now is `unix`, as the time since 1970-01-01T00:00:00 UTC. Call it again whenever
    /// a better time is known; the monotonic clock and its timers do not move.
    pub fn set_unix_time(&self, unix: Duration) {
        WALL_CLOCK.set(unix, Instant::now());
    }

    /// As [`set_unix_time`](Self::set_unix_time), for a moment that has passed.
    #[cfg(feature = "sntp")]
    pub(crate) fn set_unix_time_at(&self, unix: Duration, at: Instant) {
        WALL_CLOCK.set(unix, at);
    }
}

impl fmt::Debug for EmbassyAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbassyAdapter")
    }
}

impl RuntimeAdapter for EmbassyAdapter {
    fn runtime_name(&self) -> &'static str {
        "embassy"
    }
}

impl TimeSource for EmbassyAdapter {
    type Instant = Instant;
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep::until(deadline)
    }

    fn unix_time(&self) -> Option<Duration> {
        WALL_CLOCK.at(Instant::now())
    }
}

impl SpawnStatically for EmbassyAdapter {
    type Storage<F: Future<Output = ()> + 'static> = TaggedTask<F>;

    fn spawn_static<F, const WORDS: usize>(
        &'static self,
        slot: &'static StaticSlot<WORDS>,
        make: impl FnOnce() -> F,
    ) -> Result<(), SpawnError>
    where
        F: Future<Output = ()> + 'static,
    {
        self.spawner.spawn(slot::prepare(slot, make)?);
        Ok(())
    }
}

impl SpawnBlocking for EmbassyAdapter {
    /// Runs `work` inline at the first poll: there is no other thread, so everything waits while it runs.
    #[expect(clippy::manual_async_fn, reason = "the future of an `async fn` would borrow the adapter")]
    fn spawn_blocking<T, W>(&self, work: W) -> impl Future<Output = Result<T, JoinError>> + 'static
    where
        W: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        async move { Ok(work()) }
    }
}
