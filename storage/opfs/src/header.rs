//! The header: which nodes are the roots of the tables, and up to which commit they are.
//!
//! ```text
//!  block   0 and 1                   2 and 3                  4 …
//!          even generations, twice   odd generations, twice   nodes
//!
//!  magic 16 | format 4 | sum 4 | generation 8 | commit 8 | blocks 8 | 7 × (root 12, rows 8) | sum 4
//! ```
//!
//! The one with the highest generation whose sum fits holds. So a write that the power cuts in two leaves the generation before
//! it, and a bit that changes later leaves its twin.

use crate::{
    bytes::{u32_at, u64_at},
    node::Reference,
    trouble::{damaged, of_io},
};
use anabranch_medium::Medium;
use anabranch_store::{BackendError, Table, crc32c};

/// The bytes of a block.
pub(crate) const BLOCK: usize = 4096;
/// The first block that a node may have.
pub(crate) const FIRST: u32 = 4;
/// The format that is written, and the latest that is read.
const FORMAT: u32 = 1;
const MAGIC: [u8; 16] = *b"anabranch tables";
/// The magic and the format, and behind them their sum.
const BEGIN: usize = 20;
const TABLES: usize = 48;
const SUM: usize = TABLES + Table::ALL.len() * ROOT;
const ROOT: usize = Reference::SIZE + 8;

/// A table as the tree has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rooted {
    /// None where it has no rows.
    pub(crate) node: Option<Reference>,
    pub(crate) rows: u64,
}

/// The tables as the tree has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) generation: u64,
    /// The last commit that is in it.
    pub(crate) commit: u64,
    /// How many blocks the medium has at the least.
    pub(crate) blocks: u64,
    pub(crate) tables: [Rooted; Table::ALL.len()],
}

/// What stands where a header may be.
enum Found {
    Header(Root),
    Newer(u32),
    /// It begins as one does.
    Broken,
    Other,
}

impl Root {
    const EMPTY: Self = Root {
        generation: 0,
        commit: 0,
        blocks: FIRST as u64,
        tables: [Rooted { node: None, rows: 0 }; Table::ALL.len()],
    };

    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(crc32c(&bytes).to_le_bytes());
        for number in [self.generation, self.commit, self.blocks] {
            bytes.extend(number.to_le_bytes());
        }
        for table in &self.tables {
            bytes.extend(table.node.map_or([0; Reference::SIZE], Reference::encode));
            bytes.extend(table.rows.to_le_bytes());
        }
        bytes.extend(crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// What the records of the log begin with that belong to it: no other generation's do.
    pub(crate) fn seed(&self) -> u32 {
        u32_at(&self.encode(), SUM)
    }

    fn decode(bytes: &[u8]) -> Found {
        let begin = bytes.get(..BEGIN).unwrap_or_default();
        if !begin.starts_with(&MAGIC) {
            return Found::Other;
        }
        if crc32c(begin) != u32_at(bytes, BEGIN) {
            return Found::Broken;
        }
        let format = u32_at(bytes, MAGIC.len());
        if format > FORMAT {
            return Found::Newer(format);
        }
        if bytes.get(..SUM).map(crc32c) != Some(u32_at(bytes, SUM)) {
            return Found::Broken;
        }
        let table = |number| {
            let at = TABLES + number * ROOT;
            Rooted { node: Reference::decode(bytes.get(at..).unwrap_or_default()), rows: u64_at(bytes, at + ROOT - 8) }
        };
        Found::Header(Root {
            generation: u64_at(bytes, 24),
            commit: u64_at(bytes, 32),
            blocks: u64_at(bytes, 40),
            tables: std::array::from_fn(table),
        })
    }

    /// Writes it beside the one of the generation before. It holds once the medium has been synced.
    pub(crate) fn write(&self, medium: &dyn Medium) -> Result<(), BackendError> {
        medium.write(self.generation % 2 * 2 * BLOCK as u64, &self.twice()).map_err(|error| of_io(&error))
    }

    fn twice(&self) -> Vec<u8> {
        let mut bytes = self.encode();
        bytes.resize(BLOCK, 0);
        bytes.repeat(2)
    }

    /// The newest one; `None` on a medium that was never a whole database.
    pub(crate) fn read(medium: &dyn Medium) -> Result<Option<Self>, BackendError> {
        let len = medium.len().map_err(|error| of_io(&error))?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(FIRST as usize * BLOCK)];
        medium.read(0, &mut bytes).map_err(|error| of_io(&error))?;
        let (mut newest, mut is_ours) = (None::<Root>, false);
        for block in bytes.chunks(BLOCK) {
            match Root::decode(block) {
                Found::Newer(found) => return Err(BackendError::Newer { found, known: FORMAT }),
                Found::Broken => is_ours = true,
                Found::Other => {}
                Found::Header(root) => {
                    if newest.as_ref().is_none_or(|newest| newest.generation < root.generation) {
                        newest = Some(root);
                    }
                }
            }
        }
        // Whoever made its sum right may have written any number.
        let end = |root: &Root| root.blocks.checked_mul(BLOCK as u64);
        let is_whole = newest.as_ref().and_then(end).is_some_and(|end| len >= end);
        match newest {
            Some(root) if is_whole => Ok(Some(root)),
            _ if Root::is_half_made(&bytes) && len <= bytes.len() as u64 => Ok(None),
            Some(_) => Err(damaged("its tree ends too early")),
            None if is_ours => Err(damaged("no header of its tree is whole")),
            None => Err(BackendError::NotADatabase("its tree has no header".into())),
        }
    }

    /// Whether a medium has nothing but part of what a new one is made with: whoever made it was interrupted.
    fn is_half_made(bytes: &[u8]) -> bool {
        let made = Root::EMPTY.twice().into_iter().chain(std::iter::repeat(0));
        bytes.iter().zip(made).all(|(found, made)| *found == 0 || *found == made)
    }

    /// Makes a database without rows.
    pub(crate) fn create(medium: &dyn Medium) -> Result<Self, BackendError> {
        let mut bytes = Root::EMPTY.twice();
        bytes.resize(FIRST as usize * BLOCK, 0);
        let made = medium.write(0, &bytes).and_then(|()| medium.sync());
        made.map_err(|error| of_io(&error))?;
        Ok(Root::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_found() {
        let node = Reference { block: 9, length: 77, sum: 3 };
        let mut root = Root { generation: 5, commit: 17, blocks: 10, ..Root::EMPTY };
        root.tables[3] = Rooted { node: Some(node), rows: 4 };
        let mut bytes = root.encode();
        assert_eq!(bytes.len(), SUM + 4);
        assert!(matches!(Root::decode(&bytes), Found::Header(found) if found == root));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Root::decode(&bytes), Found::Broken | Found::Other), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
