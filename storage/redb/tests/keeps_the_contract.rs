//! The conformance suite of backends, on redb in a directory.

use anabranch_conformance::{Tally, run_backends, run_lasting_backends};
use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Table, Usage, View};
use std::ops::{Bound, ControlFlow};

type Row = (Table, Vec<u8>, Vec<u8>);
type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// A database and the directory that goes with it.
struct InDirectory(RedbBackend, tempfile::TempDir);

fn fresh() -> Result<InDirectory, BackendError> {
    let directory = tempfile::tempdir().map_err(|error| BackendError::Io(error.to_string()))?;
    Ok(InDirectory(RedbBackend::open(directory.path(), Options::default())?, directory))
}

fn reopen(InDirectory(backend, directory): InDirectory) -> Result<InDirectory, BackendError> {
    drop(backend);
    Ok(InDirectory(RedbBackend::open(directory.path(), Options::default())?, directory))
}

impl Backend for InDirectory {
    type View<'b> = anabranch_redb::RedbView<'b>;

    fn view(&self) -> Result<Self::View<'_>, BackendError> {
        self.0.view()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.0.commit(batch, durability)
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        self.0.usage()
    }
}

#[test]
fn redb_keeps_the_contract_of_backends() {
    let mut tally = Tally::new(|line| println!("{line}"));
    run_backends(fresh, &mut tally);
    run_lasting_backends(fresh, reopen, &mut tally);
    assert!(tally.finish());
}

/// All rows, by table.
fn rows(backend: &impl Backend) -> Result<Vec<Row>, BackendError> {
    let (view, mut rows) = (backend.view()?, Vec::new());
    let all: Bounds<'_> = (Bound::Unbounded, Bound::Unbounded);
    for table in Table::ALL {
        view.scan(table, all, Direction::Forward, &mut |key, row| {
            rows.push((table, key.to_vec(), row.to_vec()));
            ControlFlow::Continue(())
        })?;
    }
    Ok(rows)
}

#[test]
fn compaction_gives_room_back_and_keeps_all_rows_under_open_views() -> Result<(), BackendError> {
    let InDirectory(backend, directory) = fresh()?;
    let mut batch = Batch::new();
    for number in 0..20_000_u64 {
        batch.put(Table::Times, &number.to_be_bytes(), &number.to_be_bytes());
        batch.put(Table::Segments, &number.to_be_bytes(), &[number as u8; 300]);
        if number % 500 == 0 {
            backend.commit(&batch, Durability::Relaxed)?;
            batch.clear();
        }
    }
    backend.commit(&batch, Durability::Immediate)?;
    batch.clear();
    for number in (0..20_000_u64).filter(|number| number % 10 > 0) {
        batch.delete(Table::Segments, &number.to_be_bytes());
    }
    let before = backend.view()?;
    backend.commit(&batch, Durability::Relaxed)?;
    let (wanted, large) = (rows(&backend)?, backend.usage()?.disk);
    backend.compact()?;
    let small = backend.usage()?.disk;
    assert!(small * 4 < large, "{large} bytes became {small}");
    assert_eq!(rows(&backend)?, wanted);
    assert_eq!(before.count(Table::Segments)?, 20_000, "a view that was taken before goes on");
    let mut visited = 0;
    before.scan(Table::Segments, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |_, _| {
        visited += 1;
        ControlFlow::Continue(())
    })?;
    assert_eq!(visited, 20_000);
    drop(before);
    // and it is written to as before
    batch.clear();
    batch.put(Table::Meta, b"after", b"1");
    backend.commit(&batch, Durability::Immediate)?;
    let wanted = rows(&backend)?;
    let again = reopen(InDirectory(backend, directory))?;
    assert_eq!(rows(&again)?, wanted);
    Ok(())
}

#[test]
fn keys_and_rows_of_other_lengths_than_a_table_s_are_refused_and_nothing_of_their_batch_is_written()
-> Result<(), BackendError> {
    let backend = fresh()?;
    for (table, key, row) in [
        (Table::Versions, &[0; 15][..], &[][..]),
        (Table::Times, &[0; 8], &[0; 7]),
        (Table::Times, &[0; 9], &[0; 8]),
        (Table::Effects, &[0; 16], &[1]),
    ] {
        let mut batch = Batch::new();
        batch.put(Table::Meta, b"beside it", b"");
        batch.put(table, key, row);
        assert!(matches!(backend.commit(&batch, Durability::Immediate), Err(BackendError::Io(_))));
    }
    assert_eq!(rows(&backend)?, []);
    Ok(())
}
