//! The storages that histories are played on, and in what they differ.

use crate::Lost;
use anabranch_medium::sim::{Chance, SimPlace};
use anabranch_opfs::OpfsBackend;
use anabranch_redb::RedbBackend;
use anabranch_store::{Backend, BackendError};

/// A storage, opened on a simulated disk.
pub trait Storage {
    /// What it is opened as.
    type Backend: Backend + Send + Sync + 'static;
    /// What may be chosen for that.
    type Options;

    /// A disk with nothing on it.
    fn place() -> SimPlace;

    /// Options by chance: so small as a rule that what happens seldom happens in every history.
    fn options(chance: &mut Chance) -> Self::Options;

    /// Opens it.
    ///
    /// # Errors
    /// [`BackendError`].
    fn open(place: &SimPlace, options: &Self::Options) -> Result<Self::Backend, BackendError>;

    /// Has it tidy up, by which all commits become durable.
    ///
    /// # Errors
    /// [`BackendError`].
    fn tidy(backend: &Self::Backend) -> Result<(), BackendError>;

    /// A byte of what the rest hangs on.
    fn of_headers(place: &SimPlace, chance: &mut Chance) -> u64;

    /// Whether an error tells a flipped bit as it should.
    ///
    /// # Errors
    /// [`Lost`]: that it does not.
    fn told(error: &BackendError, byte: u64) -> Result<(), Lost>;
}

/// `storage/redb`.
#[derive(Debug)]
pub struct Redb;

impl Storage for Redb {
    type Backend = RedbBackend;
    type Options = anabranch_redb::Options;

    fn place() -> SimPlace {
        SimPlace::default()
    }

    fn options(chance: &mut Chance) -> Self::Options {
        let mut options = Self::Options::default();
        // so small that blocks go to the disk in the middle of a commit, too
        options.cache = if chance.one_in(3) { 64 << 10 } else { 1 << 20 };
        options.relaxed = if chance.one_in(3) { 2_000 } else { 1 << 20 };
        // none, one that is full after a few commits, all of it
        options.log = [0, 24 << 10, 512 << 10, 512 << 10][chance.below(4) as usize];
        options
    }

    fn open(place: &SimPlace, options: &Self::Options) -> Result<RedbBackend, BackendError> {
        RedbBackend::open_at(place.clone(), options.clone())
    }

    fn tidy(backend: &RedbBackend) -> Result<(), BackendError> {
        backend.compact()
    }

    fn of_headers(_: &SimPlace, chance: &mut Chance) -> u64 {
        // and the log, of which histories use no more
        chance.below((5 + 32) * 4096)
    }

    fn told(error: &BackendError, byte: u64) -> Result<(), Lost> {
        let begin = byte < 4096;
        match error {
            BackendError::Damaged(what) if what.contains("block") || begin => Ok(()),
            BackendError::NotADatabase(_) | BackendError::Newer { .. } if begin => Ok(()),
            // A row of the store has a sum of its own.
            other => Err(format!("a flipped bit in byte {byte} is told as: {other}").into()),
        }
    }
}

/// `storage/opfs`.
#[derive(Debug)]
pub struct Opfs;

impl Storage for Opfs {
    type Backend = OpfsBackend;
    type Options = anabranch_opfs::Options;

    fn place() -> SimPlace {
        SimPlace::with_media(2)
    }

    fn options(chance: &mut Chance) -> Self::Options {
        let mut options = Self::Options::default();
        options.cache = if chance.one_in(3) { 0 } else { 1 << 20 };
        options.relaxed = if chance.one_in(3) { 2_000 } else { 1 << 20 };
        options.log = [0, 1_000, 20_000, 1 << 20][chance.below(4) as usize];
        options
    }

    fn open(place: &SimPlace, options: &Self::Options) -> Result<OpfsBackend, BackendError> {
        OpfsBackend::open(place.fixed(0), place.fixed(1), options.clone())
    }

    fn tidy(backend: &OpfsBackend) -> Result<(), BackendError> {
        backend.checkpoint()
    }

    fn of_headers(place: &SimPlace, chance: &mut Chance) -> u64 {
        let log = place.bytes_of(0).len() as u64;
        match chance.below(2) {
            0 => log + chance.below(4) * 4096 + chance.below(200),
            _ => chance.below(log),
        }
    }

    fn told(error: &BackendError, byte: u64) -> Result<(), Lost> {
        match error {
            BackendError::Damaged(what) if what.contains("blocks") || what.contains("its log") => Ok(()),
            other => Err(format!("a flipped bit in byte {byte} is told as: {other}").into()),
        }
    }
}
