//! SQLite with a table of versions: one row a version, in the order of namespace, key and time, and an index by time.
//!
//! It does what a versioned store on SQLite has to do and no more: a write looks up the version before it. There is no
//! digest over what was written, so nothing of the work that proves a chain slows it down.

use crate::{BEGIN, NAMESPACE, VALUE};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Statement, params};
use std::{path::Path, time::Duration};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS versions (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        time INTEGER NOT NULL,
        previous INTEGER,
        value TEXT,
        PRIMARY KEY (namespace, key, time)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX IF NOT EXISTS by_time ON versions (time);
";
const LAST: &str = "SELECT time FROM versions WHERE namespace = ?1 AND key = ?2 ORDER BY time DESC LIMIT 1";
const PUT: &str = "INSERT INTO versions (namespace, key, time, previous, value) VALUES (?1, ?2, ?3, ?4, ?5)";
const GET: &str =
    "SELECT value, time, previous FROM versions WHERE namespace = ?1 AND key = ?2 ORDER BY time DESC LIMIT 1";
const GET_AT: &str = "SELECT value, time, previous FROM versions WHERE namespace = ?1 AND key = ?2 AND time <= ?3 \
                      ORDER BY time DESC LIMIT 1";
const HISTORY: &str = "SELECT value, time, previous FROM versions WHERE namespace = ?1 AND key = ?2 AND time < ?3 \
                       ORDER BY time DESC LIMIT ?4";

/// How safe a commit is.
#[derive(Clone, Copy)]
pub enum Sync {
    /// Each commit is synced.
    Full,
    /// Commits are synced now and then.
    Normal,
}

/// A version as it is read: the value, its time, and that of the version before.
pub type Version = (String, i64, Option<i64>);

pub fn in_memory() -> Connection {
    let connection = Connection::open_in_memory().expect("SQLite opens in memory");
    connection.execute_batch(TABLES).expect("tables are made");
    connection
}

/// With a write-ahead log.
pub fn at(path: &Path, sync: Sync) -> Connection {
    // One thread at a time has a connection here, so it needs no lock of its own.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).expect("SQLite opens");
    connection.busy_timeout(Duration::from_secs(60)).expect("it takes a time");
    connection.pragma_update(None, "journal_mode", "WAL").expect("it has a log");
    let sync = match sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", sync).expect("it syncs");
    // As much as our backend has.
    connection.pragma_update(None, "cache_size", -32 * 1024).expect("it has a cache");
    connection.execute_batch(TABLES).expect("tables are made");
    connection
}

/// What is prepared once and used often.
pub struct Prepared<'c> {
    last: Statement<'c>,
    put: Statement<'c>,
    get: Statement<'c>,
    get_at: Statement<'c>,
    history: Statement<'c>,
}

impl<'c> Prepared<'c> {
    pub fn new(connection: &'c Connection) -> Self {
        let prepare = |text| connection.prepare(text).expect("the statement is right");
        Prepared {
            last: prepare(LAST),
            put: prepare(PUT),
            get: prepare(GET),
            get_at: prepare(GET_AT),
            history: prepare(HISTORY),
        }
    }

    pub fn put(&mut self, key: &str, time: i64) {
        let last = self.last.query_row(params![NAMESPACE, key], |row| row.get::<_, i64>(0));
        let last = last.optional().expect("SQLite reads");
        self.put.execute(params![NAMESPACE, key, time, last, VALUE]).expect("SQLite writes");
    }

    pub fn get(&mut self, key: &str) -> Version {
        self.get.query_row(params![NAMESPACE, key], version).expect("the key is there")
    }

    pub fn get_at(&mut self, key: &str, time: i64) -> Version {
        self.get_at.query_row(params![NAMESPACE, key, time], version).expect("the version is there")
    }

    pub fn history(&mut self, key: &str, before: i64, limit: usize) -> Vec<Version> {
        let rows = self.history.query_map(params![NAMESPACE, key, before, limit as i64], version);
        rows.expect("SQLite reads").collect::<Result<_, _>>().expect("the versions are there")
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// Versions of one key, in one transaction.
pub fn fill_chain(connection: &Connection, key: &str, from: i64, to: i64) {
    let transaction = connection.unchecked_transaction().expect("it begins");
    let mut prepared = Prepared::new(connection);
    (from..to).for_each(|number| prepared.put(key, BEGIN + number));
    drop(prepared);
    transaction.commit().expect("it is committed");
}

/// A write by a connection that others have between two of them, so that nothing stays prepared outside of it.
pub fn put_cached(connection: &Connection, key: &str, time: i64) {
    let mut last = connection.prepare_cached(LAST).expect("the statement is right");
    let last = last.query_row(params![NAMESPACE, key], |row| row.get::<_, i64>(0)).optional().expect("SQLite reads");
    let mut put = connection.prepare_cached(PUT).expect("the statement is right");
    put.execute(params![NAMESPACE, key, time, last, VALUE]).expect("SQLite writes");
}

pub fn get_cached(connection: &Connection, key: &str) -> Version {
    let mut get = connection.prepare_cached(GET).expect("the statement is right");
    get.query_row(params![NAMESPACE, key], version).expect("the key is there")
}

/// Waits until no other connection writes.
pub fn begin(connection: &Connection) {
    connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])).expect("it begins");
}

pub fn commit(connection: &Connection) {
    connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([])).expect("it is committed");
}
