//! The store's lifecycle on a simulated disk that loses power after each of its writes and syncs: every version that was
//! acknowledged is there, in whichever tier, unless retention has dropped it; and what cold versions take on a real one.
//!
//! `ANABRANCH_SEEDS` says how many seeds; `ANABRANCH_SEED` which one.

mod seeds;

use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, Event, Faults, Replay, SimPlace},
};
use anabranch_store::{
    Backend, BackendError, Durability, Engine, Lifecycle, Retention, Store, StoreError, Table, Timestamp,
    VersionedValue, View, Write,
};
use seeds::{each_seed, seeds};
use std::{collections::BTreeMap, error::Error, num::NonZeroU64, time::Duration};

type Outcome = Result<(), Box<dyn Error>>;

const KEYS: [(&str, &str); 3] = [("a", "x"), ("a", "y"), ("b", "x")];
/// All but the newest version of a key may become cold at once.
const AT_ONCE: Lifecycle = Lifecycle { cold_after: Duration::ZERO, warm_bytes: None };

/// When the oldest version of each key was written that is there.
type Oldest = BTreeMap<usize, Timestamp>;

/// What has happened.
#[derive(Default)]
struct History {
    /// Each version that was acknowledged, with its key.
    written: Vec<(usize, VersionedValue)>,
    /// At each mark: how many of those are durable; and the oldest of each key when what came next was done.
    marks: Vec<(usize, Oldest)>,
}

fn oldest(engine: &Engine<RedbBackend>) -> Result<Oldest, StoreError> {
    let (reader, mut oldest) = (engine.reader()?, Oldest::new());
    for (place, (namespace, key)) in KEYS.into_iter().enumerate() {
        match reader.history(namespace, key, .., usize::MAX) {
            Ok(page) => oldest.extend(page.items.last().map(|last| (place, last.timestamp))),
            Err(StoreError::KeyNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(oldest)
}

/// One of the things that happen to a store.
fn act(
    engine: &mut Engine<RedbBackend>,
    history: &mut History,
    durable: &mut usize,
    chance: &mut Chance,
) -> Result<(), StoreError> {
    let wall = Timestamp::from_nanos(1000 + history.written.len() as i64);
    match chance.below(8) {
        0 => {
            let retention = match chance.below(3) {
                0 => Retention::All,
                1 => NonZeroU64::new(1 + chance.below(30)).map_or(Retention::All, Retention::Last),
                _ => Retention::For(Duration::from_nanos(chance.below(40))),
            };
            engine.set_retention(KEYS[chance.below(3) as usize].0, retention)?;
        }
        1..4 => {
            for _ in 0..=chance.below(3) {
                if !engine.maintain(wall, &AT_ONCE)?.more {
                    break;
                }
            }
            // Its own commits are relaxed.
            return Ok(());
        }
        _ => {
            let key = chance.below(3) as usize;
            let (namespace, name) = KEYS[key];
            let durability = if chance.one_in(2) { Durability::Immediate } else { Durability::Relaxed };
            for _ in 0..chance.below(25) {
                let cause = history.written.last().map(|(_, version)| version.version_id).filter(|_| chance.one_in(9));
                let value = chance.below(1 << 20) as i64;
                let write = Write::put(namespace, name, value).because(cause);
                let version = engine.write(&[write], wall, Durability::Relaxed)?.remove(0);
                history.written.push((key, version));
            }
            let write = Write::put(namespace, name, "the last of several");
            let version = engine.write(&[write], wall, durability)?.remove(0);
            history.written.push((key, version));
            if durability == Durability::Relaxed {
                return Ok(());
            }
        }
    }
    *durable = history.written.len();
    Ok(())
}

/// Plays one history, and then the power fails after each of its events.
fn crashes(seed: u64) -> Result<u64, Box<dyn Error>> {
    let mut chance = Chance::new(seed);
    let (place, mut options) = (SimPlace::default(), Options::default());
    options.cache = 64 << 10;
    options.relaxed = if chance.one_in(2) { 3_000 } else { 1 << 20 };
    let mut engine = Engine::open(RedbBackend::open_at(place.clone(), options.clone())?)?;
    let created = place.events().len();
    let (mut history, mut durable) = (History::default(), 0);
    let troubled = chance.one_in(3);
    for _ in 0..6 + chance.below(8) {
        history.marks.push((durable, Oldest::new()));
        place.mark(history.marks.len() as u64);
        if troubled && chance.one_in(3) {
            let mut faults = Faults::default();
            match chance.below(3) {
                0 => faults.room = Some(place.taken() + chance.below(5) * 4096),
                1 => faults.fail_sync = Some(chance.below(3)),
                _ => faults.fail_write = Some(chance.below(12)),
            }
            place.fail(faults);
        }
        let outcome = act(&mut engine, &mut history, &mut durable, &mut chance);
        place.fail(Faults::default());
        match outcome {
            Ok(()) | Err(StoreError::Backend(BackendError::Full | BackendError::Io(_))) => {}
            // Then it is not known what is there.
            Err(StoreError::Backend(BackendError::Poisoned(_))) => break,
            Err(error) => return Err(error.into()),
        }
        if chance.one_in(6) {
            engine = Engine::open(engine.into_backend())?;
        }
        let oldest = oldest(&engine)?;
        if let Some(mark) = history.marks.last_mut() {
            mark.1.clone_from(&oldest);
        }
        check(&engine, &history, history.written.len(), &oldest).map_err(|error| format!("while it runs: {error}"))?;
    }
    let all_known = history.marks.last().is_some_and(|(_, oldest)| !oldest.is_empty()) || history.written.is_empty();
    drop(engine);
    let (mut replay, mut played, mut mark) = (Replay::default(), 0, 0);
    for (at, event) in place.events().iter().enumerate() {
        replay.play(event, &mut chance);
        if let Event::Mark(number) = event {
            mark = *number as usize;
            continue;
        }
        if at < created || mark == history.marks.len() && !all_known {
            continue;
        }
        played += 1;
        let (durable, oldest) = &history.marks[mark - 1];
        let place = replay.crash(&mut chance);
        let after = || -> Outcome {
            let mut engine = Engine::open(RedbBackend::open_at(place, options.clone())?)?;
            check(&engine, &history, *durable, oldest)?;
            // And it goes on: what was lost of the lifecycle is done again.
            let now = Timestamp::from_nanos(5_000);
            while engine.maintain(now, &AT_ONCE)?.more {}
            engine.write(&[Write::put("a", "x", 1)], now, Durability::Immediate)?;
            whole(&engine)
        };
        after().map_err(|error| format!("after event {at}: {error}"))?;
    }
    Ok(played)
}

fn whole(engine: &Engine<RedbBackend>) -> Outcome {
    let verified = engine.verify(&mut |_| ())?;
    if verified.is_whole() { Ok(()) } else { Err(format!("{:?}", verified.damages).into()) }
}

/// The first `durable` versions are there, but for those that are older than what may have been the oldest; and all is proven.
fn check(engine: &Engine<RedbBackend>, history: &History, durable: usize, oldest: &Oldest) -> Outcome {
    whole(engine)?;
    let reader = engine.reader()?;
    for (place, (key, version)) in history.written.iter().enumerate() {
        let (namespace, name) = KEYS[*key];
        let may_be_dropped = oldest.get(key).is_none_or(|oldest| version.timestamp < *oldest);
        match reader.get_version(namespace, name, &version.version_id) {
            Ok(found) if found == *version => {}
            Ok(found) => return Err(format!("{found:?} where {version:?} was written").into()),
            Err(error) if !error.is_not_found() => return Err(error.into()),
            Err(_) if place >= durable || may_be_dropped => continue,
            Err(error) => return Err(format!("version {place} of {durable} is lost: {error}").into()),
        }
        let at = reader.get_at(namespace, name, version.timestamp)?;
        if at != *version {
            return Err(format!("{at:?} was there then, and not {version:?}").into());
        }
    }
    Ok(())
}

#[test]
fn no_acknowledged_version_is_lost_while_versions_change_their_tier() {
    each_seed(seeds(400), crashes);
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
