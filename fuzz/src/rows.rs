//! Rows of any bytes in the tables under a store: what is read is what the sums say was written, or an error.
//!
//! ```text
//!  row = table 1 (its highest bit: with its sum made right) | length of key 1 | length of row 2 | key | row
//! ```

use crate::{Input, crc};
use anabranch_store::{Backend, Batch, Direction, Durability, Memory, Options, Store, Table, Timestamp, View, Write};
use std::ops::{Bound, ControlFlow};

/// Puts the rows over those of a small database, and asks it everything.
pub fn try_it(data: &[u8]) {
    let memory = Memory::new();
    let mut input = Input(data);
    let mut batch = Batch::new();
    while !input.is_empty() && batch.len() < 64 {
        let which = input.byte();
        let table = Table::ALL[usize::from(which & 0x7f) % Table::ALL.len()];
        let (key, row) = (usize::from(input.byte()), input.number());
        let (key, row) = (input.bytes(key), input.bytes(row));
        let mut row = row.to_vec();
        if which & 0x80 != 0 && row.len() >= 4 {
            let sum = crc(&[key, &row[4..]]);
            row[..4].copy_from_slice(&sum.to_be_bytes());
        }
        batch.put(table, key, &row);
    }
    // What no table can hold is refused whole.
    if memory.commit(&batch, Durability::Immediate).is_err() {
        return;
    }
    let Ok(store) = Store::open(memory, Options::new(|| Timestamp::from_nanos(9)).hot_bytes(0)) else { return };
    let names = store.list_namespaces(None, None, 100).map(|page| page.items).unwrap_or_default();
    for namespace in names.iter().map(String::as_str).chain(["plant", "alarm"]) {
        let keys = store.list_keys(namespace, "", None, None, 100).map(|page| page.items).unwrap_or_default();
        for key in keys.iter().map(String::as_str).chain(["boiler"]) {
            let _ = store.get(namespace, key);
            let _ = store.get_at(namespace, key, Timestamp::from_nanos(3));
            if let Ok(page) = store.history(namespace, key, .., 10) {
                for version in &page.items {
                    let _ = store.get_version(namespace, key, &version.version_id);
                    let _ = store.why(&version.version_id, 10);
                    let _ = store.effects(&version.version_id, 10);
                }
            }
            let _ = store.put(namespace, key, 1);
        }
    }
    let _ = store.snapshot_at(Timestamp::LATEST).map(|snapshot| snapshot.take(100).count());
    let _ = store.stats();
    let _ = store.verify(&mut |_| ());
    let _ = store.export(&mut |_| Ok(()), &mut |_| ());
}

/// The rows of small databases.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let memory = std::sync::Arc::new(Memory::new());
    let store = Store::open(memory.clone(), Options::new(|| Timestamp::from_nanos(1))).expect("it opens");
    let mut seeds = vec![("empty".into(), rows(&memory))];
    let first = store.put("plant", "boiler", 21.5).expect("it is written");
    seeds.push(("one".into(), rows(&memory)));
    store.put("plant", "boiler", "x").expect("it is written");
    store.write(Write::put("alarm", "a", true).because([first.version_id])).expect("it is written");
    store.delete("plant", "boiler").expect("it is there");
    seeds.push(("some".into(), rows(&memory)));
    seeds
}

fn rows(memory: &Memory) -> Vec<u8> {
    let mut seed = Vec::new();
    let view = memory.view().expect("memory has a view");
    for (number, table) in (0..).zip(Table::ALL) {
        let sealed = if matches!(table, Table::Times | Table::Effects) { 0 } else { 0x80 };
        let all = (Bound::Unbounded, Bound::Unbounded);
        view.scan(table, all, Direction::Forward, &mut |key, row| {
            seed.extend_from_slice(&[number | sealed, key.len() as u8, (row.len() >> 8) as u8, row.len() as u8]);
            seed.extend_from_slice(key);
            seed.extend_from_slice(row);
            ControlFlow::Continue(())
        })
        .expect("memory is scanned");
    }
    seed
}
