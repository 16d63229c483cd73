//! The commands that work on a store: every version of every key, as of any moment.
//!
//! They open the directory themselves, so no other process may have it open.

use crate::failure::{Failure, quiet};
use anabranch::{
    redb::{Options, RedbBackend},
    store::{KeyedVersion, Options as StoreOptions, Store, Ticket, Timestamp, VersionId, VersionedValue, Write},
};
use anabranch_value::{Value, json};
use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use std::{
    io::{BufRead, IsTerminal, Write as _, stdin, stdout},
    panic::resume_unwind,
    path::PathBuf,
    sync::mpsc::{self, SyncSender},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// Where the store is, and how it is shown.
#[derive(Debug, Args)]
pub struct Place {
    /// The store's directory; it is made if it is not there
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,

    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Write a value as one more version of a key
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch put rooms kitchen '{\"celsius\": 21.5}'
  anabranch put rooms kitchen 22 --if-version 17f3…     only if that is the newest version
  anabranch put rooms kitchen 22 --if-absent            only if there is none
  cat readings.ndjson | anabranch put rooms --stdin     lines of {\"key\": …, \"value\": …}; a JSON line for each once it is durable

Exit codes: 0 done, 1 failed, 2 wrong use, 4 what is there is not what was expected")]
pub struct Put {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY", required_unless_present = "stdin", conflicts_with = "stdin")]
    key: Option<String>,

    /// The value, as JSON
    #[arg(value_name = "JSON", required_unless_present = "stdin", value_parser = value)]
    value: Option<Value>,

    /// Read lines of {"key": …, "value": …} from the standard input
    #[arg(long)]
    stdin: bool,

    /// Write only if this is the key's newest version
    #[arg(long, value_name = "ID", conflicts_with = "stdin")]
    if_version: Option<VersionId>,

    /// Write only if the key is not there
    #[arg(long, conflicts_with_all = ["stdin", "if_version"])]
    if_absent: bool,

    #[command(flatten)]
    place: Place,
}

/// Print the value of a key: the newest, as of a moment, or a certain version
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch get rooms kitchen
  anabranch get rooms kitchen --at 2026-01-31T08:05:00Z     what it was then
  anabranch get rooms kitchen --version 17f3…               a version that `history` shows

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found")]
pub struct Get {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    /// The newest version at or before this moment, as 2026-01-31T08:05:09Z
    #[arg(long, value_name = "TIME", conflicts_with = "version")]
    at: Option<Timestamp>,

    /// A version by its id
    #[arg(long, value_name = "ID")]
    version: Option<VersionId>,

    #[command(flatten)]
    place: Place,
}

/// Delete a key, with one more version that says so; its history stays
#[derive(Debug, Args)]
pub struct Delete {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    #[command(flatten)]
    place: Place,
}

/// Print the versions of a key, the newest first
#[derive(Debug, Args)]
pub struct History {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    /// How many, at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    #[command(flatten)]
    place: Place,
}

/// Print the namespaces, or the keys of one
#[derive(Debug, Args)]
pub struct List {
    /// The namespace whose keys are to be printed
    #[arg(value_name = "NS")]
    namespace: Option<String>,

    /// Only keys that begin with this
    #[arg(long, value_name = "TEXT", default_value = "", requires = "namespace")]
    prefix: String,

    /// As it was at this moment
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,

    #[command(flatten)]
    place: Place,
}

fn value(text: &str) -> Result<Value, String> {
    json::from_str(text).map_err(|why| format!("it is no JSON value ({why}); write text in quotes, as '\"warm\"'"))
}

impl Place {
    fn open(&self) -> Result<Store, Failure> {
        let backend = RedbBackend::open(&self.data, Options::default()).map_err(|why| Failure::Store(why.into()))?;
        Ok(Store::open(backend, StoreOptions::new(wall_clock))?)
    }

    /// Prints a version: as a JSON object, or with `words`.
    fn print(&self, key: &KeyedVersion, words: impl FnOnce(&VersionedValue) -> String) -> Result<(), Failure> {
        let line = if self.json { object(key)? } else { words(&key.version) };
        quiet(writeln!(stdout(), "{line}"))
    }
}

fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn keyed(namespace: &str, key: &str, version: VersionedValue) -> KeyedVersion {
    KeyedVersion { namespace: namespace.into(), key: key.into(), version }
}

/// A value as JSON. The JSON of crates/value keeps 64-bit integers and the order of keys.
fn shown(value: &Value) -> String {
    json::to_string(value).unwrap_or_else(|why| format!("(not to be shown: {why})"))
}

/// A version with the field names of the JavaScript API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'v> {
    namespace: &'v str,
    key: &'v str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    timestamp: String,
    version_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

fn object(KeyedVersion { namespace, key, version }: &KeyedVersion) -> Result<String, Failure> {
    // As it is, so that no digit is lost and the keys stand in their order.
    let value = (!version.deleted).then(|| RawValue::from_string(shown(&version.value)));
    serde_json::to_string(&Shown {
        namespace: namespace.as_str(),
        key: key.as_str(),
        value: value.transpose().map_err(Failure::Shown)?,
        deleted: version.deleted,
        timestamp: version.timestamp.to_string(),
        version_id: version.version_id.to_string(),
        previous_version: version.previous_version.as_ref().map(ToString::to_string),
        causes: version.causes.iter().map(ToString::to_string).collect(),
    })
    .map_err(Failure::Shown)
}

pub fn put(put: &Put) -> Result<(), Failure> {
    let store = put.place.open()?;
    if put.stdin {
        return put_lines(&put.namespace, &store);
    }
    let (Some(key), Some(value)) = (&put.key, &put.value) else { return Ok(()) }; // clap has seen to both
    let mut write = Write::put(put.namespace.as_str(), key.as_str(), value.clone());
    if let Some(version) = put.if_version {
        write = write.expecting(version);
    } else if put.if_absent {
        write = write.if_absent();
    }
    let version = keyed(&put.namespace, key, store.write(write)?);
    put.place.print(&version, |version| version.version_id.to_string())
}

/// How many lines may be under way: they share the syncs of the disk.
const UNDER_WAY: usize = 1024;

/// Each line is told as soon as it is durable, whether or not another has come; a line that is wrong ends the reading, and
/// those before it are written and told.
fn put_lines(namespace: &str, store: &Store) -> Result<(), Failure> {
    let (submitted, under_way) = mpsc::sync_channel(UNDER_WAY);
    let tell = move || {
        under_way.into_iter().try_for_each(|(key, ticket): (String, Ticket)| -> Result<(), Failure> {
            for version in ticket.wait()? {
                quiet(writeln!(stdout(), "{}", object(&keyed(namespace, &key, version))?))?;
            }
            Ok(())
        })
    };
    thread::scope(|scope| {
        let telling = scope.spawn(tell);
        let read = submit_lines(namespace, store, &submitted);
        drop(submitted);
        telling.join().unwrap_or_else(|panic| resume_unwind(panic)).and(read)
    })
}

fn submit_lines(namespace: &str, store: &Store, submitted: &SyncSender<(String, Ticket)>) -> Result<(), Failure> {
    for (number, line) in (1_u64..).zip(stdin().lock().lines()) {
        let line = line.map_err(Failure::Input)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| Failure::Line { number, why };
        let parsed = value(&line).map_err(wrong)?;
        let (key, value) = (parsed.get("key"), parsed.get("value"));
        let (Some(Value::String(key)), Some(value)) = (key, value) else {
            return Err(wrong("write it as {\"key\": \"kitchen\", \"value\": 21.5}".into()));
        };
        let write = Write::put(namespace, key.as_str(), value.clone());
        if submitted.send((key.as_str().to_owned(), store.submit(vec![write])?)).is_err() {
            return Ok(()); // telling has failed, and says why
        }
    }
    Ok(())
}

pub fn get(get: &Get) -> Result<(), Failure> {
    let (namespace, key) = (get.namespace.as_str(), get.key.as_str());
    let store = get.place.open()?;
    let version = match (&get.version, get.at) {
        (Some(id), _) => store.get_version(namespace, key, id)?,
        (None, Some(at)) => store.get_at(namespace, key, at)?,
        (None, None) => store.get(namespace, key)?,
    };
    get.place.print(&keyed(namespace, key, version), |version| shown(&version.value))
}

pub fn delete(delete: &Delete) -> Result<(), Failure> {
    let version = delete.place.open()?.delete(&delete.namespace, &delete.key)?;
    delete.place.print(&keyed(&delete.namespace, &delete.key, version), |version| version.version_id.to_string())
}

pub fn history(history: &History) -> Result<(), Failure> {
    let store = history.place.open()?;
    let page = store.history(&history.namespace, &history.key, .., history.limit)?;
    let more = page.next.is_some();
    for version in page.items {
        history.place.print(&keyed(&history.namespace, &history.key, version), |version| {
            let what = if version.deleted { "(deleted)".to_owned() } else { shown(&version.value) };
            format!("{}  {}  {what}", version.timestamp, version.version_id)
        })?;
    }
    if more && !history.place.json && stdout().is_terminal() {
        crate::tell(format_args!("there are more: raise `--limit`"));
    }
    Ok(())
}

/// How many names are read at once.
const PAGE: usize = 1000;

pub fn list(list: &List) -> Result<(), Failure> {
    let store = list.place.open()?;
    let mut after: Option<String> = None;
    loop {
        let page = match &list.namespace {
            Some(namespace) => store.list_keys(namespace, &list.prefix, list.at, after.as_deref(), PAGE)?,
            None => store.list_namespaces(list.at, after.as_deref(), PAGE)?,
        };
        for name in page.items {
            let kind = if list.namespace.is_some() { "key" } else { "namespace" };
            let line = if list.place.json { serde_json::json!({ kind: name }).to_string() } else { name };
            quiet(writeln!(stdout(), "{line}"))?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
