//! Histories on a simulated disk that loses power after each of its writes and syncs, fails, is full, and flips bits.
//!
//! ```text
//!  seed ──▶ history: commits, faults, ends ──▶ events of the disk ──▶ a crash after each ──▶ opened again, and compared
//!             │
//!             ├── rows: the tables of a storage, batch by batch
//!             ├── versions: the store over them, several writers in one commit
//!             └── lifecycle: versions that become cold, or are dropped, meanwhile
//! ```
//!
//! **The contract:** a seed is a history, and the same one each time. That something was lost is an error.
//!
//! The simulator plays them (`cargo xtask sim --scenario store-crash`), and a few stand in the tests of each [`Storage`].
#![forbid(unsafe_code)]

pub mod lifecycle;
mod moved;
pub mod rows;
mod storage;
pub mod versions;

pub use moved::moved;
pub use storage::{Opfs, Redb, Storage};

use anabranch_medium::sim::{Chance, Event, Faults, Replay, SimPlace};
use std::{
    error::Error,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    thread,
};

/// Why a history did not end as it has to.
pub type Lost = Box<dyn Error + Send + Sync>;

/// What was gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// How many crashes, or flipped bits.
    pub cases: u64,
    /// Of all that the disk went through: the same seed gives the same.
    pub digest: u64,
}

impl Played {
    fn new(cases: u64, place: &SimPlace) -> Self {
        // Its keys are always the same.
        let mut hasher = DefaultHasher::new();
        place.events().hash(&mut hasher);
        Played { cases, digest: hasher.finish() }
    }
}

/// The seeds of a test: as many as it says, or those that the environment does: `ANABRANCH_SEEDS` how many,
/// `ANABRANCH_SEED` which one.
#[must_use]
pub fn seeds(in_tests: u64) -> Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    match number("ANABRANCH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ANABRANCH_SEEDS").unwrap_or(in_tests),
    }
}

/// Plays each seed, on as many threads as there are.
///
/// # Panics
/// Where one does not end as it has to: with that seed.
pub fn each_seed(seeds: Range<u64>, play: fn(u64) -> Result<Played, Lost>) {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let share = |number: u64| {
        let mine = seeds.clone().filter(move |seed| seed % threads == number);
        let play = |seed| play(seed).unwrap_or_else(|error| panic!("ANABRANCH_SEED={seed}: {error}")).cases;
        mine.map(play).sum::<u64>()
    };
    let played: u64 = thread::scope(|scope| {
        let share = &share;
        let all: Vec<_> = (0..threads).map(|number| scope.spawn(move || share(number))).collect();
        all.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).sum()
    });
    println!("{} seeds, {played} cases", seeds.end - seeds.start);
}

fn faults(place: &SimPlace, chance: &mut Chance) -> Faults {
    let mut faults = Faults::default();
    match chance.below(3) {
        0 => faults.room = Some(place.taken() + chance.below(5) * 4096),
        1 => faults.fail_sync = Some(chance.below(3)),
        _ => faults.fail_write = Some(chance.below(12)),
    }
    faults
}

/// What a commit that is begun, and one that has ended, is marked with among the events of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Begins(u64),
    /// It was made, and may be lost.
    Relaxed(u64),
    /// It was made, and all before it, for good.
    Durable(u64),
    /// It was not made, and nothing of it may ever be there.
    Fails(u64),
}

impl Mark {
    fn number(self) -> u64 {
        match self {
            Mark::Begins(number) => number << 2,
            Mark::Relaxed(number) => number << 2 | 1,
            Mark::Durable(number) => number << 2 | 2,
            Mark::Fails(number) => number << 2 | 3,
        }
    }

    fn of(mark: u64) -> Self {
        let number = mark >> 2;
        match mark & 3 {
            0 => Mark::Begins(number),
            1 => Mark::Relaxed(number),
            2 => Mark::Durable(number),
            _ => Mark::Fails(number),
        }
    }
}

/// Which commits a crash may leave as the last one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Possible {
    /// What is there at the least.
    durable: u64,
    may: Vec<u64>,
    committing: Option<u64>,
}

impl Possible {
    fn pass(&mut self, mark: Mark) {
        self.committing = None;
        match mark {
            Mark::Begins(number) => self.committing = Some(number),
            Mark::Relaxed(number) => self.may.push(number),
            Mark::Durable(number) => {
                self.durable = number;
                self.may.clear();
            }
            Mark::Fails(_) => {}
        }
    }

    fn has(&self, number: u64) -> bool {
        self.durable == number || self.may.contains(&number) || self.committing == Some(number)
    }

    /// All of them.
    fn all(&self) -> impl Iterator<Item = u64> {
        [self.durable].into_iter().chain(self.may.iter().copied()).chain(self.committing)
    }
}

/// Lets the power fail after each event of a disk but those of the first `created`, and has `check` look at what is left: at
/// the replay, and at which commits may be the last one there. Gives how often it did.
fn after_each_event(
    place: &SimPlace,
    created: usize,
    chance: &mut Chance,
    mut check: impl FnMut(&Replay, &Possible, &mut Chance) -> Result<(), Lost>,
) -> Result<u64, Lost> {
    let events = place.events();
    let (mut replay, mut possible, mut played) = (Replay::default(), Possible::default(), 0);
    for (at, event) in events.iter().enumerate() {
        replay.play(event, chance);
        if let Event::Mark(mark) = event {
            possible.pass(Mark::of(*mark));
            continue;
        }
        if at < created {
            continue;
        }
        played += 1;
        check(&replay, &possible, chance).map_err(|error| format!("after event {at} of {}: {error}", events.len()))?;
    }
    Ok(played)
}
