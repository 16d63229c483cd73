//! What cold versions take on a real disk. That none is lost on the way there is played in `tests/crashes`.

use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, SimPlace},
};
use anabranch_store::{Backend, Durability, Engine, Lifecycle, Retention, Store, Table, Timestamp, View, Write};
use std::{error::Error, num::NonZeroU64, time::Duration};

type Outcome = Result<(), Box<dyn Error>>;

/// All but the newest version of a key may become cold at once.
const AT_ONCE: Lifecycle = Lifecycle { cold_after: Duration::ZERO, warm_bytes: None };

fn whole(engine: &Engine<RedbBackend>) -> Outcome {
    let verified = engine.verify(&mut |_| ())?;
    if verified.is_whole() { Ok(()) } else { Err(format!("{:?}", verified.damages).into()) }
}

/// Readings as sensors send them: about every second, two quantities with two digits, each a little off from the one before.
fn reading(chance: &mut Chance, sensor: &mut (f64, f64)) -> anabranch_value::Value {
    let mut step = |value: f64| ((value * 100.0).round() + chance.below(11) as f64 - 5.0) / 100.0;
    *sensor = (step(sensor.0), step(sensor.1));
    anabranch_value::value!({ "celsius": (sensor.0), "humidity": (sensor.1) })
}

#[test]
fn a_cold_version_of_a_reading_takes_60_bytes_of_disk_at_most() -> Outcome {
    const SENSORS: usize = 5;
    const READINGS: i64 = 2_000;
    let directory = tempfile::tempdir()?;
    let mut engine = Engine::open(RedbBackend::open(directory.path(), Options::default())?)?;
    let mut chance = Chance::new(5);
    let mut sensors = [(21.5, 40.0); SENSORS];
    let mut length = 0;
    let mut now = 1_774_791_420_000_000_000;
    for _ in 0..READINGS {
        now += 1_000_000_000;
        for (place, sensor) in sensors.iter_mut().enumerate() {
            let value = reading(&mut chance, sensor);
            length = length.max(anabranch_value::cbor::to_vec(&value)?.len());
            // Each comes up to 20 ms late.
            let wall = Timestamp::from_nanos(now + place as i64 * 40_000_000 + chance.below(20_000_000) as i64);
            engine.write(&[Write::put("plant", format!("sensor/{place}"), value)], wall, Durability::Relaxed)?;
        }
    }
    assert!((32..40).contains(&length), "a value of {length} bytes");
    engine.backend().compact()?;
    let all = SENSORS as u64 * READINGS as u64;
    let warm = engine.backend().usage()?.disk / all;
    while engine.maintain(Timestamp::from_nanos(now + 3_600_000_000_000), &AT_ONCE)?.more {}
    engine.backend().compact()?;
    let disk = engine.backend().usage()?.disk;
    let stats = engine.reader()?.stats(engine.backend().usage()?)?;
    let rows = stats.cold.bytes / stats.cold.versions;
    println!("{warm} bytes of disk a version warm, {} cold, of which {rows} in segments", disk / all);
    assert!(stats.cold.versions > all - 20 * SENSORS as u64, "{} of {all} are cold", stats.cold.versions);
    assert!(disk / all <= 60, "{} bytes a version", disk / all);
    assert!(warm <= 240, "{warm} bytes a version");
    assert_eq!(engine.backend().view()?.count(Table::Times)?, all);
    whole(&engine)
}

/// What makes a step long is how many blocks its commit writes: every so often that is a durable one, which writes those of all
/// that was relaxed before.
#[test]
fn a_step_of_the_lifecycle_writes_no_more_than_its_share_at_once() -> Outcome {
    const KEYS: i64 = 50;
    const VERSIONS: i64 = if cfg!(debug_assertions) { 300 } else { 2_000 };
    let place = SimPlace::default();
    let mut engine = Engine::open(RedbBackend::open_at(place.clone(), Options::default())?)?;
    for round in 0..VERSIONS {
        let write = |key| Write::put("plant", format!("sensor/{key}"), (round * 7 % 1000) as f64 / 10.0);
        let writes: Vec<_> = (0..KEYS).map(write).collect();
        // With the first one the log comes into use, for which it is filled once.
        let durability = if round == 0 { Durability::Immediate } else { Durability::Relaxed };
        engine.write(&writes, Timestamp::from_nanos(1 + round * 1_000_000_000), durability)?;
    }
    let (mut most, mut steps) = (0, 0);
    for keeps in [None, NonZeroU64::new(20)] {
        if let Some(keeps) = keeps {
            engine.set_retention("plant", Retention::Last(keeps))?;
        }
        loop {
            let before = place.written();
            let more = engine.maintain(Timestamp::LATEST, &AT_ONCE)?.more;
            most = most.max(place.written() - before);
            steps += 1;
            if !more {
                break;
            }
        }
    }
    println!("{steps} steps, {most} bytes written in one at most");
    assert!(most > 0 && most <= 1 << 20, "{most} bytes in one of {steps} steps");
    whole(&engine)
}

/// Milliseconds that this thread has run: what others do on the machine is not counted.
#[cfg(target_os = "linux")]
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e6
}

/// How long a step of the lifecycle runs, on disk, beside a writer: an upper bound of how long it holds others up.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "figures, not a proof"]
fn figures_of_a_step() -> Outcome {
    let directory = tempfile::tempdir()?;
    let backend = RedbBackend::open(directory.path(), Options::default())?;
    let clock = || Timestamp::from_nanos(1_774_791_420_000_000_000);
    let options = anabranch_store::Options::new(clock).durability(Durability::Relaxed).lifecycle(AT_ONCE);
    let store = Store::open(backend, options)?;
    for round in 0..2_000 {
        let writes =
            (0..100).map(|key| Write::put("plant", format!("sensor/{key}"), f64::from(round * 7 % 1000) / 10.0));
        store.write_batch(writes.collect())?;
    }
    let pass = |what: &str| -> Outcome {
        let mut steps = Vec::new();
        loop {
            let begin = cpu();
            let more = store.maintain(Timestamp::LATEST)?.more;
            steps.push(cpu() - begin);
            if !more {
                break;
            }
        }
        steps.sort_by(f64::total_cmp);
        let share = |share: usize| steps[(steps.len() * share / 1000).min(steps.len() - 1)];
        let (count, middle, most, longest) = (steps.len(), share(500), share(990), share(1000));
        println!("{what}: {count} steps, {middle:.2} ms, 99 % within {most:.2} ms, the longest {longest:.2} ms");
        Ok(())
    };
    std::thread::scope(|scope| -> Outcome {
        let writer = scope.spawn(|| (0..20_000).try_for_each(|number| store.put("other", "key", number).map(drop)));
        pass("moving")?;
        store.set_retention("plant", NonZeroU64::new(1_000).map_or(Retention::All, Retention::Last))?;
        pass("dropping what is cold")?;
        store.set_retention("other", Retention::For(Duration::ZERO))?;
        writer.join().map_err(|_| "the writer panicked")??;
        pass("the rest")
    })?;
    let kept = store.history("plant", "sensor/7", .., 900)?.items;
    let begin = cpu();
    for place in 0..5_000 {
        drop(store.get_at("plant", "sensor/7", kept[place * 7919 % kept.len()].timestamp)?);
    }
    println!("get_at, cold: {:.1} us", (cpu() - begin) / 5.0);
    let begin = cpu();
    for place in 0..1_000 {
        let before = kept[place * 7919 % kept.len()].timestamp;
        drop(store.history("plant", "sensor/7", ..before, 100)?);
    }
    println!("a page of 100, cold: {:.1} us", cpu() - begin);
    assert!(store.verify(&mut |_| ())?.is_whole());
    println!("{:?}", store.stats()?);
    Ok(())
}
