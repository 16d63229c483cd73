//! A database in one file: written and read as a stream, whole or not believed.
//!
//! ```text
//! file    = 89 "ANB" 0d 0a 1a 0a | format 4 | frame*
//! frame   = kind 1 | length 4 | content | sum 4: CRC-32C over kind, length and content
//! key     = 1: length of namespace 1 | namespace | key                    what follows is its chain, oldest first
//! version = 2: time 8 | flags 1 | digest 24 | [previous 32] | [causes: count 4, 32 each] | [value: CBOR]
//! end     = 3: keys 8 | versions 8 | BLAKE3 over all before this frame 32
//! ```
//!
//! Flags: 1 deleted, 2 has a previous version, 4 that one is not in the file. Each version is proven by its id before it is
//! believed, and the end by its digest. Integers are big-endian.

use crate::chains::{Chain, Link, Proven, chain_after, links};
use crate::crc::Crc;
use crate::engine::Engine;
use crate::read::Reader;
use crate::verify::Damage;
use crate::version_id::Written;
use crate::write::{MAX_CAUSES, MAX_KEY, MAX_NAMESPACE, MAX_VALUE};
use crate::{Backend, Causes, Durability, ImportError, StoreError, Timestamp, VersionId};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use anabranch_value::cbor;

const MAGIC: [u8; 8] = *b"\x89ANB\r\n\x1a\n";
const FORMAT: u32 = 1;

const KEY: u8 = 1;
const VERSION: u8 = 2;
const END: u8 = 3;

const DELETED: u8 = 1;
const HAS_PREVIOUS: u8 = 2;
const PREVIOUS_MISSING: u8 = 4;

/// Writes the bytes of an export somewhere; what it says where it cannot reaches the caller.
pub type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> Result<(), String>;

/// Fills a buffer with what comes next of a file, and says how much: 0 at its end.
pub type Source<'s> = &'s mut dyn FnMut(&mut [u8]) -> Result<usize, String>;

/// What an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exported {
    /// Keys, deleted ones among them.
    pub keys: u64,
    /// Versions.
    pub versions: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// What could not be exported, since it is damaged: all else was.
    pub damages: Vec<Damage>,
}

/// What an import has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Versions that were new here.
    pub new: u64,
    /// Versions that were here already.
    pub known: u64,
}

/// How many bytes are handed to the sink at once.
const CHUNK: usize = 64 << 10;

struct Out<'s> {
    sink: Sink<'s>,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    bytes: u64,
}

impl Out<'_> {
    fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), StoreError> {
        let from = self.buffer.len();
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.buffer.push(kind);
        self.buffer.extend_from_slice(&(length as u32).to_be_bytes());
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        let sum = Crc::new().update(&self.buffer[from..]).value();
        self.buffer.extend_from_slice(&sum.to_be_bytes());
        if self.buffer.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.hasher.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        (self.sink)(&self.buffer).map_err(|reason| StoreError::Export { reason })?;
        self.buffer.clear();
        Ok(())
    }
}

/// Writes all that was written before it began.
pub(crate) fn export<B: Backend>(
    backend: &B,
    sink: Sink<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, StoreError> {
    let mut exported = Exported::default();
    // Where the times cannot be read, all that is there is taken.
    let until = match Reader::new(backend.view()?).last_write() {
        Ok(last) => last.unwrap_or(Timestamp::ZERO),
        Err(error) if error.is_damage() => Timestamp::LATEST,
        Err(error) => return Err(error),
    };
    let mut out = Out { sink, hasher: blake3::Hasher::new(), buffer: Vec::new(), bytes: 0 };
    out.buffer.extend_from_slice(&MAGIC);
    out.buffer.extend_from_slice(&FORMAT.to_be_bytes());
    let mut after = 0;
    loop {
        let chain = match chain_after(backend, after) {
            Ok(None) => break,
            Ok(Some(chain)) => chain,
            Err((error, next)) if error.is_damage() => {
                exported.damages.push(Damage { of: None, since: None, what: error.to_string() });
                match next {
                    Some(next) => after = next,
                    None => break,
                }
                continue;
            }
            Err((error, _)) => return Err(error),
        };
        after = chain.number;
        export_chain(backend, &chain, until, &mut out, &mut exported, progress)?;
    }
    out.flush()?;
    let digest = out.hasher.finalize();
    out.frame(END, &[&exported.keys.to_be_bytes(), &exported.versions.to_be_bytes(), digest.as_bytes()])?;
    out.flush()?;
    exported.bytes = out.bytes;
    Ok(exported)
}

fn export_chain<B: Backend>(
    backend: &B,
    chain: &Chain,
    until: Timestamp,
    out: &mut Out<'_>,
    exported: &mut Exported,
    progress: &mut dyn FnMut(u64),
) -> Result<(), StoreError> {
    let of = || Some((chain.namespace.clone(), chain.key.clone()));
    let mut has_begun = false;
    let outcome = links(backend, chain, until, &mut |_, link| {
        let version = match link {
            Link::Proven(version) => version,
            Link::Broken { at, what } => {
                exported.damages.push(Damage { of: of(), since: Some(at), what });
                return Ok(());
            }
        };
        if !core::mem::replace(&mut has_begun, true) {
            let length = [chain.namespace.len() as u8];
            out.frame(KEY, &[&length, chain.namespace.as_bytes(), chain.key.as_bytes()])?;
            exported.keys += 1;
        }
        let (flags, previous) = match &version.previous {
            Some(previous) if version.follows => (HAS_PREVIOUS, &previous.as_bytes()[..]),
            Some(previous) => (HAS_PREVIOUS | PREVIOUS_MISSING, &previous.as_bytes()[..]),
            None => (0, &[][..]),
        };
        let flags = flags | if version.value.is_none() { DELETED } else { 0 };
        let mut causes = Vec::with_capacity(4 + version.causes.len() * VersionId::LENGTH);
        causes.extend_from_slice(&(version.causes.len() as u32).to_be_bytes());
        version.causes.iter().for_each(|cause| causes.extend_from_slice(cause.as_bytes()));
        let id = version.id.as_bytes();
        let value = version.value.as_deref().unwrap_or_default();
        out.frame(VERSION, &[&id[..8], &[flags], &id[8..], previous, &causes, value])?;
        exported.versions += 1;
        if exported.versions.is_multiple_of(1000) {
            progress(exported.versions);
        }
        Ok(())
    });
    match outcome {
        Err(error) if error.is_damage() => {
            exported.damages.push(Damage { of: of(), since: None, what: error.to_string() });
            Ok(())
        }
        outcome => outcome,
    }
}

/// The frames of a file, one after another.
struct In<'s> {
    source: Source<'s>,
    hasher: blake3::Hasher,
    at: u64,
    content: Vec<u8>,
}

/// No frame is longer.
const LONGEST: usize = MAX_VALUE + MAX_CAUSES * VersionId::LENGTH + 128;

impl In<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ImportError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let room = rest.len();
            let read = (self.source)(rest).map_err(ImportError::Unreadable)?.min(room);
            if read == 0 {
                return Err(ImportError::CutShort { at: self.at });
            }
            filled += read;
            self.at += read as u64;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), ImportError> {
        let mut head = [0; 12];
        self.fill(&mut head).map_err(|error| match error {
            ImportError::CutShort { .. } => ImportError::NotAnExport,
            error => error,
        })?;
        self.hasher.update(&head);
        let (magic, format) = head.split_at(8);
        if magic != MAGIC {
            return Err(ImportError::NotAnExport);
        }
        match format.try_into().map(u32::from_be_bytes).unwrap_or_default() {
            FORMAT => Ok(()),
            found if found > FORMAT => Err(ImportError::Newer { found, known: FORMAT }),
            _ => Err(ImportError::Altered { at: self.at }),
        }
    }

    /// The kind of the next frame; its content lies in `content`. The digest is that of all before it.
    fn frame(&mut self) -> Result<(u8, blake3::Hash), ImportError> {
        let mut head = [0; 5];
        self.fill(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > LONGEST {
            return Err(ImportError::Altered { at: self.at });
        }
        self.content.clear();
        // Room is made for what comes, not for what is announced.
        while self.content.len() < length {
            let from = self.content.len();
            self.content.resize(length.min(from + CHUNK), 0);
            let mut content = core::mem::take(&mut self.content);
            let filled = self.fill(&mut content[from..]);
            self.content = content;
            filled?;
        }
        let mut sum = [0; 4];
        self.fill(&mut sum)?;
        if Crc::new().update(&head).update(&self.content).value() != u32::from_be_bytes(sum) {
            return Err(ImportError::Altered { at: self.at });
        }
        let before = if kind == END { self.hasher.finalize() } else { blake3::Hash::from_bytes([0; 32]) };
        self.hasher.update(&head).update(&self.content).update(&sum);
        Ok((kind, before))
    }

    fn is_end(&mut self) -> Result<bool, ImportError> {
        Ok((self.source)(&mut [0]).map_err(ImportError::Unreadable)? == 0)
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

/// Reads a file, and hands its versions on in chunks: the last one immediate.
pub(crate) fn import(
    source: Source<'_>,
    take: &mut dyn FnMut(&Chunk, Durability) -> Result<Imported, StoreError>,
    progress: &mut dyn FnMut(u64),
) -> Result<Imported, StoreError> {
    let mut input = In { source, hasher: blake3::Hasher::new(), at: 0, content: Vec::new() };
    let mut imported = Imported::default();
    let outcome = read_all(&mut input, &mut imported, take, progress);
    if outcome.is_err() {
        // What was read before is whole, and stays.
        take(&Chunk::default(), Durability::Immediate)?;
    }
    let versions = imported.new + imported.known;
    outcome.map(|()| imported).map_err(|error| match error {
        Failure::Import(reason) => StoreError::Import { versions, reason },
        Failure::Store(StoreError::Import { reason, .. }) => StoreError::Import { versions, reason },
        Failure::Store(error) => error,
    })
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

fn read_all(
    input: &mut In<'_>,
    imported: &mut Imported,
    take: &mut dyn FnMut(&Chunk, Durability) -> Result<Imported, StoreError>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    input.begin()?;
    let mut chunk = Chunk::default();
    let (mut keys, mut versions) = (0_u64, 0_u64);
    let mut scratch = Vec::new();
    loop {
        // What was read whole is taken, whatever comes after it.
        let next = input.frame();
        let is_full = chunk.versions.len() >= VERSIONS || chunk.bytes >= BYTES || chunk.names.len() > VERSIONS;
        if is_full || next.is_err() || matches!(next, Ok((END, _))) {
            let durability = if is_full { Durability::Relaxed } else { Durability::Immediate };
            let taken = take(&chunk, durability)?;
            imported.new += taken.new;
            imported.known += taken.known;
            progress(versions);
            let names = chunk.names.pop();
            chunk = Chunk { names: names.into_iter().collect(), ..Chunk::default() };
        }
        let (kind, before) = next?;
        let altered = ImportError::Altered { at: input.at };
        match kind {
            KEY => {
                chunk.names.push(read_key(&input.content).ok_or(altered)?);
                keys += 1;
            }
            VERSION => {
                let place = chunk.names.len().checked_sub(1);
                let names = place.and_then(|place| chunk.names.get(place));
                let (Some(place), Some((namespace, key))) = (place, names) else { return Err(altered.into()) };
                let version = read_version(&input.content, namespace, key, &mut scratch).ok_or(altered)?;
                chunk.bytes += input.content.len();
                chunk.versions.push((place, version));
                versions += 1;
            }
            END => {
                let end = [&keys.to_be_bytes()[..], &versions.to_be_bytes(), before.as_bytes()];
                if end.concat() != input.content || !input.is_end()? {
                    return Err(altered.into());
                }
                return Ok(());
            }
            _ => return Err(altered.into()),
        }
    }
}

fn read_key(content: &[u8]) -> Option<(String, String)> {
    let (length, names) = content.split_first()?;
    let (namespace, key) = names.split_at_checked(usize::from(*length))?;
    let fits = (1..=MAX_NAMESPACE).contains(&namespace.len()) && (1..=MAX_KEY).contains(&key.len());
    let text = |bytes| core::str::from_utf8(bytes).ok().map(ToString::to_string);
    fits.then_some((text(namespace)?, text(key)?))
}

fn read_version(content: &[u8], namespace: &str, key: &str, scratch: &mut Vec<u8>) -> Option<Proven> {
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

impl<B: Backend> Engine<B> {
    /// Writes the database to a file: all that was written before it began. `progress` is told the versions so far.
    ///
    /// # Errors
    /// [`StoreError::Export`] with what the sink says; what the backend says, but for damage, which is in the result.
    pub fn export(&self, sink: Sink<'_>, progress: &mut dyn FnMut(u64)) -> Result<Exported, StoreError> {
        export(self.backend(), sink, progress)
    }

    /// Reads a file that was exported, and writes what is not here yet. `progress` is told the versions so far.
    ///
    /// # Errors
    /// [`StoreError::Import`], after which what was read before is here; and what the backend says.
    pub fn import(&mut self, source: Source<'_>, progress: &mut dyn FnMut(u64)) -> Result<Imported, StoreError> {
        import(source, &mut |chunk, durability| self.take(chunk, durability), progress)
    }

    fn take(&mut self, chunk: &Chunk, durability: Durability) -> Result<Imported, StoreError> {
        let imported = self.stage_imported(chunk);
        if imported.is_err() {
            self.discard();
        }
        let imported = imported?;
        self.commit(durability)?;
        Ok(imported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Memory, Write};
    use proptest::prelude::*;

    fn import_into(engine: &mut Engine<Memory>, mut file: &[u8]) -> Result<Imported, StoreError> {
        let source: Source<'_> = &mut |buffer| {
            let count = file.len().min(buffer.len());
            buffer[..count].copy_from_slice(&file[..count]);
            file = &file[count..];
            Ok(count)
        };
        engine.import(source, &mut |_| ())
    }

    /// A file of frames whose sums are right, whatever is in them.
    fn file_of(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut file = Vec::new();
        let sink: Sink<'_> = &mut |bytes| {
            file.extend_from_slice(bytes);
            Ok(())
        };
        let mut out = Out { sink, hasher: blake3::Hasher::new(), buffer: Vec::new(), bytes: 0 };
        out.buffer.extend_from_slice(&MAGIC);
        out.buffer.extend_from_slice(&FORMAT.to_be_bytes());
        for (kind, content) in frames {
            out.frame(*kind, &[content]).unwrap();
        }
        out.flush().unwrap();
        file
    }

    proptest! {
        #[test]
        fn no_file_makes_an_import_panic_or_believe_what_it_says(
            frames in prop::collection::vec((0_u8..5, any::<Vec<u8>>()), 0..8),
            tail: Vec<u8>,
        ) {
            let mut engine = Engine::open(Memory::new()).unwrap();
            let mut file = file_of(&frames);
            file.extend_from_slice(&tail);
            prop_assert!(import_into(&mut engine, &file).is_err());
            prop_assert!(import_into(&mut engine, &tail).is_err());
            prop_assert_eq!(engine.reader().unwrap().last_write(), Ok(None));
        }
    }

    #[test]
    fn a_version_that_is_not_what_its_id_says_is_refused_though_its_sum_is_right() {
        let mut engine = Engine::open(Memory::new()).unwrap();
        let wall = Timestamp::from_nanos(7);
        let version = engine.write(&[Write::put("n", "k", 5)], wall, Durability::Immediate).unwrap().remove(0);
        let id = version.version_id.as_bytes();
        let content = |value: &[u8]| [&id[..8], &[0], &id[8..], &[0; 4], value].concat();
        let mut scratch = Vec::new();
        assert!(read_version(&content(&[5]), "n", "k", &mut scratch).is_some());
        assert!(read_version(&content(&[6]), "n", "k", &mut scratch).is_none());
        assert!(
            read_version(&content(&[0x18, 5]), "n", "k", &mut scratch).is_none(),
            "the same value, written otherwise"
        );
        assert!(read_version(&content(&[5]), "n", "l", &mut scratch).is_none());
        let key = (KEY, b"\x01nk".to_vec());
        let mut other = Engine::open(Memory::new()).unwrap();
        let outcome = import_into(&mut other, &file_of(&[key, (VERSION, content(&[6]))]));
        assert!(matches!(outcome, Err(StoreError::Import { reason: ImportError::Altered { .. }, versions: 0 })));
    }
}
