//! What a scenario is handed: a runtime, and chance that a seed decides.

use anabranch::{Anabranch, BufferCfg, Builder, RecordConfig};
use anabranch::{Duration, Runtime, RuntimeExt, SpawnDynamically, TimeSource};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A runtime to play on, and the chance of this playing.
pub struct Scene<R> {
    /// Where services run.
    pub runtime: R,
    /// What is left to chance.
    pub chance: Chance,
    /// Longer than anything that goes well takes.
    pub grace: Duration,
}

impl<R: Runtime + SpawnDynamically> Scene<R> {
    /// A scene on `runtime`, in which `seed` decides.
    pub fn new(runtime: R, seed: u64, grace: Duration) -> Self {
        Scene { runtime, chance: Chance::new(seed), grace }
    }

    /// A database to configure.
    pub fn database(&self) -> Builder<R> {
        Anabranch::builder().runtime(self.runtime.clone())
    }
}

/// Numbers that a seed decides; clones draw from one stream.
#[derive(Debug, Clone)]
pub struct Chance(Arc<AtomicU64>);

impl Chance {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Chance(Arc::new(AtomicU64::new(seed)))
    }

    /// From 0 to `bound - 1`.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        // splitmix64
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// From `least` to `most`, as a size.
    #[must_use]
    pub fn size(&self, least: usize, most: usize) -> usize {
        least + self.below((most - least + 1) as u64) as usize
    }

    /// True once in `times`; never for 0.
    #[must_use]
    pub fn one_in(&self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }

    /// A time shorter than `longest`.
    #[must_use]
    pub fn shorter_than(&self, longest: Duration) -> Duration {
        Duration::from_nanos(self.below(u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// What work between two values is like: mostly none, sometimes another task's turn, sometimes a while.
    pub async fn dawdle<R: TimeSource>(&self, runtime: &R) {
        match self.below(8) {
            0 => runtime.sleep(self.shorter_than(Duration::from_millis(1))).await,
            1 | 2 => runtime.yield_now().await,
            _ => {}
        }
    }
}

/// A queue for [`Builder::configure`].
pub fn queue<R, T>(capacity: usize, consumers: usize) -> impl FnOnce(&mut RecordConfig<'_, R, T>)
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    with(BufferCfg::Queue { capacity, consumers })
}

/// A ring for [`Builder::configure`].
pub fn ring<R, T>(capacity: usize) -> impl FnOnce(&mut RecordConfig<'_, R, T>)
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    with(BufferCfg::SpmcRing { capacity })
}

/// Any buffer for [`Builder::configure`].
pub fn with<R, T>(buffer: BufferCfg) -> impl FnOnce(&mut RecordConfig<'_, R, T>)
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    move |record| {
        record.with_buffer(buffer);
    }
}
