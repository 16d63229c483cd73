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

mod export;
mod import;

#[cfg(feature = "std")]
pub(crate) use export::Export;
pub use export::Exported;
pub(crate) use export::export;
#[cfg(feature = "std")]
pub(crate) use import::Import;
pub use import::Imported;
pub(crate) use import::{Chunk, import};

use crate::engine::Engine;
use crate::{Backend, Durability, StoreError};
use alloc::string::String;

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

/// How many bytes are handed to the sink at once.
const CHUNK: usize = 64 << 10;

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
    use super::import::read_version;
    use super::*;
    use crate::{ImportError, Memory, Timestamp, Write};
    use alloc::vec::Vec;
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
        let mut export = Export::until(Timestamp::ZERO);
        for (kind, content) in frames {
            export.frame(*kind, &[content]);
        }
        file.append(&mut export.buffer);
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
