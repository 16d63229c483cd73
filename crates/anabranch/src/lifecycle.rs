//! The service that keeps a store's tiers in order: on any runtime, in small steps, off the async threads.

use crate::{Duration, JoinError, Runtime, RuntimeContext, RuntimeExt, SpawnBlocking};
use anabranch_store::{Store, StoreError};

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
    let mut rounds = ctx.interval(every);
    loop {
        loop {
            let store = store.clone();
            let step = ctx.spawn_blocking(move || store.maintain(store.now())).await??;
            if !step.more {
                break;
            }
            ctx.yield_now().await;
        }
        rounds.skip_missed();
        rounds.tick().await;
    }
}
