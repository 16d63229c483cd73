//! A store as a whole, wherever it is open: proven, out into a file and in from one.

use std::{
    io::{self, Read, Write},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use anabranch::store::StoreError;
use anabranch_node::shown::{Exported, Imported, Verified};
use tokio::sync::mpsc::channel;

use super::database::{Asked, Database};
use crate::failure::Failure;

/// How large the pieces of a file are that go to a node, and how many may be under way.
const PIECE: usize = 64 << 10;
const UNDER_WAY: usize = 4;

impl Database {
    /// Proves every version. `progress` is told the versions so far.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, Failure> {
        match self {
            Database::Own(store) => Ok(store.verify(progress)?.into()),
            Database::Node(node) => node.ask(node.store.verify(progress)),
        }
    }

    /// Writes all of it to a file. `progress` is told the versions so far; for a node's store, the bytes.
    pub fn export(&self, to: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> Result<Exported, Failure> {
        let mut sink = |bytes: &[u8]| to.write_all(bytes).map_err(|why| why.to_string());
        match self {
            Database::Own(store) => Ok(store.export(&mut sink, progress)?.into()),
            Database::Node(Asked { threads, store }) => threads.block_on(async {
                let mut file = store.export().await?;
                let mut written = 0;
                while let Some(piece) = file.next().await? {
                    written += piece.len() as u64;
                    progress(written);
                    sink(&piece).map_err(|reason| StoreError::Export { reason })?;
                }
                Ok(file.exported()?)
            }),
        }
    }

    /// Reads a file, and writes what is not there yet. `progress` is told the bytes so far.
    pub fn import(&self, file: &mut (dyn Read + Send), progress: &(dyn Fn(u64) + Sync)) -> Result<Imported, Failure> {
        let read = AtomicU64::new(0);
        let mut fill = |buffer: &mut [u8]| {
            let filled = file.read(buffer)?;
            progress(read.fetch_add(filled as u64, Ordering::Relaxed) + filled as u64);
            Ok(filled)
        };
        match self {
            Database::Own(store) => {
                let mut source = |buffer: &mut [u8]| fill(buffer).map_err(|why: io::Error| why.to_string());
                Ok(store.import(&mut source, &mut |_| ())?.into())
            }
            Database::Node(Asked { threads, store }) => {
                let (sender, pieces) = channel(UNDER_WAY);
                thread::scope(|scope| {
                    let reading = scope.spawn(move || -> io::Result<()> {
                        loop {
                            let mut piece = vec![0; PIECE];
                            let filled = fill(&mut piece)?;
                            piece.truncate(filled);
                            // Whoever takes none any more says why.
                            if filled == 0 || sender.blocking_send(piece.into()).is_err() {
                                return Ok(());
                            }
                        }
                    });
                    let imported = threads.block_on(store.import(pieces));
                    match reading.join() {
                        Ok(Err(why)) => Err(Failure::Input(why)),
                        _ => Ok(imported?),
                    }
                })
            }
        }
    }
}
