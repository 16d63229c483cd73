//! A database's file, altered: each row is read as it was written, or the damage is told.
//!
//! ```text
//!  input = mode 1 | change: block 1, place in it 2, count 1, bytes
//!                 | a stranger's file
//!  mode    0 changes   1 a stranger's   2 changes of the log, whose sums are made right again, so that what lies behind them is tried, too
//! ```

use crate::{Input, Row, read};
use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, Event, Replay, SimPlace},
};
use anabranch_store::{Backend, BackendError, Batch, Durability, Table, View};
use std::sync::OnceLock;
use twox_hash::XxHash3_64;

const BLOCK: usize = 4096;
/// Where the log is, how many blocks it has, and what stands before the bytes of a record in each.
const LOG: usize = 5 * BLOCK;
const LOG_BLOCKS: usize = 128;
const HEAD: usize = 32;

/// A database that lost its power, so that opening it has something to do, and three commits are in its log; and the rows after
/// each commit.
struct Base {
    file: Vec<u8>,
    states: Vec<Vec<Row>>,
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let place = SimPlace::default();
        let backend = RedbBackend::open_at(place.clone(), Options::default()).expect("a new one opens");
        let mut states = Vec::new();
        for round in 0..4_u64 {
            let mut batch = Batch::new();
            for number in 0..30_u64 {
                let row = vec![number as u8; (number * 17 % 400) as usize];
                batch.put(Table::Versions, &[number.to_be_bytes(), round.to_be_bytes()].concat(), &row);
                batch.put(Table::Keys, format!("{number}").as_bytes(), &row);
                batch.put(Table::Times, &(round << 8 | number).to_be_bytes(), &number.to_be_bytes());
            }
            backend.commit(&batch, Durability::Immediate).expect("it is committed");
            states.push(read(&backend).expect("nothing is altered yet"));
        }
        let (mut replay, mut chance) = (Replay::default(), Chance::new(1));
        place
            .events()
            .iter()
            .filter(|event| !matches!(event, Event::Mark(_)))
            .for_each(|event| replay.play(event, &mut chance));
        Base { file: replay.crash(&mut chance).bytes(), states }
    })
}

/// Opens it, reads all of it, and writes to it.
pub fn try_it(data: &[u8]) {
    let mut input = Input(data);
    let Base { file, states } = base();
    let mode = input.byte() % 3;
    let mut altered = file.clone();
    if mode == 1 {
        altered = input.0.to_vec();
    } else {
        let blocks = if mode == 2 { LOG..LOG + LOG_BLOCKS * BLOCK } else { 0..altered.len() };
        let altered = &mut altered[blocks];
        while !input.is_empty() {
            let (block, at, count) = (usize::from(input.byte()), input.number(), usize::from(input.byte()));
            let at = (block * BLOCK + at % BLOCK) % altered.len();
            for (place, byte) in altered[at..].iter_mut().zip(input.bytes(count)) {
                *place = *byte;
            }
        }
    }
    if mode == 2 {
        seal(&mut altered[LOG..LOG + LOG_BLOCKS * BLOCK]);
    }
    let place = SimPlace::with(altered);
    let refused = |error: &BackendError| {
        use BackendError::{Damaged, Newer, NotADatabase};
        assert!(matches!(error, Damaged(_) | NotADatabase(_) | Newer { .. }), "told as {error:?}");
    };
    let backend = match RedbBackend::open_at(place.clone(), Options::default()) {
        Ok(backend) => backend,
        Err(error) => return refused(&error),
    };
    let found = read(&backend);
    if mode > 0 {
        // What a stranger made may be another database, if it has the sums of one; and it is written to as any.
        let mut batch = Batch::new();
        batch.put(Table::Meta, b"after", b"all");
        if backend.commit(&batch, Durability::Immediate).is_ok() && mode == 2 && found.is_ok() {
            let again = RedbBackend::open_at(place, Options::default()).expect("it was written to");
            assert_eq!(again.view().expect("a view is taken").count(Table::Meta), Ok(meta_rows(&found) + 1));
        }
        return;
    }
    // Both copies of the last commit can have been altered: that is as if it had never been acknowledged.
    let rows = match &found {
        Ok(found) => states.iter().find(|rows| *rows == found).expect("rows are as after some commit, or it is told"),
        Err(error) => {
            refused(error);
            &states[states.len() - 1]
        }
    };
    let view = backend.view().expect("a view is taken");
    for (table, key, row) in rows {
        let mut its = None;
        match view.get(*table, key, &mut |row| its = Some(row.to_vec())) {
            Ok(()) => assert!(its.as_ref() == Some(row) || its.is_none() && found.is_err()),
            Err(error) => refused(&error),
        }
    }
}

fn meta_rows(rows: &Result<Vec<Row>, BackendError>) -> u64 {
    let is_other = |(table, key, _): &&Row| *table == Table::Meta && key != b"after";
    rows.as_ref().map_or(0, |rows| rows.iter().filter(is_other).count() as u64)
}

/// Makes the sums of the log's records and blocks right, as far as records can be told, and each block like its twin.
fn seal(log: &mut [u8]) {
    let number =
        |log: &[u8], at: usize| log[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let mut pair = 0;
    while pair < LOG_BLOCKS / 2 {
        let length = number(log, pair * 2 * BLOCK + 24);
        let pairs = length.div_ceil(BLOCK - HEAD).clamp(1, LOG_BLOCKS / 2 - pair);
        let mut record: Vec<u8> = (pair..pair + pairs)
            .flat_map(|pair| log[pair * 2 * BLOCK + HEAD..(pair * 2 + 1) * BLOCK].to_vec())
            .collect();
        record.truncate(length);
        let whole = XxHash3_64::oneshot(&record).to_le_bytes();
        for pair in pair..pair + pairs {
            let (one, twin) = log[pair * 2 * BLOCK..(pair + 1) * 2 * BLOCK].split_at_mut(BLOCK);
            one[16..24].copy_from_slice(&whole);
            let sum = XxHash3_64::oneshot_with_seed(pair as u64, &one[8..]).to_le_bytes();
            one[..8].copy_from_slice(&sum);
            twin.copy_from_slice(one);
        }
        pair += pairs;
    }
}

/// Changes of the beginning, of a header, of the log, of sums and of blocks; and files of strangers.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let change =
        |block: u8, at: u16, bytes: &[u8]| [&[0, block], &at.to_be_bytes()[..], &[bytes.len() as u8], bytes].concat();
    let sealed = |block: u8, at: u16, bytes: &[u8]| [&[2][..], &change(block, at, bytes)[1..]].concat();
    vec![
        ("nothing".into(), vec![0]),
        ("beginning".into(), change(0, 16, &[3])),
        ("header".into(), change(1, 8, &[0xff; 16])),
        ("log".into(), change(5, 100, b"altered")),
        ("log-twins".into(), [change(5, 100, b"altered"), change(6, 100, b"altered")[1..].to_vec()].concat()),
        ("log-sealed".into(), sealed(0, 32, &[3, 1, 7])),
        ("log-length".into(), sealed(0, 24, &[1, 0])),
        ("log-epoch".into(), sealed(0, 8, &[2])),
        ("sums".into(), change(133, 16, &[0; 8])),
        ("block".into(), change(137, 100, b"altered")),
        ("stranger".into(), [&[1], &b"SQLite format 3\0"[..]].concat()),
        ("beginning-alone".into(), [&[1], &base().file[..4096]].concat()),
    ]
}
