//! KoruDelta in memory, as its first page has it.

use crate::{NAMESPACE, VALUE};
use koru_delta::KoruDelta;
use tokio::runtime::Runtime;

/// A database and what runs it.
pub struct Koru {
    runtime: Runtime,
    database: KoruDelta,
}

impl Koru {
    pub fn new() -> Self {
        // What `#[tokio::main]` is, as its examples have it.
        let runtime = Runtime::new().expect("a runtime");
        let database = runtime.block_on(KoruDelta::start()).expect("KoruDelta starts");
        Koru { runtime, database }
    }

    pub fn put(&self, key: &str) {
        self.runtime.block_on(self.database.put(NAMESPACE, key, VALUE)).expect("KoruDelta writes");
    }

    pub fn get(&self, key: &str) -> koru_delta::VersionedValue {
        self.runtime.block_on(self.database.get(NAMESPACE, key)).expect("the key is there")
    }
}
