//! The service that maintains a store: in simulation over hours, and on both flavours of Tokio over a disk.

use anabranch::{
    TokioAdapter,
    lifecycle::{Maintain, maintain},
    prelude::*,
    redb::{Options as RedbOptions, RedbBackend},
    sim::check,
    store::{Durability, Lifecycle, Memory, Options, Retention, Store, StoreError, Timestamp},
    tokio::AdapterError,
};
use anabranch_conformance::{Tally, run_lifecycle};
use std::sync::atomic::{AtomicI64, Ordering};

const MINUTE: Duration = Duration::from_secs(60);

/// A reading a second for two hours, of which ten minutes stay warm and one hour is kept.
#[test]
fn over_hours_the_tiers_hold_what_they_should() {
    check(0..3, |sim| {
        let adapter = sim.adapter();
        let clock = {
            let adapter = adapter.clone();
            move || Timestamp::from_nanos(adapter.unix_time().map_or(0, |time| time.as_nanos() as i64))
        };
        let options = Options::new(clock).lifecycle(Lifecycle { cold_after: 10 * MINUTE, ..Lifecycle::default() });
        let store = Store::open(Memory::new(), options)?;
        store.set_retention("plant", Retention::For(60 * MINUTE))?;
        drop(adapter.spawn(maintain(RuntimeContext::new(adapter.clone(), "maintain"), store.clone(), MINUTE)));
        let (writer, written) = (adapter.clone(), store.clone());
        let readings = adapter.spawn(async move {
            let mut every = writer.interval(Duration::from_secs(1));
            for second in 0..7200 {
                every.tick().await;
                written.put("plant", "boiler", second)?;
            }
            Ok::<(), StoreError>(())
        });
        sim.block_on(readings)???;
        let stats = store.stats()?;
        // What is due waits for the next round, and for company.
        let minutes = |minutes: u64| minutes * 60;
        assert!((minutes(60)..minutes(61) + 10).contains(&stats.total_versions), "{stats:?}");
        assert!((minutes(10)..minutes(11) + 30).contains(&stats.warm.versions), "{stats:?}");
        assert_eq!(stats.deep.versions, 7200 - stats.total_versions);
        let now = store.now();
        let half_an_hour_ago = Timestamp::from_nanos(now.nanos() - 30 * MINUTE.as_nanos() as i64);
        let then = store.get_at("plant", "boiler", half_an_hour_ago)?.value.as_i64();
        assert!(then.is_some_and(|then| (5390..5410).contains(&then)), "{then:?}");
        let before = Timestamp::from_nanos(now.nanos() - 90 * MINUTE.as_nanos() as i64);
        assert!(matches!(store.get_at("plant", "boiler", before), Err(StoreError::NoLongerKept { .. })));
        assert!(store.verify(&mut |_| ())?.is_whole());
        Ok(())
    });
}

/// Supervised, over a backend that blocks.
async fn on_disk(adapter: TokioAdapter) -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let backend = RedbBackend::open(directory.path(), RedbOptions::default())?;
    // A clock that goes on with each look at it.
    let looks = AtomicI64::new(1_774_791_420_000_000_000);
    let clock = move || Timestamp::from_nanos(looks.fetch_add(1000, Ordering::Relaxed));
    let options = Options::new(clock).durability(Durability::Relaxed);
    let store =
        Store::open(backend, options.lifecycle(Lifecycle { cold_after: Duration::ZERO, ..Lifecycle::default() }))?;
    for number in 0..1000 {
        store.put("plant", "boiler", number)?;
    }
    let running = Maintain::spawn(&adapter, store.clone(), Duration::from_millis(1));
    // It says when it has done something by what is there: nothing else waits for it.
    while store.stats()?.cold.versions == 0 {
        adapter.yield_now().await;
    }
    store.put("plant", "boiler", 1000)?;
    assert_eq!(store.history("plant", "boiler", .., 2000)?.items.len(), 1001);
    assert!(store.verify(&mut |_| ())?.is_whole());
    drop(running);
    Ok(())
}

#[test]
fn the_loop_keeps_its_contract_in_simulation_and_on_both_flavours_of_tokio() -> Result<(), Box<dyn std::error::Error>> {
    check(0..5, |sim| {
        let adapter = sim.adapter();
        let passed = sim.block_on(async move { keeps_the_contract(&adapter).await })?;
        assert!(passed);
        Ok(())
    });
    for mut runtime in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let runtime = runtime.enable_all().build()?;
        assert!(
            runtime.block_on(async { Ok::<_, AdapterError>(keeps_the_contract(&TokioAdapter::current()?).await) })?
        );
    }
    Ok(())
}

async fn keeps_the_contract<R: Runtime>(runtime: &R) -> bool {
    let mut tally = Tally::new(|line| println!("{line}"));
    run_lifecycle(runtime, &mut tally).await;
    tally.finish()
}

#[test]
fn on_both_flavours_of_tokio_it_runs_beside_others() -> Result<(), Box<dyn std::error::Error>> {
    for mut runtime in [tokio::runtime::Builder::new_current_thread(), tokio::runtime::Builder::new_multi_thread()] {
        let runtime = runtime.enable_all().build()?;
        runtime.block_on(async { on_disk(TokioAdapter::current()?).await })?;
    }
    Ok(())
}
