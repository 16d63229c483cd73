//! What cold versions take on a real disk. That none is lost on the way there is played in `tests/crashes`.

use anabranch_redb::{Options, RedbBackend, sim::Chance};
use anabranch_store::{Backend, Durability, Engine, Lifecycle, Table, Timestamp, View, Write};
use std::{error::Error, time::Duration};

type Outcome = Result<(), Box<dyn Error>>;

/// All but the newest version of a key may become cold at once.
const AT_ONCE: Lifecycle = Lifecycle { cold_after: Duration::ZERO };

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
