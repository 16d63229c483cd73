//! The watchdog in simulation, from one course of events to thousands of them, and with a machine that stumbles.

use anabranch::{
    SimAdapter,
    prelude::*,
    sim::{Faults, Sim, SimOptions, Verdict, check},
};
use deterministic_test::{Alarm, Watch};
use std::error::Error;

const PATIENCE: Duration = Duration::from_secs(60);

type Failed = Box<dyn Error + Send + Sync>;

/// Sends a reading after each of the pauses, and gives the alarms that this made. It is written as it would be for a real
/// runtime; what makes it a simulation is the adapter alone.
async fn alarms_of(runtime: SimAdapter, pauses: &[Duration]) -> Result<Vec<Alarm>, Failed> {
    let db = Anabranch::builder()
        .runtime(runtime.clone())
        .configure::<f32>("readings", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 8 });
        })
        .configure::<Alarm>("alarms", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
        })
        .with_service(Watch::of("readings", "alarms", PATIENCE))
        .build()
        .await?;
    let (readings, mut alarms) = (db.producer::<f32>("readings")?, db.consumer::<Alarm>("alarms")?);
    db.start();
    for pause in pauses {
        runtime.sleep(*pause).await;
        readings.produce(21.5);
    }
    drop(readings); // the record closes, so the service ends, so its record closes
    let mut all = Vec::new();
    while let Some(alarm) = alarms.next().await {
        all.push(alarm);
    }
    Ok(all)
}

/// What it should say: after each pause that is too long, one alarm, and one that takes it back.
fn expected(pauses: &[Duration]) -> Vec<Alarm> {
    pauses.iter().filter(|pause| **pause > PATIENCE).flat_map(|_| [Alarm::Silent, Alarm::Back]).collect()
}

// 1. One course of events. A week of virtual time takes no time at all.

#[test]
fn a_week_without_a_reading_is_one_alarm() -> Result<(), Failed> {
    let mut sim = Sim::new(0);
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let alarms = sim.block_on(alarms_of(sim.adapter(), &[Duration::from_secs(1), week, Duration::from_secs(1)]))??;
    assert_eq!(alarms, [Alarm::Silent, Alarm::Back]);
    Ok(())
}

// 2. Thousands of courses. `check` runs each seed twice and compares the traces; a seed that fails is named, and
//    `ANABRANCH_SIM_SEED=17 cargo test` runs it alone.

#[test]
fn whatever_the_pauses_each_long_one_is_said() {
    check(0..2_000, |sim| {
        let adapter = sim.adapter();
        // Odd, so that no pause is exactly as long as the patience: then either answer would be right.
        let pauses: Vec<Duration> =
            (0..20).map(|_| Duration::from_millis(2 * adapter.random_below(60_000) + 1)).collect();
        assert_eq!(sim.block_on(alarms_of(adapter, &pauses))??, expected(&pauses));
        Ok(())
    });
}

// 3. A machine that stumbles: timers are late, tasks are held up. Now only what holds whatever the time can be asked.

#[test]
fn on_a_bad_day_alarms_still_come_in_pairs() {
    let scenario = |sim: &mut Sim| -> Verdict {
        let adapter = sim.adapter();
        let pauses: Vec<Duration> = (0..20).map(|_| Duration::from_secs(adapter.random_below(120))).collect();
        let alarms = sim.block_on(alarms_of(adapter, &pauses))??;
        let (said, taken_back) = (alarms.iter().step_by(2), alarms.iter().skip(1).step_by(2));
        assert!(said.clone().all(|alarm| *alarm == Alarm::Silent), "{alarms:?}");
        assert!(taken_back.clone().all(|alarm| *alarm == Alarm::Back), "{alarms:?}");
        assert_eq!(said.count(), taken_back.count(), "the last reading takes back the last alarm");
        Ok(())
    };
    SimOptions::default().faults(Faults::harsh()).check(0..2_000, scenario);
}

// 4. A mistake is found. This watchdog forgets to look whether the record has closed.

/// Never ends, and waits without a timer.
#[service]
async fn forgetful<R: Runtime>(ctx: RuntimeContext<R>, readings: &mut Consumer<f32>) -> Result<(), Elapsed> {
    loop {
        if readings.next().await.is_none() {
            ctx.sleep(Duration::MAX).await;
        }
    }
}

#[test]
fn what_waits_for_ever_is_a_deadlock_and_is_named() -> Result<(), Failed> {
    let mut sim = Sim::new(0);
    let runtime = sim.adapter();
    let error = sim.block_on(async {
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<f32>("readings", |r| {
                r.with_buffer(BufferCfg::SingleLatest);
            })
            .with_service(Forgetful::of("readings"))
            .build()
            .await?;
        drop(db.producer::<f32>("readings")?);
        db.run().await?;
        Ok::<(), Failed>(())
    });
    let Err(error) = error else { return Err("it should wait for ever".into()) };
    assert!(error.to_string().starts_with("deadlock after"), "{error}");
    Ok(())
}
