//! The store's lifecycle: every version that was acknowledged is there, in whichever tier, unless retention has dropped it.

use crate::{Lost, Played, Storage, faults};
use anabranch_medium::sim::{Chance, Event, Faults, Replay};
use anabranch_store::{
    Backend, BackendError, Durability, Engine, Lifecycle, Retention, StoreError, Timestamp, VersionedValue, Write,
};
use std::{collections::BTreeMap, num::NonZeroU64, time::Duration};

type Outcome = Result<(), Lost>;

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

fn oldest(engine: &Engine<impl Backend>) -> Result<Oldest, StoreError> {
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
    engine: &mut Engine<impl Backend>,
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
///
/// # Errors
/// [`Lost`]: where a version is lost, or is another than was written.
pub fn crashes<S: Storage>(seed: u64) -> Result<Played, Lost> {
    let mut chance = Chance::new(seed);
    let (place, options) = (S::place(), S::options(&mut chance));
    let mut engine = Engine::open(S::open(&place, &options)?)?;
    let created = place.events().len();
    let (mut history, mut durable) = (History::default(), 0);
    let troubled = chance.one_in(3);
    for _ in 0..6 + chance.below(8) {
        history.marks.push((durable, Oldest::new()));
        place.mark(history.marks.len() as u64);
        if troubled && chance.one_in(3) {
            place.fail(faults(&place, &mut chance));
        }
        let outcome = act(&mut engine, &mut history, &mut durable, &mut chance);
        place.fail(Faults::default());
        let has_failed = outcome.is_err();
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
        // What failed in the end may have dropped any version, if the power fails on its way.
        if let Some(mark) = history.marks.last_mut().filter(|_| !has_failed) {
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
            let mut engine = Engine::open(S::open(&place, &options)?)?;
            check(&engine, &history, *durable, oldest)?;
            // And it goes on: what was lost of the lifecycle is done again.
            let now = Timestamp::from_nanos(5_000);
            while engine.maintain(now, &AT_ONCE)?.more {}
            engine.write(&[Write::put("a", "x", 1)], now, Durability::Immediate)?;
            whole(&engine)
        };
        after().map_err(|error| format!("after event {at}: {error}"))?;
    }
    Ok(Played::new(played, &place))
}

fn whole(engine: &Engine<impl Backend>) -> Outcome {
    let verified = engine.verify(&mut |_| ())?;
    if verified.is_whole() { Ok(()) } else { Err(format!("{:?}", verified.damages).into()) }
}

/// The first `durable` versions are there, but for those that are older than what may have been the oldest; and all is proven.
fn check(engine: &Engine<impl Backend>, history: &History, durable: usize, oldest: &Oldest) -> Outcome {
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
