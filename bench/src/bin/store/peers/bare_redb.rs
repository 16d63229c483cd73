//! redb with nothing above it: the rows that the store made, put into the same tables.

use anabranch_store::{Backend, BackendError, Batch, Durability, Memory, MemoryView, Table, Usage};
use redb::{Database, TableDefinition};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

/// Remembers what was committed.
#[derive(Clone, Default)]
pub struct Recorder(Arc<(Memory, Mutex<Vec<Batch>>)>);

impl Recorder {
    /// What was committed until now.
    pub fn batches(&self) -> Vec<Batch> {
        self.0.1.lock().expect("nobody panicked").clone()
    }
}

impl Backend for Recorder {
    type View<'b> = MemoryView;

    fn view(&self) -> Result<MemoryView, BackendError> {
        self.0.0.view()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.0.1.lock().expect("nobody panicked").push(batch.clone());
        self.0.0.commit(batch, durability)
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        self.0.0.usage()
    }
}

const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
const NAMESPACES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("namespaces");
const KEYS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("keys");
const VERSIONS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("versions");
const TIMES: TableDefinition<'_, u64, u64> = TableDefinition::new("times");

pub fn open(directory: &Path) -> Database {
    Database::builder().set_cache_size(32 << 20).create(directory.join("bare")).expect("redb opens")
}

/// Puts batches into it: `relaxed` bytes of them without a sync, as our backend does, and then one with.
pub fn write(database: &Database, batches: &[Batch], relaxed: usize) {
    let mut since = 0;
    for batch in batches {
        let mut transaction = database.begin_write().expect("it begins");
        since += batch.size();
        if since <= relaxed {
            transaction.set_durability(redb::Durability::None).expect("it may be");
        } else {
            since = 0;
        }
        {
            let mut meta = transaction.open_table(META).expect("a table");
            let mut namespaces = transaction.open_table(NAMESPACES).expect("a table");
            let mut keys = transaction.open_table(KEYS).expect("a table");
            let mut versions = transaction.open_table(VERSIONS).expect("a table");
            let mut times = transaction.open_table(TIMES).expect("a table");
            for (table, key, row) in batch.changes() {
                let row = row.unwrap_or_default();
                match table {
                    Table::Meta => drop(meta.insert(key, row).expect("it is put")),
                    Table::Namespaces => drop(namespaces.insert(key, row).expect("it is put")),
                    Table::Keys => drop(keys.insert(key, row).expect("it is put")),
                    Table::Versions => drop(versions.insert(wide(key), row).expect("it is put")),
                    Table::Times => drop(times.insert(narrow(key), narrow(row)).expect("it is put")),
                    Table::Effects | Table::Segments => unreachable!("these writes have no causes and move nothing"),
                }
            }
        }
        transaction.commit().expect("it is committed");
    }
}

fn wide(key: &[u8]) -> u128 {
    u128::from_be_bytes(key.try_into().expect("16 bytes"))
}

fn narrow(key: &[u8]) -> u64 {
    u64::from_be_bytes(key.try_into().expect("8 bytes"))
}
