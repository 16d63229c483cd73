//! Records that are kept: each value is a version, what is derived says from what, and the past can be replayed.

mod causes;
mod keeping;
mod replaying;
mod trouble;

use anabranch::{
    SimAdapter, TokioAdapter,
    keep::{KeepStatus, clock},
    prelude::*,
    sim::Sim,
    store::{Memory, Options, Store, Timestamp, VersionedValue},
};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// What sensors send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    pub(crate) device: String,
    pub(crate) celsius: f64,
}

pub(crate) fn reading(device: &str, celsius: f64) -> Reading {
    Reading { device: device.into(), celsius }
}

/// A store in memory, by a runtime's clock.
pub(crate) fn in_memory<R: Runtime + Send + Sync>(runtime: &R) -> Store {
    Store::open(Memory::new(), Options::new(clock(runtime))).expect("memory can be opened")
}

/// All versions of a key, the oldest first.
pub(crate) fn versions(store: &Store, namespace: &str, key: &str) -> Vec<VersionedValue> {
    let mut all = Vec::new();
    let mut until = Timestamp::LATEST;
    loop {
        let page = store.history(namespace, key, ..until, 100).expect("the key is there");
        all.extend(page.items);
        let Some(next) = page.next else { break };
        until = next;
    }
    all.reverse();
    all
}

/// All values of a key, the oldest first.
pub(crate) fn values<T: for<'v> Deserialize<'v>>(store: &Store, namespace: &str, key: &str) -> Vec<T> {
    let value = |version: VersionedValue| version.value.deserialize_into().expect("it was kept from that type");
    versions(store, namespace, key).into_iter().map(value).collect()
}

/// How the one kept record of that name is doing.
pub(crate) fn status<R>(db: &Anabranch<R>, record: &str) -> KeepStatus
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    db.keeps().into_iter().find(|keep| keep.record == record).expect("it is kept")
}

/// Plays it under several seeds.
pub(crate) fn simulated<F: Future<Output = ()>>(play: impl Fn(SimAdapter) -> F) {
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let playing = play(sim.adapter());
        sim.block_on(playing).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

/// Plays it on both kinds of Tokio.
pub(crate) fn on_tokio<F: Future<Output = ()> + Send + 'static>(play: impl Fn(TokioAdapter) -> F) {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build();
    for runtime in [threads, one] {
        let runtime = runtime.expect("it can be built");
        let adapter = runtime.block_on(async { TokioAdapter::current().expect("this is one") });
        runtime.block_on(play(adapter));
    }
}

/// Long enough for all that is left.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
