//! What every backend of the store promises: whole batches or nothing, views that stay, rows in the order of their keys.

use crate::{Fault, Report, report::expect, report::expect_equal};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Table, Usage, View};
use core::ops::{Bound, ControlFlow};

/// Runs the suite, each case on a backend of its own that `fresh` makes, with nothing in it.
pub fn run_backends<B: Backend>(
    mut fresh: impl FnMut() -> Result<B, BackendError>,
    report: &mut (impl Report + ?Sized),
) {
    macro_rules! run {
        ($($case:ident),* $(,)?) => {$(
            let outcome = fresh().map_err(failed("a backend to be made")).and_then(|backend| $case(&backend));
            report.case(stringify!($case), outcome);
        )*};
    }
    run!(
        an_empty_backend_has_no_rows,
        a_batch_is_there_when_its_commit_has_returned,
        tables_share_no_keys,
        a_view_stays_as_it_was,
        a_later_change_of_a_batch_stands_over_an_earlier_one,
        rows_are_replaced_and_go,
        deleting_what_is_not_there_changes_nothing,
        keys_and_rows_may_be_empty,
        rows_come_in_the_order_of_their_bytes,
        scans_keep_to_their_bounds_both_ways,
        a_scan_ends_when_it_is_told_to,
        bounds_that_no_key_has_the_length_of,
        ranges_the_wrong_way_round_are_empty,
        a_row_of_16_mib_comes_back,
        many_rows_come_back_in_order,
        an_empty_batch_is_written_too,
        relaxed_commits_are_seen_at_once,
        views_are_taken_while_others_are_open,
        usage_is_told,
        any_history_is_as_in_a_map,
    );
}

/// Runs what backends promise that keep rows beyond the program's end: `reopen` ends one orderly and opens it again.
pub fn run_lasting_backends<B: Backend>(
    mut fresh: impl FnMut() -> Result<B, BackendError>,
    mut reopen: impl FnMut(B) -> Result<B, BackendError>,
    report: &mut (impl Report + ?Sized),
) {
    let mut lasts = |durability| -> Result<(), Fault> {
        let mut backend = fresh().map_err(failed("a backend to be made"))?;
        let mut model = Model::default();
        let mut chance = Chance(7);
        for _ in 0..5 {
            for _ in 0..20 {
                let batch = model.change(&mut chance);
                commit(&backend, &batch, durability)?;
            }
            backend = reopen(backend).map_err(failed("a backend to be opened again"))?;
            model.compare(&view(&backend)?, &mut chance)?;
        }
        Ok(())
    };
    report.case("rows_outlive_the_backend", lasts(Durability::Immediate));
    report.case("relaxed_rows_outlive_an_orderly_end", lasts(Durability::Relaxed));
}

fn failed(expected: &'static str) -> impl FnOnce(BackendError) -> Fault {
    move |_| Fault::new(expected)
}

fn commit<B: Backend>(backend: &B, batch: &Batch, durability: Durability) -> Result<(), Fault> {
    backend.commit(batch, durability).map_err(failed("a batch to be written"))
}

fn view<B: Backend>(backend: &B) -> Result<B::View<'_>, Fault> {
    backend.view().map_err(failed("a view to be taken"))
}

/// Writes rows into one table.
fn put<B: Backend>(backend: &B, table: Table, rows: &[(&[u8], &[u8])]) -> Result<(), Fault> {
    let mut batch = Batch::new();
    for (key, row) in rows {
        batch.put(table, key, row);
    }
    commit(backend, &batch, Durability::Immediate)
}

fn get(view: &impl View, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = Vec::new();
    view.get(table, key, &mut |row| found.push(row.to_vec())).map_err(failed("a row to be read"))?;
    expect(found.len() < 2, "a row to be given once")?;
    Ok(found.pop())
}

type Row = (Vec<u8>, Vec<u8>);

fn scan(
    view: &impl View,
    table: Table,
    range: (Bound<&[u8]>, Bound<&[u8]>),
    direction: Direction,
    most: usize,
) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    view.scan(table, range, direction, &mut |key, row| {
        rows.push((key.to_vec(), row.to_vec()));
        if rows.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .map_err(failed("rows to be read"))?;
    Ok(rows)
}

const ALL: (Bound<&[u8]>, Bound<&[u8]>) = (Bound::Unbounded, Bound::Unbounded);

fn keys(view: &impl View, table: Table, direction: Direction) -> Result<Vec<Vec<u8>>, Fault> {
    Ok(scan(view, table, ALL, direction, usize::MAX)?.into_iter().map(|(key, _)| key).collect())
}

fn an_empty_backend_has_no_rows<B: Backend>(backend: &B) -> Result<(), Fault> {
    let view = view(backend)?;
    for table in Table::ALL {
        let count = view.count(table).map_err(failed("a table to be counted"))?;
        expect_equal(0, count, "a new table to have no rows")?;
        expect(scan(&view, table, ALL, Direction::Forward, 1)?.is_empty(), "a scan of nothing to visit nothing")?;
        expect(get(&view, table, &[0; 16])?.is_none(), "no row in a new table")?;
    }
    Ok(())
}

fn a_batch_is_there_when_its_commit_has_returned<B: Backend>(backend: &B) -> Result<(), Fault> {
    let mut batch = Batch::new();
    batch.put(Table::Meta, b"a", b"1");
    batch.put(Table::Versions, &[3; 16], b"version");
    batch.put(Table::Times, &[4; 8], &[5; 8]);
    batch.put(Table::Effects, &[6; 16], b"");
    commit(backend, &batch, Durability::Immediate)?;
    let view = view(backend)?;
    for (table, key, row) in batch.changes() {
        expect(get(&view, table, key)?.as_deref() == row, "each row of a batch in its table")?;
        expect_equal(1, view.count(table).map_err(failed("a table to be counted"))?, "one row in the table")?;
    }
    Ok(())
}

fn tables_share_no_keys<B: Backend>(backend: &B) -> Result<(), Fault> {
    let tables = [Table::Meta, Table::Namespaces, Table::Keys, Table::Segments];
    let mut batch = Batch::new();
    for table in tables {
        batch.put(table, b"same key", &[table as u8]);
    }
    commit(backend, &batch, Durability::Immediate)?;
    let view = view(backend)?;
    for table in tables {
        expect(get(&view, table, b"same key")? == Some(vec![table as u8]), "each table to have its own row of a key")?;
    }
    Ok(())
}

fn a_view_stays_as_it_was<B: Backend>(backend: &B) -> Result<(), Fault> {
    put(backend, Table::Keys, &[(b"stays", b"old"), (b"goes", b"old")])?;
    let before = view(backend)?;
    let mut batch = Batch::new();
    batch.put(Table::Keys, b"stays", b"new");
    batch.delete(Table::Keys, b"goes");
    batch.put(Table::Keys, b"comes", b"new");
    commit(backend, &batch, Durability::Immediate)?;
    // and as many again that what the view needs could be used for other rows
    for round in 0..64_u8 {
        put(backend, Table::Keys, &[(b"stays", &[round; 5000])])?;
    }
    expect(get(&before, Table::Keys, b"stays")?.as_deref() == Some(b"old"), "a view to keep a row that was replaced")?;
    expect(get(&before, Table::Keys, b"goes")?.is_some(), "a view to keep a row that has gone")?;
    expect(get(&before, Table::Keys, b"comes")?.is_none(), "a view not to see what came after it")?;
    expect_equal(2, before.count(Table::Keys).map_err(failed("a table to be counted"))?, "a view's count to stay")?;
    let after = keys(&view(backend)?, Table::Keys, Direction::Forward)?;
    expect(after == [b"comes", b"stays"], "a new view to see all of it")
}

fn a_later_change_of_a_batch_stands_over_an_earlier_one<B: Backend>(backend: &B) -> Result<(), Fault> {
    let mut batch = Batch::new();
    batch.put(Table::Meta, b"put twice", b"1");
    batch.put(Table::Meta, b"put twice", b"2");
    batch.put(Table::Meta, b"put, deleted", b"1");
    batch.delete(Table::Meta, b"put, deleted");
    batch.delete(Table::Meta, b"deleted, put");
    batch.put(Table::Meta, b"deleted, put", b"1");
    commit(backend, &batch, Durability::Immediate)?;
    let view = view(backend)?;
    expect(get(&view, Table::Meta, b"put twice")?.as_deref() == Some(b"2"), "the second row")?;
    expect(get(&view, Table::Meta, b"put, deleted")?.is_none(), "no row, for it was deleted last")?;
    expect(get(&view, Table::Meta, b"deleted, put")?.is_some(), "a row, for it was put last")
}

fn rows_are_replaced_and_go<B: Backend>(backend: &B) -> Result<(), Fault> {
    for row in [&b"short"[..], &[7; 10_000], b"", b"short again"] {
        put(backend, Table::Segments, &[(b"key", row)])?;
        expect(
            get(&view(backend)?, Table::Segments, b"key")?.as_deref() == Some(row),
            "the row that was written last",
        )?;
    }
    let mut batch = Batch::new();
    batch.delete(Table::Segments, b"key");
    commit(backend, &batch, Durability::Immediate)?;
    expect(get(&view(backend)?, Table::Segments, b"key")?.is_none(), "a deleted row to be gone")?;
    let count = view(backend)?.count(Table::Segments).map_err(failed("a table to be counted"))?;
    expect_equal(0, count, "no row to be left")
}

fn deleting_what_is_not_there_changes_nothing<B: Backend>(backend: &B) -> Result<(), Fault> {
    put(backend, Table::Keys, &[(b"there", b"1")])?;
    let mut batch = Batch::new();
    batch.delete(Table::Keys, b"not there");
    batch.delete(Table::Versions, &[0; 16]);
    commit(backend, &batch, Durability::Immediate)?;
    expect(keys(&view(backend)?, Table::Keys, Direction::Forward)? == [b"there"], "the row that was there")
}

fn keys_and_rows_may_be_empty<B: Backend>(backend: &B) -> Result<(), Fault> {
    put(backend, Table::Keys, &[(b"", b""), (b"\0", b""), (b"a", b"")])?;
    put(backend, Table::Versions, &[(&[0; 16], b""), (&[255; 16], b"")])?;
    let view = view(backend)?;
    expect(get(&view, Table::Keys, b"")?.as_deref() == Some(b""), "the empty row of the empty key")?;
    expect(get(&view, Table::Versions, &[255; 16])?.as_deref() == Some(b""), "the empty row of the highest key")?;
    let found = keys(&view, Table::Keys, Direction::Forward)?;
    expect(found == [&b""[..], b"\0", b"a"], "the empty key to come first")?;
    let low = (Bound::Excluded(&b""[..]), Bound::Unbounded);
    let found = scan(&view, Table::Keys, low, Direction::Forward, usize::MAX)?;
    expect_equal(2, found.len() as u64, "all keys but the empty one to come after it")
}

fn rows_come_in_the_order_of_their_bytes<B: Backend>(backend: &B) -> Result<(), Fault> {
    let sorted: [&[u8]; 8] = [b"", b"\0", b"\0\0", b"\x01", b"a", b"a\0", b"ab", b"\xff"];
    for (shuffled, _) in [3, 7, 0, 5, 1, 6, 2, 4].into_iter().zip(0..) {
        put(backend, Table::Keys, &[(sorted[shuffled], b"")])?;
    }
    // as numbers with a sign, or the other way round, they would come otherwise
    let numbers: [[u8; 8]; 4] =
        [[0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 2, 0], [1, 0, 0, 0, 0, 0, 0, 0], [255; 8]];
    for shuffled in [2, 0, 3, 1] {
        put(backend, Table::Times, &[(&numbers[shuffled], &[0; 8])])?;
    }
    let view = view(backend)?;
    expect(keys(&view, Table::Keys, Direction::Forward)? == sorted, "keys from the lowest to the highest")?;
    expect(keys(&view, Table::Times, Direction::Forward)? == numbers, "times from the lowest to the highest")?;
    let mut backward = keys(&view, Table::Keys, Direction::Backward)?;
    backward.reverse();
    expect(backward == sorted, "keys from the highest to the lowest")
}

fn scans_keep_to_their_bounds_both_ways<B: Backend>(backend: &B) -> Result<(), Fault> {
    for table in [Table::Keys, Table::Versions] {
        let before = if table == Table::Versions { 15 } else { 0 };
        let key = |number: u8| [vec![0; before], vec![number]].concat();
        for number in (10..20).step_by(2) {
            put(backend, table, &[(&key(number), b"")])?;
        }
        let view = view(backend)?;
        for low in 9..=20 {
            for high in low..=20 {
                let (below, above) = (key(low), key(high));
                let ends = |bytes| [Bound::Included(bytes), Bound::Excluded(bytes), Bound::Unbounded];
                for from in ends(below.as_slice()) {
                    for to in ends(above.as_slice()) {
                        let within = |key: &Vec<u8>| {
                            let after = match from {
                                Bound::Included(from) => key.as_slice() >= from,
                                Bound::Excluded(from) => key.as_slice() > from,
                                Bound::Unbounded => true,
                            };
                            after
                                && match to {
                                    Bound::Included(to) => key.as_slice() <= to,
                                    Bound::Excluded(to) => key.as_slice() < to,
                                    Bound::Unbounded => true,
                                }
                        };
                        let mut wanted: Vec<Vec<u8>> = (10..20).step_by(2).map(key).filter(within).collect();
                        for direction in [Direction::Forward, Direction::Backward] {
                            let found = scan(&view, table, (from, to), direction, usize::MAX)?;
                            let found = found.into_iter().map(|(key, _)| key);
                            expect(found.eq(wanted.iter().cloned()), "the keys within the bounds, and no others")?;
                            wanted.reverse();
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn a_scan_ends_when_it_is_told_to<B: Backend>(backend: &B) -> Result<(), Fault> {
    put(backend, Table::Keys, &[(b"a", b""), (b"b", b""), (b"c", b"")])?;
    let view = view(backend)?;
    let first = scan(&view, Table::Keys, ALL, Direction::Forward, 1)?;
    expect(first == [(b"a".to_vec(), vec![])], "the first row alone")?;
    let last = scan(&view, Table::Keys, ALL, Direction::Backward, 2)?;
    expect(last == [(b"c".to_vec(), vec![]), (b"b".to_vec(), vec![])], "the last two rows alone")
}

/// The rows of one key are found by its eight bytes alone; what comes before a prefix, by a shorter one.
fn bounds_that_no_key_has_the_length_of<B: Backend>(backend: &B) -> Result<(), Fault> {
    let key = |chain: u64, time: u64| [chain.to_be_bytes(), time.to_be_bytes()].concat();
    for chain in 1..=3 {
        for time in [0, 5, u64::MAX] {
            put(backend, Table::Versions, &[(&key(chain, time), b"")])?;
        }
    }
    let view = view(backend)?;
    let (two, three) = (2_u64.to_be_bytes(), 3_u64.to_be_bytes());
    let wanted = [key(2, 0), key(2, 5), key(2, u64::MAX)];
    for from in [Bound::Included(&two[..]), Bound::Excluded(&two[..])] {
        for to in [Bound::Included(&three[..]), Bound::Excluded(&three[..])] {
            let found = scan(&view, Table::Versions, (from, to), Direction::Forward, usize::MAX)?;
            expect(found.iter().map(|(key, _)| key).eq(&wanted), "the rows that begin with the bound")?;
        }
    }
    // longer than any key: it lies between the key that it begins with and the next
    let longer = [key(2, 5).as_slice(), b"\0"].concat();
    for end in [Bound::Included(&longer[..]), Bound::Excluded(&longer[..])] {
        let above = scan(&view, Table::Versions, (end, Bound::Unbounded), Direction::Forward, 1)?;
        expect(above.iter().map(|(key, _)| key).eq([&wanted[2]]), "the next row after a longer bound")?;
        let below = scan(&view, Table::Versions, (Bound::Unbounded, end), Direction::Backward, 1)?;
        expect(below.iter().map(|(key, _)| key).eq([&wanted[1]]), "the row that a longer bound begins with")?;
    }
    expect(get(&view, Table::Versions, &two)?.is_none(), "no row under a key that is too short")
}

fn ranges_the_wrong_way_round_are_empty<B: Backend>(backend: &B) -> Result<(), Fault> {
    put(backend, Table::Keys, &[(b"a", b""), (b"b", b""), (b"c", b"")])?;
    let view = view(backend)?;
    let (low, high): (&[u8], &[u8]) = (b"a", b"c");
    for from in [Bound::Included(high), Bound::Excluded(high)] {
        for to in [Bound::Included(low), Bound::Excluded(low)] {
            for direction in [Direction::Forward, Direction::Backward] {
                let found = scan(&view, Table::Keys, (from, to), direction, usize::MAX)?;
                expect(found.is_empty(), "no row between a bound and a lower one")?;
            }
        }
    }
    let found = scan(&view, Table::Keys, (Bound::Excluded(low), Bound::Excluded(low)), Direction::Forward, 9)?;
    expect(found.is_empty(), "no row between a bound and itself")
}

fn a_row_of_16_mib_comes_back<B: Backend>(backend: &B) -> Result<(), Fault> {
    let row: Vec<u8> = (0..16 << 20_u32).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    put(backend, Table::Versions, &[(&[1; 16], &row)])?;
    put(backend, Table::Versions, &[(&[2; 16], b"small")])?;
    let view = view(backend)?;
    let mut same = false;
    view.get(Table::Versions, &[1; 16], &mut |found| same = found == row).map_err(failed("a row to be read"))?;
    expect(same, "all bytes of a large row")?;
    expect(get(&view, Table::Versions, &[2; 16])?.as_deref() == Some(b"small"), "the small row beside it")
}

fn many_rows_come_back_in_order<B: Backend>(backend: &B) -> Result<(), Fault> {
    const ROWS: u64 = 20_000;
    let mut batch = Batch::new();
    // an odd factor: each number once, in no order
    let shuffled = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for number in 0..ROWS {
        batch.put(Table::Times, &shuffled(number).to_be_bytes(), &number.to_be_bytes());
        if batch.len() == 1_000 {
            commit(backend, &batch, Durability::Relaxed)?;
            batch.clear();
        }
    }
    let view = view(backend)?;
    expect_equal(ROWS, view.count(Table::Times).map_err(failed("a table to be counted"))?, "as many rows as were put")?;
    let rows = scan(&view, Table::Times, ALL, Direction::Forward, usize::MAX)?;
    expect(rows.is_sorted(), "rows in the order of their keys")?;
    expect_equal(ROWS, rows.len() as u64, "each row once")?;
    for number in (0..ROWS).step_by(97) {
        let found = get(&view, Table::Times, &shuffled(number).to_be_bytes())?;
        expect(found.as_deref() == Some(&number.to_be_bytes()), "the row of each key")?;
    }
    Ok(())
}

fn an_empty_batch_is_written_too<B: Backend>(backend: &B) -> Result<(), Fault> {
    for durability in [Durability::Immediate, Durability::Relaxed] {
        commit(backend, &Batch::new(), durability)?;
    }
    put(backend, Table::Meta, &[(b"a", b"1")])?;
    commit(backend, &Batch::new(), Durability::Immediate)?;
    expect(get(&view(backend)?, Table::Meta, b"a")?.is_some(), "the row that was there before")
}

fn relaxed_commits_are_seen_at_once<B: Backend>(backend: &B) -> Result<(), Fault> {
    let mut batch = Batch::new();
    for number in 0..100_u64 {
        batch.clear();
        batch.put(Table::Meta, b"number", &number.to_be_bytes());
        commit(backend, &batch, Durability::Relaxed)?;
        let found = get(&view(backend)?, Table::Meta, b"number")?;
        expect(found.as_deref() == Some(&number.to_be_bytes()), "a relaxed commit in the next view")?;
    }
    commit(backend, &Batch::new(), Durability::Immediate)?;
    expect(get(&view(backend)?, Table::Meta, b"number")?.is_some(), "it when it was made durable, too")
}

fn views_are_taken_while_others_are_open<B: Backend>(backend: &B) -> Result<(), Fault> {
    let mut views = Vec::new();
    for number in 0..40_u8 {
        put(backend, Table::Meta, &[(b"number", &[number])])?;
        views.push((number, view(backend)?));
    }
    for (number, view) in &views {
        expect(get(view, Table::Meta, b"number")? == Some(vec![*number]), "each view to see its own moment")?;
    }
    Ok(())
}

fn usage_is_told<B: Backend>(backend: &B) -> Result<(), Fault> {
    put(backend, Table::Segments, &[(b"a", &[1; 100_000])])?;
    let Usage { memory, disk, .. } = backend.usage().map_err(failed("its usage to be told"))?;
    expect(memory + disk >= 100_000, "its usage to count what was written")
}

fn any_history_is_as_in_a_map<B: Backend>(backend: &B) -> Result<(), Fault> {
    let (mut model, mut chance) = (Model::default(), Chance(1));
    for round in 0..120 {
        let batch = model.change(&mut chance);
        commit(backend, &batch, if round % 3 == 0 { Durability::Immediate } else { Durability::Relaxed })?;
        if round % 10 == 0 {
            model.compare(&view(backend)?, &mut chance)?;
        }
    }
    model.compare(&view(backend)?, &mut chance)
}

/// What a backend has to have, plainly.
#[derive(Default)]
struct Model(BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Model {
    /// A batch at random, which is made here, too.
    fn change(&mut self, chance: &mut Chance) -> Batch {
        let mut batch = Batch::new();
        for _ in 0..chance.below(30) {
            let table = Table::ALL[chance.below(7) as usize];
            let (key, row) = (chance.key(table), chance.row(table));
            if chance.below(3) > 0 {
                batch.put(table, &key, &row);
                self.0.insert((table, key), row);
            } else {
                batch.delete(table, &key);
                self.0.remove(&(table, key));
            }
        }
        batch
    }

    fn compare(&self, view: &impl View, chance: &mut Chance) -> Result<(), Fault> {
        for table in Table::ALL {
            let rows: Vec<Row> = self
                .0
                .iter()
                .filter(|((of, _), _)| *of == table)
                .map(|((_, key), row)| (key.clone(), row.clone()))
                .collect();
            let count = view.count(table).map_err(failed("a table to be counted"))?;
            expect_equal(rows.len() as u64, count, "as many rows as the map has")?;
            for _ in 0..6 {
                let (low, high) = (chance.key(table), chance.key(table));
                let within = |(key, _): &&Row| *key >= low && *key < high;
                let mut wanted: Vec<Row> = rows.iter().filter(within).cloned().collect();
                let range = (Bound::Included(low.as_slice()), Bound::Excluded(high.as_slice()));
                expect(scan(view, table, range, Direction::Forward, usize::MAX)? == wanted, "the rows of the map")?;
                wanted.reverse();
                expect(scan(view, table, range, Direction::Backward, usize::MAX)? == wanted, "the same, backward")?;
                let wanted = self.0.get(&(table, low.clone()));
                expect(get(view, table, &low)?.as_ref() == wanted, "the row of the map, or none")?;
            }
            expect(scan(view, table, ALL, Direction::Forward, usize::MAX)? == rows, "all rows of the map")?;
        }
        Ok(())
    }
}

/// Numbers in no order, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) % bound
    }

    /// Few enough that they meet, and of the length that the table's keys have.
    fn key(&mut self, table: Table) -> Vec<u8> {
        let number = self.below(60);
        match table {
            Table::Versions | Table::Effects => [(number / 8).to_be_bytes(), (number % 8).to_be_bytes()].concat(),
            Table::Times => number.to_be_bytes().to_vec(),
            _ => vec![(number % 7) as u8; (number / 7) as usize],
        }
    }

    fn row(&mut self, table: Table) -> Vec<u8> {
        match table {
            Table::Times => self.below(u64::MAX).to_be_bytes().to_vec(),
            Table::Effects => Vec::new(),
            _ => {
                let longest = if self.below(20) == 0 { 20_000 } else { 100 };
                vec![self.below(256) as u8; self.below(longest) as usize]
            }
        }
    }
}
