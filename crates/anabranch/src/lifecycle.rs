//! The service that keeps a store's tiers in order: on any runtime, in small steps, off the async threads where there are any.
//!
//! ```text
//!   in_steps   the loop: step after step while there is more to do, and then a pause     any runtime, no `std`
//!      └─ maintain   over a `Store`, each step where blocking work belongs               with `std`
//!            └─ WithStore::with_lifecycle   over a database's own store
//! ```
//!
//! Old versions go into compressed segments only with the feature `cold`, which every runtime but `wasm-runtime` brings.

use crate::{Duration, Runtime, RuntimeContext, RuntimeExt};
use anabranch_store::Maintained;
use core::{convert::Infallible, future::Future};

#[cfg(feature = "std")]
mod over_store;
#[cfg(feature = "std")]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub use over_store::*;

/// Makes `step` after step while there is more to do, then looks again `every` so often; between two steps others have their
/// turn. Dropping the future loses nothing.
///
/// With `std`, [`maintain`](fn@maintain) is this over a `Store`. Without it, where one task after another has its turn, it goes
/// over the engine itself:
///
/// ```
/// use anabranch::{Duration, Runtime, RuntimeContext, TimeSource, lifecycle::in_steps};
/// use anabranch::store::{Engine, Lifecycle, Memory, StoreError, Timestamp};
/// use core::{cell::RefCell, convert::Infallible, future::ready};
///
/// async fn maintain_engine<R: Runtime>(
///     ctx: RuntimeContext<R>,
///     engine: &RefCell<Engine<Memory>>,
///     lifecycle: Lifecycle,
/// ) -> Result<Infallible, StoreError> {
///     let now = || Timestamp::from_nanos(ctx.runtime().unix_time().map_or(0, |time| time.as_nanos() as i64));
///     in_steps(&ctx, Duration::from_secs(60), || ready(engine.borrow_mut().maintain(now(), &lifecycle))).await
/// }
/// ```
///
/// # Errors
/// The first error of a step. Whoever calls this again goes on where it ended.
pub async fn in_steps<R, S, E>(
    ctx: &RuntimeContext<R>,
    every: Duration,
    mut step: impl FnMut() -> S,
) -> Result<Infallible, E>
where
    R: Runtime,
    S: Future<Output = Result<Maintained, E>>,
{
    let mut rounds = ctx.interval(every);
    loop {
        let is_done = !step().await?.more;
        // Also where the next round is due already, since this one took longer than the pause.
        ctx.yield_now().await;
        if is_done {
            rounds.skip_missed();
            rounds.tick().await;
        }
    }
}
