//! Writing the file: a page of a chain at a time, handed out in pieces.

use super::{CHUNK, DELETED, END, FORMAT, HAS_PREVIOUS, KEY, MAGIC, PREVIOUS_MISSING, Sink, VERSION};
use crate::chains::{Chain, Link, Links, chain_after};
use crate::crc::Crc;
use crate::read::Reader;
use crate::verify::Damage;
use crate::{Backend, StoreError, Timestamp, VersionId};
use alloc::string::ToString;
use alloc::vec::Vec;

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

/// An export that goes on: where it stands, and what was written and not handed out yet.
pub(crate) struct Export {
    /// All that was written up to here is in it.
    until: Timestamp,
    /// The number of the last chain that was begun.
    after: u64,
    /// The chain that is being written.
    chain: Option<(Chain, Links)>,
    has_begun_chain: bool,
    is_whole: bool,
    hasher: blake3::Hasher,
    /// What stands before this was hashed.
    hashed: usize,
    pub(super) buffer: Vec<u8>,
    /// What stands before this was handed out.
    handed: usize,
    exported: Exported,
}

impl Export {
    /// Of all that was written before.
    pub fn begin<B: Backend>(backend: &B) -> Result<Self, StoreError> {
        // Where the times cannot be read, all that is there is taken.
        match Reader::new(backend.view()?).last_write() {
            Ok(last) => Ok(Self::until(last.unwrap_or(Timestamp::ZERO))),
            Err(error) if error.is_damage() => Ok(Self::until(Timestamp::LATEST)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn until(until: Timestamp) -> Self {
        let mut buffer = MAGIC.to_vec();
        buffer.extend_from_slice(&FORMAT.to_be_bytes());
        Export {
            until,
            after: 0,
            chain: None,
            has_begun_chain: false,
            is_whole: false,
            hasher: blake3::Hasher::new(),
            hashed: 0,
            buffer,
            handed: 0,
            exported: Exported::default(),
        }
    }

    /// The next bytes, `most` at most; none after the end. It holds a page of a chain, and no more.
    pub fn next<B: Backend>(
        &mut self,
        backend: &B,
        most: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<&[u8], StoreError> {
        while self.buffer.len() - self.handed < most && !self.is_whole {
            self.hash();
            self.buffer.drain(..self.handed);
            self.hashed -= self.handed;
            self.handed = 0;
            self.step(backend, progress)?;
        }
        let from = self.handed;
        self.handed = self.buffer.len().min(from.saturating_add(most));
        let piece = &self.buffer[from..self.handed];
        self.exported.bytes += piece.len() as u64;
        Ok(piece)
    }

    fn hash(&mut self) {
        self.hasher.update(&self.buffer[self.hashed..]);
        self.hashed = self.buffer.len();
    }

    pub(super) fn frame(&mut self, kind: u8, parts: &[&[u8]]) {
        let from = self.buffer.len();
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.buffer.push(kind);
        self.buffer.extend_from_slice(&(length as u32).to_be_bytes());
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        let sum = Crc::new().update(&self.buffer[from..]).value();
        self.buffer.extend_from_slice(&sum.to_be_bytes());
    }

    /// Writes a page of the chain that it stands in, or goes to the next.
    fn step<B: Backend>(&mut self, backend: &B, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        let Some((chain, mut links)) = self.chain.take() else {
            match chain_after(backend, self.after) {
                Ok(Some(chain)) => {
                    self.after = chain.number;
                    self.has_begun_chain = false;
                    self.chain = Some((chain, Links::new(self.until)));
                }
                Ok(None) => self.end(),
                Err((error, next)) if error.is_damage() => {
                    self.exported.damages.push(Damage { of: None, since: None, what: error.to_string() });
                    match next {
                        Some(next) => self.after = next,
                        None => self.end(),
                    }
                }
                Err((error, _)) => return Err(error),
            }
            return Ok(());
        };
        match links.page(backend, &chain, &mut |_, link| {
            self.link(&chain, link, progress);
            Ok(())
        }) {
            Ok(true) => self.chain = Some((chain, links)),
            Ok(false) => {}
            Err(error) if error.is_damage() => {
                let of = Some((chain.namespace, chain.key));
                self.exported.damages.push(Damage { of, since: None, what: error.to_string() });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn link(&mut self, chain: &Chain, link: Link, progress: &mut dyn FnMut(u64)) {
        let version = match link {
            Link::Proven(version) => version,
            Link::Broken { at, what } => {
                let of = Some((chain.namespace.clone(), chain.key.clone()));
                return self.exported.damages.push(Damage { of, since: Some(at), what });
            }
        };
        if !core::mem::replace(&mut self.has_begun_chain, true) {
            let length = [chain.namespace.len() as u8];
            self.frame(KEY, &[&length, chain.namespace.as_bytes(), chain.key.as_bytes()]);
            self.exported.keys += 1;
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
        self.frame(VERSION, &[&id[..8], &[flags], &id[8..], previous, &causes, value]);
        self.exported.versions += 1;
        if self.exported.versions.is_multiple_of(1000) {
            progress(self.exported.versions);
        }
    }

    fn end(&mut self) {
        self.hash();
        let digest = self.hasher.finalize();
        let (keys, versions) = (self.exported.keys.to_be_bytes(), self.exported.versions.to_be_bytes());
        self.frame(END, &[&keys, &versions, digest.as_bytes()]);
        self.is_whole = true;
    }
}

/// Writes all that was written before it began.
pub(crate) fn export<B: Backend>(
    backend: &B,
    sink: Sink<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, StoreError> {
    let mut export = Export::begin(backend)?;
    loop {
        let piece = export.next(backend, CHUNK, progress)?;
        if piece.is_empty() {
            return Ok(export.exported);
        }
        sink(piece).map_err(|reason| StoreError::Export { reason })?;
    }
}
