//! The past once more: the same alerts, in virtual time, at any speed.

use super::*;
use anabranch::{
    AccessError,
    keep::{Replay, ReplayError, Speed},
};
use std::convert::Infallible;

/// Whether it was too warm for three readings in a row.
#[service]
async fn alarming<R: Runtime>(
    _ctx: RuntimeContext<R>,
    mut readings: Consumer<Reading>,
    alerts: Producer<String>,
) -> Result<(), Infallible> {
    let mut warm = 0;
    while let Some(Reading { device, celsius }) = readings.next().await {
        warm = if celsius > 30.0 { warm + 1 } else { 0 };
        if warm == 3 {
            alerts.produce(format!("{device} {celsius}"));
        }
    }
    Ok(())
}

async fn plant<R>(runtime: &R, store: Option<&Store>) -> Anabranch<R>
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    let mut builder = Anabranch::builder().runtime(runtime.clone());
    if let Some(store) = store {
        builder = builder.with_store(store.clone());
    }
    builder
        .configure::<Reading>("readings", |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 });
            if store.is_some() {
                r.keep("readings");
            }
        })
        .configure::<String>("alerts", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 100 });
            if store.is_some() {
                r.keep("alerts");
            }
        })
        .with_service(Alarming::of("readings", "alerts"))
        .build()
        .await
        .expect("it is right")
}

/// Ten minutes of readings, and the alerts that they made.
async fn recorded<R>(runtime: &R) -> (Store, Vec<String>)
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    let store = in_memory(runtime);
    let db = plant(runtime, Some(&store)).await;
    db.start();
    let readings = db.producer::<Reading>("readings").expect("a queue");
    for number in 0..600 {
        let celsius = 29.0 + f64::from(number * 7919 % 13) / 4.0;
        readings.send(reading("boiler", celsius)).await.expect("somebody reads");
        runtime.sleep(Duration::from_secs(1)).await;
    }
    let _ = db.shutdown(GRACE).await;
    let alerts = values::<String>(&store, "alerts", "alerts");
    assert!(alerts.len() > 5, "{alerts:?}");
    (store, alerts)
}

/// The alerts of a plant that is fed from the past, and how long it took.
async fn replayed<R>(runtime: &R, replay: Replay) -> (Vec<String>, Duration)
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    let db = plant(runtime, None).await;
    let mut alerts = db.consumer::<String>("alerts").expect("a ring");
    db.start();
    let from = runtime.now();
    let done = db.replay::<Reading>("readings", replay).await.expect("it is readable");
    let took = runtime.now().since(from);
    assert_eq!((done.failed, done.deletions), (0, 0), "{done:?}");
    let _ = db.shutdown(GRACE).await;
    let mut all = Vec::new();
    while let Some(alert) = alerts.next().await {
        all.push(alert);
    }
    (all, took)
}

#[test]
fn a_recorded_history_gives_the_same_alerts_in_virtual_time() {
    simulated(|runtime| async move {
        let (store, alerts) = recorded(&runtime).await;
        for (times, seconds) in [(1.0, 599), (0.5, 1198), (60.0, 10)] {
            let replay = Replay::of(&store, "readings").speed(Speed::Times(times));
            let (again, took) = replayed(&runtime, replay).await;
            assert_eq!(again, alerts, "{times} times as fast");
            // The store writes a moment after a value was put in.
            assert!(took.as_secs().abs_diff(seconds) <= 1, "{times} times as fast took {took:?}");
        }
        let (again, _) = replayed(&runtime, Replay::of(&store, "readings").speed(Speed::Unpaced)).await;
        assert_eq!(again, alerts);
    });
}

#[test]
fn a_part_of_the_past_is_replayed_on_tokio_too() {
    let mut sim = Sim::new(1);
    let runtime = sim.adapter();
    let (store, alerts) = sim.block_on(async { recorded(&runtime).await }).expect("nothing hangs");
    on_tokio(move |runtime| {
        let (store, alerts) = (store.clone(), alerts.clone());
        async move {
            let (again, _) = replayed(&runtime, Replay::of(&store, "readings").speed(Speed::Unpaced)).await;
            assert_eq!(again, alerts);
            let all = versions(&store, "readings", "readings");
            let part = Replay::of(&store, "readings").speed(Speed::Unpaced);
            let part = part.during(all[100].timestamp..=all[199].timestamp);
            let db = plant(&runtime, None).await;
            db.start();
            let done = db.replay::<Reading>("readings", part.clone()).await.expect("it is readable");
            assert_eq!(done.values, 100);
            let none = db.replay::<Reading>("readings", part.keys_with("nobody")).await.expect("it is readable");
            assert_eq!(none.values, 0);
            let _ = db.shutdown(GRACE).await;
        }
    });
}

#[test]
fn what_is_no_value_or_deleted_is_counted_and_passed_over() {
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        store.put("numbers", "a", 1).expect("memory");
        store.put("numbers", "a", "one").expect("memory");
        store.delete("numbers", "a").expect("memory");
        store.put("numbers", "b", 2).expect("memory");
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<u32>("number", |r| {
                // It keeps where it is fed from: what it writes is not the past.
                r.with_buffer(BufferCfg::SpmcRing { capacity: 8 }).keep("numbers");
            })
            .with_store(store.clone())
            .build()
            .await
            .expect("it is right");
        let mut numbers = db.consumer::<u32>("number").expect("a ring");
        db.start();
        let done = db.replay::<u32>("number", Replay::of(&store, "numbers")).await.expect("it is readable");
        assert_eq!((done.values, done.failed, done.deletions), (2, 1, 1));
        assert!(done.last_error.is_some_and(|why| why.contains("expected u32")));
        assert_eq!((numbers.next().await, numbers.next().await), (Some(1), Some(2)));
        let _ = db.shutdown(GRACE).await;
        assert_eq!(values::<u32>(&store, "numbers", "number"), [1, 2]);
    });
}

#[test]
fn what_cannot_be_replayed_says_why() {
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        let db = plant(&runtime, None).await;
        db.start();
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let replay = Replay::of(&store, "readings").speed(Speed::Times(speed));
            let refused = db.replay::<Reading>("readings", replay).await.expect_err("that is no speed");
            assert!(matches!(refused, ReplayError::Speed(_)) && refused.to_string().contains("above 0"));
        }
        let replay = Replay::of(&store, "readings");
        let refused = db.replay::<Reading>("readngs", replay.clone()).await.expect_err("there is none");
        assert!(matches!(refused, ReplayError::Record(AccessError::UnknownRecord { .. })));
        let refused = db.replay::<String>("alerts", replay.clone()).await.expect_err("a service writes to it");
        assert!(matches!(refused, ReplayError::Written { .. }) && refused.to_string().contains(".shared()"));
        let refused = db.replay::<Reading>("readings", Replay::of(&store, "")).await.expect_err("no name");
        assert!(matches!(refused, ReplayError::Store(_)));
        let _ = db.shutdown(GRACE).await;
    });
}
