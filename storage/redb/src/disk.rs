//! The disk that redb believes to have: one for each time it is opened, and one that never fails under its readers.
//!
//! When an operation of a redb database fails, so do all later ones, those of readers included. So it is told of no failure
//! to write: from the first on nothing more goes to the medium, what it writes is kept for its readers, and the commit that
//! it was about is given up by whoever began it, who asks [`failure`](Disk::failure). After that the medium is as a crash
//! would have left it, and a new database is opened over it; readers of the old one go on beside it.

use crate::{
    blocks::{Blocks, HEADER, Kept, reading, writing},
    layout::BLOCK,
};
use redb::StorageBackend;
use std::{
    io::{self, ErrorKind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

/// See the module. Clones are one disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    blocks: Arc<Blocks>,
    stage: AtomicU8,
    kept: Arc<Kept>,
    after: Mutex<After>,
}

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Stage {
    /// It goes to the medium.
    Live,
    /// Something has failed: it is kept, and redb is told that it went well.
    Failed,
    /// Another disk has taken the medium over: it is refused.
    Retired,
}

/// What redb believes since something has failed.
#[derive(Debug, Default)]
struct After {
    cause: Option<Failure>,
    len: u64,
    header: Option<[u8; HEADER]>,
}

/// What failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

impl Disk {
    pub(crate) fn new(blocks: Arc<Blocks>) -> Self {
        let stage = AtomicU8::new(Stage::Live as u8);
        Disk(Arc::new(Shared { blocks, stage, kept: Arc::default(), after: Mutex::default() }))
    }

    /// The first failure, if there was one.
    pub(crate) fn failure(&self) -> Option<Failure> {
        if self.is(Stage::Live) { None } else { self.after(|after| after.cause.clone()) }
    }

    /// Nothing more will go from here to the medium; what is read here stays as it is, whatever others write there.
    pub(crate) fn retire(&self) {
        let blocks = &self.0.blocks;
        self.after(|after| {
            if self.is(Stage::Live) {
                after.len = blocks.len();
                after.header = Some(blocks.header());
            }
            if !self.is(Stage::Retired) {
                // in this order: a reader that sees the stage finds what was overwritten
                blocks.retire(&self.0.kept);
                self.0.stage.store(Stage::Retired as u8, Ordering::SeqCst);
            }
        });
    }

    /// How much memory it takes to go on after a failure.
    pub(crate) fn memory(&self) -> u64 {
        (reading(&self.0.kept).len() * BLOCK) as u64
    }

    fn is(&self, stage: Stage) -> bool {
        self.0.stage.load(Ordering::SeqCst) == stage as u8
    }

    fn after<R>(&self, look: impl FnOnce(&mut After) -> R) -> R {
        look(&mut self.0.after.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does it while all is well, and keeps it otherwise.
    fn change(
        &self,
        now: impl FnOnce(&Blocks) -> io::Result<()>,
        later: impl FnOnce(&mut After, &Kept),
    ) -> io::Result<()> {
        if self.is(Stage::Live) {
            let Err(error) = now(&self.0.blocks) else { return Ok(()) };
            let blocks = &self.0.blocks;
            self.after(|after| {
                if self.is(Stage::Live) {
                    after.cause = Some(Failure { kind: error.kind(), message: error.to_string() });
                    after.len = blocks.len();
                    after.header = Some(blocks.header());
                    self.0.stage.store(Stage::Failed as u8, Ordering::SeqCst);
                }
            });
        }
        self.after(|after| match self.is(Stage::Retired) {
            true => Err(io::Error::other("the database was opened anew")),
            false => {
                later(after, &self.0.kept);
                Ok(())
            }
        })
    }

    fn read_kept(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let Shared { blocks, kept, .. } = &*self.0;
        let numbers = offset / BLOCK as u64..;
        for (number, bytes) in numbers.zip(into.chunks_mut(BLOCK)) {
            let mut copy = || reading(kept).get(&number).map(|block| bytes.copy_from_slice(block));
            if copy().is_some() {
                continue;
            }
            let read = blocks.read(number * BLOCK as u64, bytes);
            // It may have been overwritten meanwhile; then it was kept before.
            match reading(kept).get(&number) {
                Some(block) => bytes.copy_from_slice(block),
                None => read?,
            }
        }
        Ok(())
    }
}

/// redb reads and writes no part of its first block but the header, from its beginning.
fn of_header(offset: u64, len: usize) -> io::Result<bool> {
    match (offset, len) {
        (0, ..=HEADER) => Ok(true),
        (0, _) => Err(io::Error::new(ErrorKind::InvalidInput, format!("a header of {len} bytes"))),
        _ => Ok(false),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let live = self.0.blocks.len();
        Ok(if self.is(Stage::Live) { live } else { self.after(|after| after.len) })
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if of_header(offset, out.len())? {
            let live = self.0.blocks.header();
            let header = self.after(|after| after.header).filter(|_| !self.is(Stage::Live)).unwrap_or(live);
            out.copy_from_slice(&header[..out.len()]);
            return Ok(());
        }
        if self.is(Stage::Live) {
            let read = self.0.blocks.read(offset, out);
            // Unless another disk took over meanwhile, and wrote.
            if !self.is(Stage::Retired) {
                return read;
            }
        }
        self.read_kept(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|blocks| blocks.set_len(len), |after, _| after.len = len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Blocks::sync, |_, _| ())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if of_header(offset, data.len())? {
            let mut header = [0; HEADER];
            header[..data.len()].copy_from_slice(data);
            return self.change(|blocks| blocks.write_header(header), |after, _| after.header = Some(header));
        }
        self.change(
            |blocks| blocks.write(offset, data),
            |_, kept| {
                let mut kept = writing(kept);
                for (number, block) in (offset / BLOCK as u64..).zip(data.chunks(BLOCK)) {
                    kept.insert(number, block.into());
                }
            },
        )
    }
}
