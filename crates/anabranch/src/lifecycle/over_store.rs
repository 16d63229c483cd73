//! The lifecycle of a [`Store`], which threads share: each step where blocking work belongs.

use super::in_steps;
use crate::{Duration, JoinError, Runtime, RuntimeContext, SpawnBlocking};
use anabranch_store::{Maintained, Store, StoreError};
use core::convert::Infallible;

/// Why a store is not maintained any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaintainError {
    /// The store could not: the disk is full, say. What was done before stays done.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step panicked; the panic hook printed where and why.
    #[error("a step of the store's lifecycle panicked; please report it with what the panic hook printed")]
    Panicked(#[from] JoinError),
}

/// Keeps the tiers of a store in order: looks `every` so often whether there is something to move or to drop, and if there is
/// goes on, step by step, until there is not.
///
/// What is moved, and when, say the store's [`Options::lifecycle`](anabranch_store::Options) and each namespace's
/// [`Retention`](anabranch_store::Retention). Each step, [`Store::maintain`], goes to where blocking work belongs, so no async
/// thread waits for the disk; between two steps others have their turn. Dropping the future loses nothing.
///
/// # Errors
/// [`MaintainError`]. Supervised as the service `Maintain`, it is started again then.
#[cfg_attr(feature = "sim-runtime", doc = "```")]
#[cfg_attr(not(feature = "sim-runtime"), doc = "```ignore")]
/// use anabranch::{Duration, RuntimeContext, SpawnDynamically, TimeSource, lifecycle::maintain, sim::Sim};
/// use anabranch::store::{Lifecycle, Memory, Options, Store, Timestamp};
///
/// let mut sim = Sim::new(1);
/// let (adapter, wall) = (sim.adapter(), sim.adapter());
/// let clock = move || Timestamp::from_nanos(wall.unix_time().map_or(0, |time| time.as_nanos() as i64));
/// let lifecycle = Lifecycle { cold_after: Duration::from_secs(60), ..Lifecycle::default() };
/// let store = Store::open(Memory::new(), Options::new(clock).lifecycle(lifecycle))?;
/// for reading in 0..100 {
///     store.put("plant", "boiler", reading)?;
/// }
/// let ctx = RuntimeContext::new(adapter.clone(), "maintain");
/// drop(adapter.spawn(maintain(ctx, store.clone(), Duration::from_secs(10))));
/// sim.run_for(Duration::from_secs(120))?;
/// assert_eq!(store.stats()?.cold.versions, 99);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(
    all(feature = "macros", feature = "services"),
    anabranch_macros::service(restart = "on-failure", backoff = "1s", max_backoff = "5min", crate = crate)
)]
pub async fn maintain<R: Runtime + SpawnBlocking>(
    ctx: RuntimeContext<R>,
    store: Store,
    every: Duration,
) -> Result<(), MaintainError> {
    match go_on(&ctx, &store, every, || ()).await? {}
}

/// A step that is on its way to where it is made: it may be dropped before it gets there, and then, too, leaves the store first.
struct Step<W> {
    store: Store,
    _working: W,
}

impl<W> Step<W> {
    fn make(self) -> Result<Maintained, StoreError> {
        self.store.maintain(self.store.now())
    }
}

/// The same; what `working` gives is dropped after a step's hold on the store.
async fn go_on<R: Runtime + SpawnBlocking, W: Send + 'static>(
    ctx: &RuntimeContext<R>,
    store: &Store,
    every: Duration,
    working: impl Fn() -> W,
) -> Result<Infallible, MaintainError> {
    let step = || {
        let step = Step { store: store.clone(), _working: working() };
        let step = ctx.spawn_blocking(move || step.make());
        async move { Ok(step.await??) }
    };
    in_steps(ctx, every, step).await
}

/// The same as a service of a database, over a store that is known when it starts. Once it has been stopped no step is under
/// way any more: nothing of it holds the store then.
#[cfg(feature = "services")]
pub(crate) fn over<R>(
    store: impl Fn(&R) -> Result<Store, StoreError> + Send + Sync + 'static,
    every: Duration,
) -> crate::ServiceSpec<R>
where
    R: Runtime + crate::SpawnDynamically + SpawnBlocking + Send + Sync,
{
    crate::ServiceDraft::new("maintain", &SUPERVISED).starts(move |_, ctx: RuntimeContext<R>, supervisor| {
        let store = store(ctx.runtime());
        Ok(supervised(ctx, supervisor, store, every))
    })
}

#[cfg(feature = "services")]
static SUPERVISED: crate::ServiceConfig = crate::ServiceConfig {
    restart: crate::RestartPolicy::OnFailure,
    backoff: Duration::from_secs(1),
    max_backoff: Duration::from_secs(300),
    ..crate::ServiceConfig::DEFAULT
};

#[cfg(feature = "services")]
async fn supervised<R>(
    ctx: RuntimeContext<R>,
    mut supervisor: crate::Supervisor<crate::Stop>,
    store: Result<Store, StoreError>,
    every: Duration,
) -> crate::ServiceEnd
where
    R: Runtime + SpawnBlocking,
{
    use crate::{Moment, Next};
    // It closes when no step is under way any more.
    let (steps, mut under_way) = crate::channel::<()>(1).ok().unzip();
    let end = loop {
        let healthy_from = ctx.now().after(SUPERVISED.max_backoff);
        let working = || steps.as_ref().map(crate::Producer::lend);
        let maintaining = async { go_on(&ctx, store.as_ref().map_err(Clone::clone)?, every, working).await.map(drop) };
        let end = supervisor.run(maintaining).await;
        match supervisor.after(end, ctx.now() >= healthy_from) {
            Next::Restart(pause) => supervisor.pause(ctx.sleep(pause)).await,
            Next::End(end) => break end,
        }
    };
    drop(steps);
    if let Some(under_way) = &mut under_way {
        while under_way.next().await.is_some() {}
    }
    end
}
