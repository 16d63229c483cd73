//! What strangers and disks hand in, altered in every way: it is read or refused, and nothing else.
//!
//! ```text
//!  seeds/TARGET ──▶ altered ──▶ TARGET::try_it(bytes): panics where a promise is broken
//!                      ▲
//!                      ├── src/main.rs: at random, on any compiler, for so many seconds: what continuous integration runs
//!                      └── cargo fuzz: led by what the code does with it (feature `libfuzzer`, a nightly compiler)
//! ```
//!
//! A new target is a module with `try_it` and `seeds`, a line in [`TARGETS`], a file in `fuzz_targets/` and its table in `Cargo.toml`.
#![forbid(unsafe_code)]

use anabranch_store::{Backend, BackendError, Direction, Table, View};
use std::ops::{Bound, ControlFlow};

pub mod blocks;
pub mod cbor;
pub mod import;
pub mod json;
pub mod opfs;
pub mod rows;

/// What is tried, by its name.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Tries it on some bytes. A promise that is broken is a panic.
    pub try_it: fn(&[u8]),
    /// What to begin with: file names and contents.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

macro_rules! targets {
    ($($module:ident),*) => {
        &[$(Target { name: stringify!($module), try_it: $module::try_it, seeds: $module::seeds }),*]
    };
}

/// All of them.
pub const TARGETS: &[Target] = targets!(blocks, cbor, import, json, opfs, rows);

/// A row of a backend, and its table.
pub(crate) type Row = (Table, Vec<u8>, Vec<u8>);

/// All that a backend holds.
pub(crate) fn read(backend: &impl Backend) -> Result<Vec<Row>, BackendError> {
    let (view, mut rows) = (backend.view()?, Vec::new());
    for table in Table::ALL {
        view.scan(table, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |key, row| {
            rows.push((table, key.to_vec(), row.to_vec()));
            ControlFlow::Continue(())
        })?;
    }
    Ok(rows)
}

/// Takes bytes from the front of an input; zeros where it has ended.
pub(crate) struct Input<'i>(pub &'i [u8]);

impl<'i> Input<'i> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub fn bytes(&mut self, length: usize) -> &'i [u8] {
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}

/// CRC-32C, bit by bit: another one than the store's, and so plain that it needs no table.
pub(crate) fn crc(parts: &[&[u8]]) -> u32 {
    !parts.iter().copied().flatten().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_holds_its_seeds() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{}", target.name);
            seeds.iter().for_each(|(_, seed)| (target.try_it)(seed));
            (target.try_it)(&[]);
        }
    }

    #[test]
    fn the_sum_is_crc_32c() {
        assert_eq!(crc(&[b"12345", b"6789"]), 0xe306_9283);
    }
}
