//! Where a store of others went wrong on disk, one test each, named after the trap.

use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, Event, Replay, SimPlace},
};
use anabranch_store::{Store, StoreError, Timestamp};
use std::{error::Error, path::Path, thread};

type Outcome = Result<(), Box<dyn Error>>;

fn over(backend: RedbBackend) -> Result<Store, StoreError> {
    Store::open(backend, anabranch_store::Options::new(|| Timestamp::from_nanos(1_000)))
}

fn open(directory: &Path) -> Result<Store, StoreError> {
    over(RedbBackend::open(directory, Options::default())?)
}

fn open_at(place: &SimPlace) -> Result<Store, StoreError> {
    over(RedbBackend::open_at(place.clone(), Options::default())?)
}

#[cfg(unix)]
#[test]
fn a_crash_leaves_a_lock_that_bricks_the_database() -> Outcome {
    use std::process::{Command, Stdio};
    const CHILD: &str = "ANABRANCH_LOCKED";
    let this = "a_crash_leaves_a_lock_that_bricks_the_database";
    if let Some(directory) = std::env::var_os(CHILD) {
        let store = open(Path::new(&directory))?;
        store.put("plant", "boiler", 1)?;
        println!("acknowledged");
        // Until it is killed, with the database open and its lock held.
        std::io::stdin().lines().for_each(drop);
        std::process::abort();
    }
    let directory = tempfile::tempdir()?;
    let mut process = Command::new(std::env::current_exe()?)
        .args(["--exact", this, "--nocapture"])
        .env(CHILD, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = std::io::BufReader::new(process.stdout.take().ok_or("no pipe")?);
    std::io::BufRead::lines(said).map_while(Result::ok).find(|line| line.contains("acknowledged")).ok_or("it ended")?;
    assert_eq!(open(directory.path()).map(drop), Err(anabranch_store::BackendError::InUse.into()));
    process.kill()?;
    process.wait()?;
    let store = open(directory.path())?;
    assert_eq!(store.get("plant", "boiler")?.value, 1.into());
    store.put("plant", "boiler", 2)?;
    Ok(())
}

#[test]
fn eight_hundred_acknowledged_concurrent_puts_four_hundred_seventy_three_after_reopening() -> Outcome {
    let directory = tempfile::tempdir()?;
    let store = open(directory.path())?;
    let acknowledged: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || -> Result<Vec<_>, StoreError> {
                    (0..100).map(|number| store.put("n", &format!("{writer}/{number}"), number)).collect()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("no writer panics")).collect::<Result<Vec<_>, _>>()
    })?;
    drop(store);
    let store = open(directory.path())?;
    for version in acknowledged.iter().flatten() {
        assert_eq!(store.find_version(&version.version_id)?.version, *version);
    }
    assert_eq!(store.stats()?.key_count, 800);
    Ok(())
}

#[test]
fn a_torn_log_tail_swallows_the_next_write() -> Outcome {
    let place = SimPlace::default();
    let store = open_at(&place)?;
    let first = store.put("plant", "boiler", 1)?;
    let acknowledged = place.events().len();
    store.put("plant", "boiler", "y".repeat(10_000))?;
    let events = place.events();
    let (mut replay, mut chance) = (Replay::default(), Chance::new(7));
    for (at, event) in events.iter().enumerate() {
        replay.play(event, &mut chance);
        // The power fails anywhere in the second write, which tears it.
        if at < acknowledged || matches!(event, Event::Mark(_)) {
            continue;
        }
        for _ in 0..10 {
            let after = replay.crash(&mut chance);
            let store = open_at(&after)?;
            let newest = store.get("plant", "boiler")?;
            assert!(newest == first || newest.previous_version == Some(first.version_id));
            let next = store.put("plant", "boiler", 3)?;
            drop(store);
            let store = open_at(&after)?;
            assert_eq!(store.get("plant", "boiler")?, next);
            assert_eq!(store.get_version("plant", "boiler", &first.version_id)?, first);
            assert!(store.verify(&mut |_| ())?.is_whole());
        }
    }
    Ok(())
}

#[test]
#[cfg_attr(debug_assertions, ignore = "redb reads the whole file when it is built for debugging; add `--release`")]
fn six_thousand_versions_reopen_in_nine_seconds() -> Outcome {
    // Counted, not timed: how much is read has nothing to do with how much there is.
    let read_to_reopen = |versions: usize| -> Result<u64, Box<dyn Error>> {
        let place = SimPlace::default();
        let store = open_at(&place)?;
        // With it the log is in use, of which some is read whether it has anything or not.
        store.put("n", "0", 0)?;
        let relaxed = store.with_durability(anabranch_store::Durability::Relaxed);
        for number in 0..versions {
            relaxed.put("n", &format!("{}", number % 100), number as i64)?;
        }
        drop((store, relaxed));
        let before = place.read();
        let store = open_at(&place)?;
        store.get("n", "7")?;
        Ok(place.read() - before)
    };
    let (few, many) = (read_to_reopen(600)?, read_to_reopen(60_000)?);
    println!("{few} bytes are read of 600 versions, {many} of 60,000");
    assert!(many < few + 60_000, "{few} and {many}");
    Ok(())
}
