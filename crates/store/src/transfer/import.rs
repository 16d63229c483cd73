//! Reading the file: each piece as far as it goes, and what is proven of it into the database.

use super::{CHUNK, DELETED, END, FORMAT, HAS_PREVIOUS, KEY, MAGIC, PREVIOUS_MISSING, Source, VERSION};
use crate::chains::Proven;
use crate::crc::Crc;
use crate::version_id::Written;
use crate::write::{MAX_CAUSES, MAX_KEY, MAX_NAMESPACE, MAX_VALUE};
use crate::{Causes, Durability, ImportError, StoreError, Timestamp, VersionId};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use anabranch_value::cbor;
use core::ops::Range;

/// What an import has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Versions that were new here.
    pub new: u64,
    /// Versions that were here already.
    pub known: u64,
}

/// No frame is longer.
const LONGEST: usize = MAX_VALUE + MAX_CAUSES * VersionId::LENGTH + 128;

/// The frames of a file, as its pieces come.
#[derive(Default)]
struct Frames {
    hasher: blake3::Hasher,
    /// What came and is not read; what stands before `read` was.
    came: Vec<u8>,
    read: usize,
    /// Where in the file that is.
    at: u64,
}

impl Frames {
    /// The next so many bytes, if they are there.
    fn ahead(&self, count: usize) -> Option<&[u8]> {
        self.came.get(self.read..self.read.checked_add(count)?)
    }

    fn pass(&mut self, count: usize) {
        self.read += count;
        self.at += count as u64;
    }

    /// Takes more, and lets go of what was read.
    fn take(&mut self, piece: &[u8]) {
        self.came.drain(..self.read);
        self.read = 0;
        self.came.extend_from_slice(piece);
    }

    /// The file's head; none while it is not all there.
    fn begin(&mut self) -> Result<Option<()>, ImportError> {
        const HEAD: usize = MAGIC.len() + 4;
        let Some(head) = self.ahead(HEAD) else { return Ok(None) };
        let (magic, format) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(ImportError::NotAnExport);
        }
        let format = format.try_into().map(u32::from_be_bytes).unwrap_or_default();
        self.hasher.update(&self.came[self.read..][..HEAD]);
        self.pass(HEAD);
        match format {
            FORMAT => Ok(Some(())),
            found if found > FORMAT => Err(ImportError::Newer { found, known: FORMAT }),
            _ => Err(ImportError::Altered { at: self.at }),
        }
    }

    /// The kind of the next frame, where its content lies in `came`, and the digest of all before it where it is the end; none
    /// while it is not all there.
    fn frame(&mut self) -> Result<Option<(u8, Range<usize>, blake3::Hash)>, ImportError> {
        let Some(&[kind, a, b, c, d]) = self.ahead(5) else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LONGEST {
            self.pass(5);
            return Err(ImportError::Altered { at: self.at });
        }
        let Some(frame) = self.ahead(5 + length + 4) else { return Ok(None) };
        let (checked, sum) = frame.split_at(5 + length);
        let fits = Crc::new().update(checked).value().to_be_bytes() == sum;
        let before = if kind == END { self.hasher.finalize() } else { blake3::Hash::from_bytes([0; 32]) };
        let content = self.read + 5..self.read + 5 + length;
        self.hasher.update(&self.came[self.read..content.end + 4]);
        self.pass(5 + length + 4);
        if fits { Ok(Some((kind, content, before))) } else { Err(ImportError::Altered { at: self.at }) }
    }
}

/// What is put into the database at once.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub versions: Vec<(usize, Proven)>,
    /// Namespaces and keys, which the versions name by their places.
    pub names: Vec<(String, String)>,
    bytes: usize,
}

/// A chunk has as many versions at most, and as many bytes.
const VERSIONS: usize = 1000;
const BYTES: usize = 4 << 20;

/// Takes versions into the database.
pub(crate) type Take<'t> = &'t mut dyn FnMut(&Chunk, Durability) -> Result<Imported, StoreError>;

/// An import that goes on: each piece of the file is read as far as it goes, and versions are handed on in chunks.
#[derive(Default)]
pub(crate) struct Import {
    frames: Frames,
    chunk: Chunk,
    keys: u64,
    versions: u64,
    place: Place,
    imported: Imported,
    scratch: Vec<u8>,
}

/// Where in a file it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Beginning,
    Midst,
    /// It is whole.
    End,
    /// Something was wrong, which was told.
    Wrong,
}

impl Import {
    /// Takes the next piece of the file.
    ///
    /// # Errors
    /// [`StoreError::Import`], after which what was read before is kept, and nothing more is taken; and what the backend says.
    pub fn feed(&mut self, piece: &[u8], take: Take<'_>, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        if self.place == Place::Wrong {
            return Ok(());
        }
        self.frames.take(piece);
        let outcome = self.read(take, progress);
        self.settle(outcome, take)
    }

    /// The file has ended, and was whole.
    ///
    /// # Errors
    /// As [`feed`](Self::feed): [`ImportError::CutShort`].
    pub fn end(mut self, take: Take<'_>) -> Result<Imported, StoreError> {
        let outcome = match self.place {
            Place::End => Ok(()),
            Place::Beginning => Err(ImportError::NotAnExport),
            Place::Midst | Place::Wrong => {
                Err(ImportError::CutShort { at: self.frames.at + (self.frames.came.len() - self.frames.read) as u64 })
            }
        };
        let outcome = outcome.map_err(Failure::from).or_else(|error| self.hand_on(take).and(Err(error)));
        self.settle(outcome, take)?;
        Ok(self.imported)
    }

    /// The file cannot be read on.
    ///
    /// # Errors
    /// [`StoreError::Import`] with the reason; what was read before is kept.
    pub fn give_up(mut self, reason: String, take: Take<'_>) -> Result<Imported, StoreError> {
        let outcome = self.hand_on(take).and(Err(ImportError::Unreadable(reason).into()));
        self.settle(outcome, take).map(|()| self.imported)
    }

    fn settle(&mut self, outcome: Result<(), Failure>, take: Take<'_>) -> Result<(), StoreError> {
        let Err(failure) = outcome else { return Ok(()) };
        self.place = Place::Wrong;
        // What was read before is whole, and stays.
        take(&Chunk::default(), Durability::Immediate)?;
        let versions = self.imported.new + self.imported.known;
        Err(match failure {
            Failure::Import(reason) | Failure::Store(StoreError::Import { reason, .. }) => {
                StoreError::Import { versions, reason }
            }
            Failure::Store(error) => error,
        })
    }

    /// Takes what was read whole, to be on stable storage then.
    fn hand_on(&mut self, take: Take<'_>) -> Result<(), Failure> {
        self.take_chunk(take, Durability::Immediate)
    }

    fn take_chunk(&mut self, take: Take<'_>, durability: Durability) -> Result<(), Failure> {
        let taken = take(&self.chunk, durability)?;
        self.imported.new += taken.new;
        self.imported.known += taken.known;
        let names = self.chunk.names.pop();
        self.chunk = Chunk { names: names.into_iter().collect(), ..Chunk::default() };
        Ok(())
    }

    fn read(&mut self, take: Take<'_>, progress: &mut dyn FnMut(u64)) -> Result<(), Failure> {
        if self.place == Place::Beginning && self.frames.begin()?.is_some() {
            self.place = Place::Midst;
        }
        while self.place == Place::Midst {
            let (kind, content, before) = match self.frames.frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                // What was read whole is taken, whatever comes after it.
                Err(error) => return self.hand_on(take).and(Err(error.into())),
            };
            let chunk = &self.chunk;
            let is_full = chunk.versions.len() >= VERSIONS || chunk.bytes >= BYTES || chunk.names.len() > VERSIONS;
            if is_full || kind == END {
                self.take_chunk(take, if is_full { Durability::Relaxed } else { Durability::Immediate })?;
                progress(self.versions);
            }
            let read = self.frame(kind, content, before);
            if read.is_err() {
                self.hand_on(take)?;
            }
            read?;
        }
        // Nothing comes after the end.
        if self.place == Place::End && self.frames.ahead(1).is_some() {
            return Err(ImportError::Altered { at: self.frames.at }.into());
        }
        Ok(())
    }

    fn frame(&mut self, kind: u8, content: Range<usize>, before: blake3::Hash) -> Result<(), ImportError> {
        let altered = ImportError::Altered { at: self.frames.at };
        let content = &self.frames.came[content];
        match kind {
            KEY => {
                self.chunk.names.push(read_key(content).ok_or(altered)?);
                self.keys += 1;
            }
            VERSION => {
                let place = self.chunk.names.len().checked_sub(1);
                let names = place.and_then(|place| self.chunk.names.get(place));
                let (Some(place), Some((namespace, key))) = (place, names) else { return Err(altered) };
                let version = read_version(content, namespace, key, &mut self.scratch).ok_or(altered)?;
                self.chunk.bytes += content.len();
                self.chunk.versions.push((place, version));
                self.versions += 1;
            }
            END => {
                let end = [&self.keys.to_be_bytes()[..], &self.versions.to_be_bytes(), before.as_bytes()];
                if end.concat() != content {
                    return Err(altered);
                }
                self.place = Place::End;
            }
            _ => return Err(altered),
        }
        Ok(())
    }
}

/// Reads a file, and hands its versions on in chunks: the last one immediate.
pub(crate) fn import(
    source: Source<'_>,
    take: Take<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported, StoreError> {
    let mut import = Import::default();
    let mut piece = vec![0; CHUNK];
    loop {
        match source(&mut piece) {
            Ok(0) => return import.end(take),
            Ok(count) => import.feed(&piece[..count.min(CHUNK)], take, progress)?,
            Err(reason) => return import.give_up(reason, take),
        }
    }
}

enum Failure {
    Import(ImportError),
    Store(StoreError),
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        Failure::Import(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Store(error)
    }
}

fn read_key(content: &[u8]) -> Option<(String, String)> {
    let (length, names) = content.split_first()?;
    let (namespace, key) = names.split_at_checked(usize::from(*length))?;
    let fits = (1..=MAX_NAMESPACE).contains(&namespace.len()) && (1..=MAX_KEY).contains(&key.len());
    let text = |bytes| core::str::from_utf8(bytes).ok().map(ToString::to_string);
    fits.then_some((text(namespace)?, text(key)?))
}

pub(super) fn read_version(content: &[u8], namespace: &str, key: &str, scratch: &mut Vec<u8>) -> Option<Proven> {
    let (at, rest) = content.split_first_chunk::<8>()?;
    let (flags, rest) = rest.split_first()?;
    let (digest, rest) = rest.split_first_chunk()?;
    let timestamp = Timestamp::from_bytes(at).filter(|at| *at > Timestamp::ZERO)?;
    let id = VersionId::from_parts(timestamp, digest);
    let (previous, rest) = if flags & HAS_PREVIOUS != 0 {
        let (previous, rest) = rest.split_first_chunk()?;
        (Some(VersionId::from_bytes(*previous)?), rest)
    } else {
        (None, rest)
    };
    let (count, rest) = rest.split_first_chunk()?;
    let count = u32::from_be_bytes(*count) as usize;
    if count > MAX_CAUSES || *flags > 7 {
        return None;
    }
    let (causes, value) = rest.split_at_checked(count * VersionId::LENGTH)?;
    let (causes, _) = causes.as_chunks();
    let causes: Option<Vec<VersionId>> = causes.iter().map(|cause| VersionId::from_bytes(*cause)).collect();
    let causes = causes?;
    let value = if flags & DELETED != 0 { value.is_empty().then_some(None)? } else { Some(value) };
    // A value has to be one, and written as the store writes it.
    if let Some(bytes) = value {
        let canonical = cbor::to_vec(&cbor::from_slice(bytes).ok()?).ok()?;
        (canonical == bytes).then_some(())?;
    }
    let written = Written { namespace, key, value, timestamp, previous, causes: &causes };
    let is_proven =
        VersionId::of(&written, scratch) == id && previous.is_none_or(|before| before.timestamp() < timestamp);
    is_proven.then(|| Proven {
        id,
        previous,
        follows: flags & PREVIOUS_MISSING == 0,
        causes: Causes::from(&*causes),
        value: value.map(Into::into),
    })
}
