//! What every backend of the store keeps: tables in order, batches whole or not at all, views that stay as they were.

use crate::report::{Fault, Report, expect, expect_equal};
use alloc::vec::Vec;
use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Engine, Table, Timestamp, View, Write};
use core::ops::{Bound, ControlFlow};

/// Where a suite gets its backends from.
pub trait BackendFixture {
    /// What is tested.
    type Backend: Backend + Sync;

    /// One with nothing in it, whatever there was before.
    fn fresh(&self) -> Self::Backend;

    /// The same, closed and opened again; none where it does not outlive that.
    fn reopened(&self, backend: Self::Backend) -> Option<Self::Backend>;
}

/// A backend of memory: what makes it.
impl<B: Backend + Sync, F: Fn() -> B> BackendFixture for F {
    type Backend = B;

    fn fresh(&self) -> B {
        self()
    }

    fn reopened(&self, _backend: B) -> Option<B> {
        None
    }
}

type Case<F> = fn(&F) -> Result<(), Fault>;
type Bounds<'r> = (Bound<&'r [u8]>, Bound<&'r [u8]>);

/// What every backend keeps.
pub fn run_backends<F: BackendFixture>(fixture: &F, report: &mut impl Report) {
    let cases: &[(&'static str, Case<F>)] = &[
        ("an empty table has no rows", empty),
        ("a row is read as it was written, in each table", each_table),
        ("a later change of a key stands over an earlier one", later_changes),
        ("keys of any bytes are in the order of bytes", order),
        ("ranges end where they say, in both directions", ranges),
        ("a visitor that breaks off is not called again", breaking_off),
        ("a view stays as it was while others write", views),
        ("rows of any size come back", sizes),
        ("a range that ends before it begins is empty", reversed),
        ("an empty batch changes nothing", nothing),
        ("many rows come back, and are counted", many),
        ("what was written is there when it is opened again", reopening),
        ("a relaxed commit is seen at once, and lasts with the next immediate one", relaxed),
        ("an engine goes on with what is there", engine),
    ];
    for (name, case) in cases {
        report.case(name, case(fixture));
    }
}

type Row = (Vec<u8>, Vec<u8>);

fn failed(_: BackendError) -> Fault {
    Fault::new("the backend to do what it was asked for")
}

/// A key of the length that the table's keys have.
fn key(table: Table, number: u8) -> Vec<u8> {
    let length = match table {
        Table::Versions | Table::Effects => 16,
        Table::Times => 8,
        Table::Meta | Table::Namespaces | Table::Keys | Table::Segments => 3,
    };
    let mut key = alloc::vec![0; length];
    key[length - 1] = number;
    key
}

/// A row of the length that the table's rows have.
fn row(table: Table, number: u8) -> Vec<u8> {
    match table {
        Table::Times => alloc::vec![number; 8],
        Table::Effects => Vec::new(),
        _ => alloc::vec![number; 5],
    }
}

fn write(backend: &impl Backend, change: impl FnOnce(&mut Batch)) -> Result<(), Fault> {
    let mut batch = Batch::new();
    change(&mut batch);
    backend.commit(&batch, Durability::Immediate).map_err(failed)
}

fn get(view: &impl View, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = None;
    view.get(table, key, &mut |row| found = Some(row.to_vec())).map_err(failed)?;
    Ok(found)
}

fn scan(view: &impl View, table: Table, range: Bounds<'_>, direction: Direction) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    let visit = &mut |key: &[u8], row: &[u8]| {
        rows.push((key.to_vec(), row.to_vec()));
        ControlFlow::Continue(())
    };
    view.scan(table, range, direction, visit).map_err(failed)?;
    Ok(rows)
}

const ALL: Bounds<'static> = (Bound::Unbounded, Bound::Unbounded);

fn empty<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = fixture.fresh();
    let view = backend.view().map_err(failed)?;
    for table in Table::ALL {
        expect_equal(0, view.count(table).map_err(failed)?, "a table without rows")?;
        expect(get(&view, table, &key(table, 1))?.is_none(), "no row under a key")?;
        for direction in [Direction::Forward, Direction::Backward] {
            expect(scan(&view, table, ALL, direction)?.is_empty(), "a scan without rows")?;
        }
    }
    Ok(())
}

fn each_table<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = fixture.fresh();
    write(&backend, |batch| {
        for (number, table) in (1..).zip(Table::ALL) {
            batch.put(table, &key(table, number), &row(table, number));
        }
    })?;
    let view = backend.view().map_err(failed)?;
    for (number, table) in (1..).zip(Table::ALL) {
        expect_equal(1, view.count(table).map_err(failed)?, "one row in each table")?;
        let found = get(&view, table, &key(table, number))?;
        expect(found == Some(row(table, number)), "the row of each table")?;
        expect(get(&view, table, &key(table, number + 1))?.is_none(), "no row under another key")?;
    }
    Ok(())
}

fn later_changes<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = fixture.fresh();
    for table in Table::ALL {
        let [one, two, three] = [1, 2, 3].map(|number| key(table, number));
        write(&backend, |batch| {
            batch.put(table, &one, &row(table, 1));
            batch.put(table, &one, &row(table, 2));
            batch.put(table, &two, &row(table, 3));
            batch.delete(table, &two);
            batch.delete(table, &three);
            batch.put(table, &three, &row(table, 4));
        })?;
        let view = backend.view().map_err(failed)?;
        expect(get(&view, table, &one)? == Some(row(table, 2)), "the later row of one batch")?;
        expect(get(&view, table, &two)?.is_none(), "no row where a deletion came later")?;
        expect(get(&view, table, &three)? == Some(row(table, 4)), "a row where a deletion came before")?;
        expect_equal(2, view.count(table).map_err(failed)?, "rows that are replaced to be counted once")?;
        drop(view);
        write(&backend, |batch| {
            batch.put(table, &one, &row(table, 5));
            batch.delete(table, &three);
            batch.delete(table, &two);
        })?;
        let view = backend.view().map_err(failed)?;
        expect(get(&view, table, &one)? == Some(row(table, 5)), "the row of the later batch")?;
        expect_equal(1, view.count(table).map_err(failed)?, "rows that are gone not to be counted")?;
    }
    Ok(())
}

/// Keys in their order.
const KEYS: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"\0\x01", b"a", b"a\0", b"ab", b"b", b"\xff\xff"];

fn with_keys<F: BackendFixture>(fixture: &F) -> Result<F::Backend, Fault> {
    let backend = fixture.fresh();
    write(&backend, |batch| {
        // Not in their order.
        for place in [4, 8, 2, 6, 1, 3, 7, 5] {
            batch.put(Table::Keys, KEYS[place], &[place as u8]);
        }
    })?;
    Ok(backend)
}

fn order<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = with_keys(fixture)?;
    let view = backend.view().map_err(failed)?;
    let rows = scan(&view, Table::Keys, ALL, Direction::Forward)?;
    expect(rows.iter().map(|(key, _)| &**key).eq(KEYS[1..].iter().copied()), "keys from the lowest to the highest")?;
    expect((1..).zip(&rows).all(|(place, (_, row))| **row == [place]), "each key with its row")?;
    let mut backward = scan(&view, Table::Keys, ALL, Direction::Backward)?;
    backward.reverse();
    expect(rows == backward, "the same rows in both directions")
}

fn ranges<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = with_keys(fixture)?;
    let view = backend.view().map_err(failed)?;
    for from in KEYS {
        for to in KEYS {
            for from in [Bound::Included(from), Bound::Excluded(from), Bound::Unbounded] {
                for to in [Bound::Included(to), Bound::Excluded(to), Bound::Unbounded] {
                    let within = |key: &&[u8]| {
                        let after = match from {
                            Bound::Included(from) => *key >= from,
                            Bound::Excluded(from) => *key > from,
                            Bound::Unbounded => true,
                        };
                        let before = match to {
                            Bound::Included(to) => *key <= to,
                            Bound::Excluded(to) => *key < to,
                            Bound::Unbounded => true,
                        };
                        after && before
                    };
                    let expected: Vec<&[u8]> = KEYS[1..].iter().copied().filter(within).collect();
                    let rows = scan(&view, Table::Keys, (from, to), Direction::Forward)?;
                    expect(rows.iter().map(|(key, _)| &**key).eq(expected.iter().copied()), "the keys of a range")?;
                    let rows = scan(&view, Table::Keys, (from, to), Direction::Backward)?;
                    let backward = rows.iter().rev().map(|(key, _)| &**key);
                    expect(backward.eq(expected.iter().copied()), "the keys of a range, backward")?;
                }
            }
        }
    }
    drop(view);
    // The tables with a row for each version, where keys have one length and bounds may have others.
    for table in [Table::Versions, Table::Times, Table::Effects] {
        let length = key(table, 0).len();
        write(&backend, |batch| {
            for number in [3, 1, 255, 2] {
                batch.put(table, &key(table, number), &row(table, number));
            }
        })?;
        let view = backend.view().map_err(failed)?;
        let numbers = |range, direction| -> Result<Vec<u8>, Fault> {
            Ok(scan(&view, table, range, direction)?.iter().map(|(key, _)| key[length - 1]).collect())
        };
        let (one, three) = (key(table, 1), key(table, 3));
        let mut longer = one.clone();
        longer.push(0);
        let expected: [(Bounds<'_>, &[u8]); 7] = [
            ((Bound::Included(&one), Bound::Excluded(&three)), &[1, 2]),
            ((Bound::Excluded(&one), Bound::Included(&three)), &[2, 3]),
            ((Bound::Included(&longer), Bound::Unbounded), &[2, 3, 255]),
            ((Bound::Unbounded, Bound::Excluded(&longer)), &[1]),
            ((Bound::Excluded(&one[..1]), Bound::Unbounded), &[1, 2, 3, 255]),
            ((Bound::Unbounded, Bound::Included(&one[..1])), &[]),
            ((Bound::Included(&[]), Bound::Included(&[0xff; 20])), &[1, 2, 3, 255]),
        ];
        for (range, expected) in expected {
            expect(numbers(range, Direction::Forward)? == expected, "the numbers of a range")?;
            let mut backward = numbers(range, Direction::Backward)?;
            backward.reverse();
            expect(backward == expected, "the numbers of a range, backward")?;
        }
    }
    Ok(())
}

fn breaking_off<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = with_keys(fixture)?;
    let view = backend.view().map_err(failed)?;
    for (direction, last) in [(Direction::Forward, KEYS[3]), (Direction::Backward, KEYS[6])] {
        let mut visited = Vec::new();
        let visit = &mut |key: &[u8], _: &[u8]| {
            visited.push(key.to_vec());
            if visited.len() < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        view.scan(Table::Keys, ALL, direction, visit).map_err(failed)?;
        expect_equal(3, visited.len() as u64, "as many rows as were asked for")?;
        expect(visited[2] == last, "the third row to be the last that is visited")?;
    }
    Ok(())
}

fn views<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = fixture.fresh();
    let (old, new) = (row(Table::Versions, 1), row(Table::Versions, 2));
    let place = key(Table::Versions, 7);
    write(&backend, |batch| batch.put(Table::Versions, &place, &old))?;
    // A commit may wait until the view is gone, so another thread makes it.
    std::thread::scope(|scope| {
        let view = backend.view().map_err(failed)?;
        let writer = scope.spawn(|| {
            write(&backend, |batch| {
                batch.put(Table::Versions, &place, &new);
                batch.put(Table::Versions, &key(Table::Versions, 8), &new);
            })
        });
        for _ in 0..1000 {
            expect(get(&view, Table::Versions, &place)?.as_ref() == Some(&old), "a view's row not to change")?;
            expect_equal(1, view.count(Table::Versions).map_err(failed)?, "a view's rows to stay as many")?;
            std::thread::yield_now();
        }
        drop(view);
        writer.join().map_err(|_| Fault::new("no panic in a commit"))?
    })?;
    let view = backend.view().map_err(failed)?;
    expect(get(&view, Table::Versions, &place)?.as_ref() == Some(&new), "a later view to have the new row")?;
    expect_equal(2, view.count(Table::Versions).map_err(failed)?, "a later view to have all of the batch")
}

fn sizes<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = fixture.fresh();
    let sizes = [0, 1, 100, 4095, 4096, 4097, 70_000, 3_000_000];
    let large = |size: usize| -> Vec<u8> { (0..size).map(|place| (place * 31 + size) as u8).collect() };
    for (number, size) in (0..).zip(sizes) {
        write(&backend, |batch| batch.put(Table::Versions, &key(Table::Versions, number), &large(size)))?;
    }
    let long_key = alloc::vec![0xfe; 4352];
    write(&backend, |batch| batch.put(Table::Keys, &long_key, b"long"))?;
    let view = backend.view().map_err(failed)?;
    for (number, size) in (0..).zip(sizes) {
        let found = get(&view, Table::Versions, &key(Table::Versions, number))?;
        expect(found == Some(large(size)), "a row of any size")?;
    }
    expect(get(&view, Table::Keys, &long_key)?.as_deref() == Some(b"long"), "the row of a long key")
}

fn reversed<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = with_keys(fixture)?;
    let view = backend.view().map_err(failed)?;
    let (a, b): (&[u8], &[u8]) = (b"a", b"b");
    for range in [
        (Bound::Included(b), Bound::Included(a)),
        (Bound::Excluded(a), Bound::Excluded(a)),
        (Bound::Included(a), Bound::Excluded(a)),
        (Bound::Excluded(b), Bound::Excluded(a)),
    ] {
        for direction in [Direction::Forward, Direction::Backward] {
            expect(scan(&view, Table::Keys, range, direction)?.is_empty(), "no rows")?;
        }
    }
    Ok(())
}

fn nothing<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = with_keys(fixture)?;
    for durability in [Durability::Immediate, Durability::Relaxed] {
        backend.commit(&Batch::new(), durability).map_err(failed)?;
    }
    let view = backend.view().map_err(failed)?;
    expect_equal(8, view.count(Table::Keys).map_err(failed)?, "the rows that were there")
}

fn many<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    const ROWS: u32 = 5000;
    let backend = fixture.fresh();
    let place = |number: u32| {
        let mut key = [0; 16];
        // Each after the one before in the upper half, and all over the lower.
        key[4..8].copy_from_slice(&(number / 100).to_be_bytes());
        key[8..12].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
        key
    };
    for batch_of in 0..ROWS / 500 {
        write(&backend, |batch| {
            for number in batch_of * 500..(batch_of + 1) * 500 {
                batch.put(Table::Versions, &place(number), &number.to_be_bytes());
            }
        })?;
    }
    write(&backend, |batch| (0..ROWS).step_by(7).for_each(|number| batch.delete(Table::Versions, &place(number))))?;
    let mut expected: Vec<Row> = (0..ROWS)
        .filter(|number| number % 7 != 0)
        .map(|number| (place(number).to_vec(), number.to_be_bytes().to_vec()))
        .collect();
    expected.sort();
    let view = backend.view().map_err(failed)?;
    expect_equal(expected.len() as u64, view.count(Table::Versions).map_err(failed)?, "as many rows as there are")?;
    expect(scan(&view, Table::Versions, ALL, Direction::Forward)? == expected, "all rows in their order")?;
    expected.reverse();
    expect(scan(&view, Table::Versions, ALL, Direction::Backward)? == expected, "all rows backward")
}

fn reopening<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = with_keys(fixture)?;
    let Some(backend) = fixture.reopened(backend) else { return Ok(()) };
    let view = backend.view().map_err(failed)?;
    let rows = scan(&view, Table::Keys, ALL, Direction::Forward)?;
    expect(rows.iter().map(|(key, _)| &**key).eq(KEYS[1..].iter().copied()), "the rows that were written")?;
    drop(view);
    write(&backend, |batch| batch.put(Table::Keys, b"more", b"more"))?;
    let Some(backend) = fixture.reopened(backend) else { return Ok(()) };
    let view = backend.view().map_err(failed)?;
    expect(get(&view, Table::Keys, b"more")?.as_deref() == Some(b"more"), "what was written after that")
}

fn relaxed<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let backend = fixture.fresh();
    let mut batch = Batch::new();
    batch.put(Table::Meta, b"relaxed", b"row");
    backend.commit(&batch, Durability::Relaxed).map_err(failed)?;
    let view = backend.view().map_err(failed)?;
    expect(get(&view, Table::Meta, b"relaxed")?.is_some(), "a relaxed commit to be seen")?;
    drop(view);
    backend.commit(&Batch::new(), Durability::Immediate).map_err(failed)?;
    let Some(backend) = fixture.reopened(backend) else { return Ok(()) };
    let view = backend.view().map_err(failed)?;
    expect(get(&view, Table::Meta, b"relaxed")?.is_some(), "a relaxed commit to last with an immediate one")
}

fn engine<F: BackendFixture>(fixture: &F) -> Result<(), Fault> {
    let wrong = |_| Fault::new("the engine to do what it was asked for");
    let now = Timestamp::from_nanos(1000);
    let mut engine = Engine::open(fixture.fresh()).map_err(wrong)?;
    let mut written = Vec::new();
    for number in 0..20_i64 {
        let write = Write::put("namespace", alloc::format!("key {}", number % 3), number);
        written.extend(engine.write(&[write], now, Durability::Immediate).map_err(wrong)?);
    }
    let check = |engine: &Engine<F::Backend>| -> Result<(), Fault> {
        let reader = engine.reader().map_err(wrong)?;
        for (number, version) in written.iter().enumerate() {
            let key = alloc::format!("key {}", number % 3);
            let found = reader.get_at("namespace", &key, version.timestamp).map_err(wrong)?;
            expect(found == *version, "each version as of its time")?;
        }
        Ok(())
    };
    check(&engine)?;
    let Some(backend) = fixture.reopened(engine.into_backend()) else { return Ok(()) };
    let mut engine = Engine::open(backend).map_err(wrong)?;
    check(&engine)?;
    let write = Write::put("namespace", "key 0", 20);
    let next = engine.write(&[write], now, Durability::Immediate).map_err(wrong)?;
    expect(next[0].timestamp > written[19].timestamp, "time to go on after it was opened again")?;
    expect(next[0].previous_version == Some(written[18].version_id), "a chain to go on after it was opened again")
}
