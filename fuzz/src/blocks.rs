//! A database's file, altered: each row is read as it was written, or the damage is told.
//!
//! ```text
//!  input = whole 1 (odd: the rest is the file) | change: block 1, place in it 2, count 1, bytes
//! ```

use crate::{Input, Row, read};
use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, Event, Replay, SimPlace},
};
use anabranch_store::{Backend, BackendError, Batch, Durability, Table, View};
use std::sync::OnceLock;

/// A database that lost its power, so that opening it has something to do; and its rows.
struct Base {
    file: Vec<u8>,
    rows: Vec<Row>,
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let place = SimPlace::default();
        let backend = RedbBackend::open_at(place.clone(), Options::default()).expect("a new one opens");
        for round in 0..4_u64 {
            let mut batch = Batch::new();
            for number in 0..30_u64 {
                let row = vec![number as u8; (number * 17 % 400) as usize];
                batch.put(Table::Versions, &[number.to_be_bytes(), round.to_be_bytes()].concat(), &row);
                batch.put(Table::Keys, format!("{number}").as_bytes(), &row);
                batch.put(Table::Times, &(round << 8 | number).to_be_bytes(), &number.to_be_bytes());
            }
            backend.commit(&batch, Durability::Immediate).expect("it is committed");
        }
        let rows = read(&backend).expect("nothing is altered yet");
        let (mut replay, mut chance) = (Replay::default(), Chance::new(1));
        place
            .events()
            .iter()
            .filter(|event| !matches!(event, Event::Mark(_)))
            .for_each(|event| replay.play(event, &mut chance));
        Base { file: replay.crash(&mut chance).bytes(), rows }
    })
}

/// Opens it and reads all of it.
pub fn try_it(data: &[u8]) {
    let mut input = Input(data);
    let Base { file, rows } = base();
    let is_whole = input.byte() % 2 == 1;
    let mut altered = file.clone();
    if is_whole {
        altered = input.0.to_vec();
    } else {
        while !input.is_empty() {
            let (block, at, count) = (usize::from(input.byte()), input.number(), usize::from(input.byte()));
            let at = (block * 4096 + at % 4096) % altered.len();
            for (place, byte) in altered[at..].iter_mut().zip(input.bytes(count)) {
                *place = *byte;
            }
        }
    }
    let place = SimPlace::with(altered);
    let refused = |error: &BackendError| {
        use BackendError::{Damaged, Newer, NotADatabase};
        assert!(matches!(error, Damaged(_) | NotADatabase(_) | Newer { .. }), "told as {error:?}");
    };
    let backend = match RedbBackend::open_at(place, Options::default()) {
        Ok(backend) => backend,
        Err(error) => return refused(&error),
    };
    if is_whole {
        // What a stranger made may be another database, if it has the sums of one.
        let _ = read(&backend);
        return;
    }
    match read(&backend) {
        Ok(found) => assert!(found == *rows, "rows are others, and nothing is told"),
        Err(error) => refused(&error),
    }
    let view = backend.view().expect("a view is taken");
    for (table, key, row) in rows {
        let mut found = None;
        match view.get(*table, key, &mut |row| found = Some(row.to_vec())) {
            Ok(()) => assert_eq!(found.as_ref(), Some(row)),
            Err(error) => refused(&error),
        }
    }
}

/// Changes of the beginning, of a header, of sums and of blocks; and files of strangers.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let change =
        |block: u8, at: u16, bytes: &[u8]| [&[0, block], &at.to_be_bytes()[..], &[bytes.len() as u8], bytes].concat();
    vec![
        ("nothing".into(), vec![0]),
        ("beginning".into(), change(0, 16, &[2])),
        ("header".into(), change(1, 8, &[0xff; 16])),
        ("sums".into(), change(5, 16, &[0; 8])),
        ("block".into(), change(9, 100, b"altered")),
        ("stranger".into(), [&[1], &b"SQLite format 3\0"[..]].concat()),
        ("beginning-alone".into(), [&[1], &base().file[..4096]].concat()),
    ]
}
