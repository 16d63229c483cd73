//! A disk in memory that is full, fails, flips bits and loses power as a test says; one seed, one course of events.
//!
//! ```text
//!  SimPlace ── what is written, synced, published, marked ──▶ Events
//!                                                               │ Replay: one event after another
//!                                                               ▼
//!                                     crash: what was synced, and of the rest any part, torn ──▶ SimPlace
//! ```
//!
//! A test plays its history once and then has the power fail after each of its events, as often as it likes.
//!
//! ```
//! use anabranch_medium::{Medium, sim::{Chance, Replay, SimPlace}};
//!
//! let place = SimPlace::with_media(1);
//! let medium = place.fixed(0);
//! medium.write(0, b"safe")?;
//! medium.sync()?;
//! medium.write(0, b"lost")?;
//!
//! let (mut replay, mut chance) = (Replay::default(), Chance::new(1));
//! for event in place.events() {
//!     replay.play(&event, &mut chance);
//!     let after = replay.crash(&mut chance);
//!     assert!(after.size() <= 4);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

use crate::{Medium, Place};
use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Numbers by a seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // seeds that follow one another have nothing in common
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// A number below the bound; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// Once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What goes wrong on a disk.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Faults {
    /// How many bytes it holds; what does not fit fails with [`ErrorKind::StorageFull`].
    pub room: Option<u64>,
    /// After so many more syncs one fails, and what was written before it is there or not for ever.
    pub fail_sync: Option<u64>,
    /// After so many more writes one fails, in the middle.
    pub fail_write: Option<u64>,
    /// Every read fails of what has these bytes.
    pub unreadable: Option<Range<u64>>,
}

/// What has happened on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Bytes were written on the medium of that number.
    Write(usize, u64, Vec<u8>),
    /// It was given another length.
    SetLen(usize, u64),
    /// It was synced.
    Sync(usize),
    /// It could not be.
    SyncFailed(usize),
    /// There are so many media from the beginning, and none of them is a spare.
    Fixed(usize),
    /// An empty medium was made.
    Spare(usize),
    /// The last of those became the database's.
    Publish,
    /// What the test wanted to find again.
    Mark(u64),
}

/// A place with simulated media. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct SimPlace(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    media: Vec<Image>,
    /// How many of them were there from the beginning, if they were.
    fixed: usize,
    main: Option<usize>,
    spare: Option<usize>,
    events: Vec<Event>,
    faults: Faults,
    read: u64,
    written: u64,
}

#[derive(Debug, Clone, Default)]
struct Image {
    bytes: Vec<u8>,
    /// Those of its blocks that take room.
    taken: BTreeSet<u64>,
}

const BLOCK: u64 = 4096;

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Image {
    fn of(bytes: &[u8]) -> Self {
        let mut image = Image::default();
        image.write(0, bytes);
        image
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = at(offset) + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[at(offset)..end].copy_from_slice(bytes);
        self.taken.extend(blocks(offset, bytes.len()));
    }

    fn set_len(&mut self, len: u64) {
        self.bytes.resize(at(len), 0);
        self.taken.retain(|block| block * BLOCK < len);
    }
}

fn blocks(offset: u64, len: usize) -> Range<u64> {
    offset / BLOCK..(offset + len as u64).div_ceil(BLOCK)
}

impl SimPlace {
    /// What goes wrong from now on.
    pub fn fail(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Puts a mark between the events.
    pub fn mark(&self, mark: u64) {
        self.state().events.push(Event::Mark(mark));
    }

    /// What has happened until now.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// A place with so many media that are there from the beginning, empty: what it has instead of one and a spare.
    #[must_use]
    pub fn with_media(count: usize) -> SimPlace {
        SimPlace::of(vec![Image::default(); count], count)
    }

    /// One of the media that are there from the beginning.
    ///
    /// # Panics
    /// Where there are fewer.
    #[must_use]
    pub fn fixed(&self, number: usize) -> Arc<dyn Medium> {
        assert!(number < self.state().fixed, "there is no medium {number}");
        self.handle(number)
    }

    /// How many bytes the database's media have: those that are fixed one after another, or the main one.
    #[must_use]
    pub fn size(&self) -> u64 {
        let state = self.state();
        state.database().map(|medium| state.media[medium].bytes.len() as u64).sum()
    }

    /// How much room all its media take.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.state().taken()
    }

    /// How many bytes were read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.state().read
    }

    /// How many bytes were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.state().written
    }

    /// Changes a bit of the database's media, where it lies.
    pub fn flip(&self, byte: u64, bit: u8) {
        let (mut state, mut place) = (self.state(), at(byte));
        for medium in state.database() {
            let bytes = &mut state.media[medium].bytes;
            match bytes.get_mut(place) {
                Some(byte) => {
                    *byte ^= 1 << (bit % 8);
                    return;
                }
                None => place -= bytes.len(),
            }
        }
    }

    /// A place whose database has these bytes.
    #[must_use]
    pub fn with(bytes: Vec<u8>) -> SimPlace {
        SimPlace::of(vec![Image::of(&bytes)], 0)
    }

    /// A place whose fixed media have these bytes each.
    #[must_use]
    pub fn with_bytes(media: &[Vec<u8>]) -> SimPlace {
        SimPlace::of(media.iter().map(|bytes| Image::of(bytes)).collect(), media.len())
    }

    /// The bytes of the database's media, one after another.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let state = self.state();
        state.database().flat_map(|medium| state.media[medium].bytes.clone()).collect()
    }

    /// The bytes of a fixed medium.
    #[must_use]
    pub fn bytes_of(&self, number: usize) -> Vec<u8> {
        self.state().media.get(number).map_or_else(Vec::new, |image| image.bytes.clone())
    }

    /// The database's media as they are, in a place of their own.
    #[must_use]
    pub fn copy(&self) -> SimPlace {
        let state = self.state();
        SimPlace::of(state.database().map(|medium| state.media[medium].clone()).collect(), state.fixed)
    }

    fn of(media: Vec<Image>, fixed: usize) -> Self {
        let main = (fixed == 0 && !media.is_empty()).then_some(0);
        let events = if fixed > 0 { vec![Event::Fixed(fixed)] } else { Vec::new() };
        SimPlace(Arc::new(Mutex::new(State { media, fixed, main, events, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, number: usize) -> Arc<dyn Medium> {
        Arc::new(SimMedium { place: self.clone(), number })
    }
}

impl State {
    /// The media that are there after a crash, too.
    fn database(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.fixed).chain(self.main)
    }

    fn taken(&self) -> u64 {
        let used = self.database().chain(self.spare);
        used.map(|medium| self.media[medium].taken.len() as u64 * BLOCK).sum()
    }
}

impl Place for SimPlace {
    fn medium(&self) -> io::Result<Option<Arc<dyn Medium>>> {
        let main = self.state().main;
        Ok(main.map(|main| self.handle(main)))
    }

    fn spare(&self) -> io::Result<Arc<dyn Medium>> {
        let number = {
            let mut state = self.state();
            let number = state.media.len();
            state.media.push(Image::default());
            state.spare = Some(number);
            state.events.push(Event::Spare(number));
            number
        };
        Ok(self.handle(number))
    }

    fn publish(&self) -> io::Result<()> {
        let mut state = self.state();
        state.main = state.spare.take();
        state.events.push(Event::Publish);
        Ok(())
    }
}

#[derive(Debug)]
struct SimMedium {
    place: SimPlace,
    number: usize,
}

/// Counts one down, and says whether this is the one that fails.
fn is_due(left: &mut Option<u64>) -> bool {
    match left {
        Some(0) => {
            *left = None;
            true
        }
        Some(more) => {
            *more -= 1;
            false
        }
        None => false,
    }
}

impl Medium for SimMedium {
    fn len(&self) -> io::Result<u64> {
        Ok(self.place.state().media[self.number].bytes.len() as u64)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut state = self.place.state();
        let end = offset + into.len() as u64;
        state.read += into.len() as u64;
        if state.faults.unreadable.as_ref().is_some_and(|bad| bad.start < end && offset < bad.end) {
            return Err(io::Error::other("simulated: the sector cannot be read"));
        }
        let bytes = state.media[self.number].bytes.get(at(offset)..at(end)).ok_or(ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.place.state();
        let image = &state.media[self.number];
        let new = blocks(offset, bytes.len()).filter(|block| !image.taken.contains(block)).count() as u64 * BLOCK;
        let fits = state.faults.room.is_none_or(|room| state.taken() + new <= room);
        let fails = is_due(&mut state.faults.fail_write);
        let written = match fits && !fails {
            true => bytes,
            // as much as there is room for, or half of it
            false if fails || new < bytes.len() as u64 => &bytes[..bytes.len() / 2],
            false => &[],
        };
        if !written.is_empty() {
            state.written += written.len() as u64;
            state.media[self.number].write(offset, written);
            state.events.push(Event::Write(self.number, offset, written.to_vec()));
        }
        match (fails, fits) {
            (true, _) => Err(io::Error::other("simulated: the write failed")),
            (_, false) => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.place.state();
        state.media[self.number].set_len(len);
        state.events.push(Event::SetLen(self.number, len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.place.state();
        if is_due(&mut state.faults.fail_sync) {
            state.events.push(Event::SyncFailed(self.number));
            return Err(io::Error::other("simulated: the sync failed"));
        }
        state.events.push(Event::Sync(self.number));
        Ok(())
    }

    fn taken(&self) -> io::Result<u64> {
        Ok(self.place.state().media[self.number].taken.len() as u64 * BLOCK)
    }
}

/// Goes through events again, and knows at each what a power loss would leave.
#[derive(Debug, Default)]
pub struct Replay {
    media: Vec<Half>,
    fixed: usize,
    main: Option<usize>,
    spare: Option<usize>,
}

/// A medium: what is on it for sure, and what was written since.
#[derive(Debug, Default)]
struct Half {
    safe: Image,
    since: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

impl Change {
    fn apply(&self, image: &mut Image) {
        match self {
            Change::Write(offset, bytes) => image.write(*offset, bytes),
            Change::SetLen(len) => image.set_len(*len),
        }
    }

    /// What is left of it when the power fails on its way.
    fn torn(&self, chance: &mut Chance) -> Option<Change> {
        let Change::Write(offset, bytes) = self else { return Some(self.clone()) };
        let len = bytes.len() as u64;
        let (a, b) = (chance.below(len + 1), chance.below(len + 1));
        // half of the time where sectors end, else anywhere
        let unit = if chance.one_in(2) { 512 } else { 1 };
        let (from, to) = (a.min(b) / unit * unit, a.max(b) / unit * unit);
        (from < to).then(|| Change::Write(offset + from, bytes[at(from)..at(to)].to_vec()))
    }
}

impl Replay {
    /// The next event.
    pub fn play(&mut self, event: &Event, chance: &mut Chance) {
        match event {
            Event::Write(medium, offset, bytes) => {
                self.media[*medium].since.push(Change::Write(*offset, bytes.clone()));
            }
            Event::SetLen(medium, len) => self.media[*medium].since.push(Change::SetLen(*len)),
            Event::Sync(medium) => {
                let Half { safe, since } = &mut self.media[*medium];
                since.drain(..).for_each(|change| change.apply(safe));
            }
            // What was lost then comes back by no later sync.
            Event::SyncFailed(medium) => {
                let half = &mut self.media[*medium];
                half.safe = half.after_a_loss(chance);
                half.since.clear();
            }
            Event::Fixed(count) => {
                self.media.resize_with(*count, Half::default);
                self.fixed = *count;
            }
            Event::Spare(medium) => {
                self.media.resize_with(medium + 1, Half::default);
                self.spare = Some(*medium);
            }
            Event::Publish => self.main = self.spare.take(),
            Event::Mark(_) => {}
        }
    }

    /// The power fails: what was synced is there, and of what was not any part, in any order, torn or not.
    #[must_use]
    pub fn crash(&self, chance: &mut Chance) -> SimPlace {
        let database = (0..self.fixed).chain(self.main);
        SimPlace::of(database.map(|medium| self.media[medium].after_a_loss(chance)).collect(), self.fixed)
    }
}

impl Half {
    fn after_a_loss(&self, chance: &mut Chance) -> Image {
        let mut image = self.safe.clone();
        let all = self.since.len() as u64;
        let how = chance.below(6);
        let cut = chance.below(all + 1);
        for (number, change) in (0_u64..).zip(&self.since) {
            let kept = match how {
                0 => false,
                1 => true,
                // what was written first, or last, and one of them torn
                2 => number < cut,
                3 => number > cut,
                _ => chance.one_in(2),
            };
            if number == cut && how > 1 || kept && how == 5 && chance.one_in(3) {
                if let Some(torn) = change.torn(chance) {
                    torn.apply(&mut image);
                }
            } else if kept {
                change.apply(&mut image);
            }
        }
        image
    }
}
