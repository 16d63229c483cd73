//! A browser's two files, altered: what is read is what was written up to some commit, or the damage is told.
//!
//! ```text
//!  input = mode 1 | change: file 1, block 1, place in it 2, count 1, bytes
//!                 | length of the log 2, the log, the tree: files of a stranger
//!  mode    0 changes   1 changes, and every sum is made right again, so that what lies behind them is tried, too   2 a stranger's
//! ```

use crate::{Input, Row, read};
use anabranch_medium::sim::SimPlace;
use anabranch_opfs::{OpfsBackend, Options};
use anabranch_store::{Backend, BackendError, Batch, Durability, Table, View};
use std::{collections::BTreeMap, sync::OnceLock};

const LOG: usize = 0;
const TREE: usize = 1;
const BLOCK: usize = 4096;
/// Of a header: where its references begin, how long each is with its number of rows, and where its sum stands.
const ROOTS: usize = 48;
const ROOT: usize = 20;
const HEADER_SUM: usize = ROOTS + 7 * ROOT;
/// Of a record of the log.
const RECORD: usize = 28;

/// Two trees, one after the other, and some commits in the log; and the rows after each commit.
struct Base {
    files: [Vec<u8>; 2],
    states: Vec<Vec<Row>>,
    /// All that a key ever had, for some of the keys.
    ever: BTreeMap<(Table, Vec<u8>), Vec<Vec<u8>>>,
}

fn open(place: &SimPlace) -> Result<OpfsBackend, BackendError> {
    OpfsBackend::open(place.fixed(LOG), place.fixed(TREE), Options::default())
}

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let place = SimPlace::with_media(2);
        let backend = open(&place).expect("a new one opens");
        let mut states = vec![Vec::new()];
        for round in 0..8_u64 {
            let mut batch = Batch::new();
            for number in 0..15_u64 {
                let row = vec![number as u8 ^ round as u8; (number * 17 % 400) as usize];
                batch.put(Table::Versions, &[number.to_be_bytes(), (round / 2).to_be_bytes()].concat(), &row);
                batch.put(Table::Times, &(round << 8 | number).to_be_bytes(), &number.to_be_bytes());
            }
            batch.put(Table::Keys, format!("{round}").as_bytes(), &[7; 5000]);
            batch.delete(Table::Keys, format!("{}", round.wrapping_sub(2)).as_bytes());
            backend.commit(&batch, Durability::Immediate).expect("it is committed");
            states.push(read(&backend).expect("nothing is altered yet"));
            if round == 2 || round == 4 {
                backend.checkpoint().expect("it has room");
            }
        }
        let mut ever: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (table, key, row) in states.iter().flatten().step_by(7) {
            ever.entry((*table, key.clone())).or_default().push(row.clone());
        }
        for (table, key, row) in states.iter().flatten() {
            ever.entry((*table, key.clone())).and_modify(|rows| rows.push(row.clone()));
        }
        Base { files: [place.bytes_of(LOG), place.bytes_of(TREE)], states, ever }
    })
}

/// That damage is told as such.
fn told(error: &BackendError) {
    use BackendError::{Damaged, Newer, NotADatabase};
    assert!(matches!(error, Damaged(_) | NotADatabase(_) | Newer { .. }), "told as {error:?}");
}

/// Opens it, reads all of it, writes to it and opens it again.
pub fn try_it(data: &[u8]) {
    let mut input = Input(data);
    let Base { files, states, ever } = base();
    let mode = input.byte() % 3;
    let mut altered = files.clone();
    if mode == 2 {
        let length = input.number();
        altered = [input.bytes(length).to_vec(), input.0.to_vec()];
    } else {
        while !input.is_empty() {
            let file = &mut altered[usize::from(input.byte()) % 2];
            let (block, at, count) = (usize::from(input.byte()), input.number(), usize::from(input.byte()));
            let at = (block * BLOCK + at % BLOCK) % file.len();
            for (place, byte) in file[at..].iter_mut().zip(input.bytes(count)) {
                *place = *byte;
            }
        }
    }
    if mode == 1 {
        seal(&mut altered);
    }
    let place = SimPlace::with_bytes(&altered);
    let backend = match open(&place) {
        Ok(backend) => backend,
        Err(error) => return told(&error),
    };
    let found = read(&backend);
    match &found {
        Ok(found) if mode == 0 => assert!(states.contains(found), "rows are others, and nothing is told"),
        Ok(_) => {}
        Err(error) => told(error),
    }
    let view = backend.view().expect("a view is taken");
    for table in Table::ALL {
        let _ = view.count(table).map_err(|error| told(&error));
    }
    for ((table, key), rows) in ever.iter().filter(|_| mode == 0) {
        let mut row = None;
        match view.get(*table, key, &mut |its| row = Some(its.to_vec())) {
            Ok(()) => assert!(row.is_none_or(|row| rows.contains(&row)), "a row is another, and nothing is told"),
            Err(error) => told(&error),
        }
    }
    drop(view);
    // What is damaged is not made worse: it can be written to, or says why not.
    let mut batch = Batch::new();
    batch.put(Table::Meta, b"after", b"all");
    let outcome = backend.commit(&batch, Durability::Immediate).and_then(|()| backend.checkpoint());
    if let Err(error) = outcome {
        return told(&error);
    }
    let again = open(&place).expect("what was brought into a tree can be opened");
    let mut row = None;
    again
        .view()
        .and_then(|view| view.get(Table::Meta, b"after", &mut |its| row = Some(its.to_vec())))
        .expect("it is whole");
    assert_eq!(row.as_deref(), Some(&b"all"[..]));
    if let (Ok(found), 0) = (found, mode) {
        let rows = read(&again).expect("it was read before");
        assert!(
            found.iter().all(|row| rows.contains(row)) && rows.len() == found.len() + 1,
            "rows are others after a checkpoint"
        );
    }
}

/// Makes the sums of roots, of headers and of the log's records right, as far as those can be told.
fn seal([log, tree]: &mut [Vec<u8>; 2]) {
    let mut seed = Vec::new();
    for header in 0..4 {
        let begin = header * BLOCK;
        for table in 0..7 {
            let at = begin + ROOTS + table * ROOT;
            let Some((block, length)) = tree.get(at..at + 8).map(|root| (number(&root[..4]), number(&root[4..])))
            else {
                return;
            };
            let from = block.saturating_mul(BLOCK);
            if let Some(node) = tree.get(from..from.saturating_add(length)).filter(|node| !node.is_empty()) {
                let sum = crc32c::crc32c(node).to_le_bytes();
                tree[at + 8..at + 12].copy_from_slice(&sum);
            }
        }
        for end in [20, HEADER_SUM] {
            let sum = crc32c::crc32c(&tree[begin..begin + end]).to_le_bytes();
            tree[begin + end..begin + end + 4].copy_from_slice(&sum);
        }
        // The generation of the base that holds.
        if header == 0 {
            seed = tree[begin + HEADER_SUM..begin + HEADER_SUM + 4].to_vec();
        }
    }
    let mut at = 0;
    while let Some(head) = log.get(at..at + RECORD) {
        let end = at.saturating_add(RECORD).saturating_add(number(&head[12..16]));
        if end > log.len() {
            return;
        }
        log[at + 8..at + 12].copy_from_slice(&seed);
        let check = check(&log[at + 8..end]).to_le_bytes();
        log[at + 4..at + 8].copy_from_slice(&check);
        let sum = crc32c::crc32c(&log[at + 4..end]).to_le_bytes();
        log[at..at + 4].copy_from_slice(&sum);
        at = end;
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The second sum of a record, as the guide has it.
fn check(bytes: &[u8]) -> u32 {
    let mut sum = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for word in words.iter().chain([&last]) {
        sum = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    (sum ^ (sum >> 32)) as u32
}

/// Changes of headers, of nodes and of the log, with and without their sums; and files of strangers.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let change = |mode: u8, file: usize, block: u8, at: u16, bytes: &[u8]| {
        [&[mode, file as u8, block], &at.to_be_bytes()[..], &[bytes.len() as u8], bytes].concat()
    };
    let [log, tree] = &base().files;
    let stranger = |log: &[u8], tree: &[u8]| [&[2], &(log.len() as u16).to_be_bytes()[..], log, tree].concat();
    vec![
        ("nothing".into(), vec![0]),
        ("nothing-sealed".into(), vec![1]),
        ("format".into(), change(1, TREE, 0, 16, &[2])),
        ("generation".into(), change(1, TREE, 2, 24, &[9])),
        ("blocks".into(), change(1, TREE, 0, 40, &[0xff; 8])),
        ("root".into(), change(1, TREE, 0, ROOTS as u16 + 3 * ROOT as u16, &[5, 0, 0, 0, 0xff, 0x0f])),
        ("rows".into(), change(1, TREE, 0, ROOTS as u16 + 12, &[0xff; 8])),
        ("node".into(), change(0, TREE, 9, 100, b"altered")),
        ("entries".into(), change(1, TREE, 9, 0, &[1, 3, 0xff, 0xff, 4, 0, 0, 0])),
        ("record".into(), change(0, LOG, 0, 40, b"altered")),
        ("batch".into(), change(1, LOG, 0, 28, &[0x83, 0xff, 0xff, 0xff, 0xff, 0x7f])),
        ("length".into(), change(1, LOG, 0, 12, &[0xff, 0xff, 0, 0])),
        ("stranger".into(), stranger(b"", b"SQLite format 3\0")),
        ("headers-alone".into(), stranger(&log[..RECORD], &tree[..4 * BLOCK])),
    ]
}
