//! `get`, `history` and `list`: what there is, and what there was.

use anabranch::store::{Timestamp, VersionId};
use anabranch_node::Which;
use clap::Args;
use serde_json::json;

use super::{
    moment::{id, time},
    people::{Shower, in_history, what},
    place::Place,
};
use crate::failure::Failure;

/// Print the value of a key: the newest, as of a moment, or a certain version
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch get rooms kitchen
  anabranch get rooms kitchen --at 2026-01-31T08:05:00Z     what it was then
  anabranch get rooms kitchen --at '10 min ago'
  anabranch get rooms kitchen --version 17f3…               a version that `history` shows

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found")]
pub struct Get {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    /// The newest version at or before this moment, as 2026-01-31T08:05:09Z or '10 min ago'
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "version")]
    at: Option<Timestamp>,

    /// A version by its id
    #[arg(long, value_name = "ID", value_parser = id)]
    version: Option<VersionId>,

    #[command(flatten)]
    place: Place,
}

/// Print the versions of a key, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch history rooms kitchen
  anabranch history rooms kitchen --limit 1000 --json
  anabranch history rooms kitchen --at '2 h ago'            those that there were then

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found")]
pub struct History {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    /// Only versions at or before this moment, as 2026-01-31T08:05:09Z or '10 min ago'
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,

    /// How many, at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    #[command(flatten)]
    place: Place,
}

/// Print the namespaces, or the keys of one
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch list                                            the namespaces
  anabranch list rooms --prefix kit
  anabranch list rooms --at 2026-01-31T08:05:00Z            the keys that there were then

Exit codes: 0 done, 1 failed, 2 wrong use")]
pub struct List {
    /// The namespace whose keys are to be printed
    #[arg(value_name = "NS")]
    namespace: Option<String>,

    /// Only keys that begin with this
    #[arg(long, value_name = "TEXT", default_value = "", requires = "namespace")]
    prefix: String,

    /// As it was at this moment, as 2026-01-31T08:05:09Z or '10 min ago'
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,

    /// How many, at most; all without it
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    #[command(flatten)]
    place: Place,
}

pub fn get(get: &Get) -> Result<(), Failure> {
    let which = match (get.version, get.at) {
        (Some(id), _) => Which::Version(id),
        (None, Some(at)) => Which::At(at),
        (None, None) => Which::Newest,
    };
    let version = get.place.open()?.get(&get.namespace, &get.key, which)?;
    let mut shower = Shower::of(&get.place);
    shower.version(&version, what)?;
    shower.end()
}

pub fn history(history: &History) -> Result<(), Failure> {
    let (namespace, key) = (history.namespace.as_str(), history.key.as_str());
    let store = history.place.open()?;
    let page = store.history(namespace, key, history.at, history.limit)?;
    if let (true, Some(at)) = (page.items.is_empty(), history.at) {
        // Nothing yet: that is said as `get --at` says it.
        store.get(namespace, key, Which::At(at))?;
    }
    let mut shower = Shower::of(&history.place);
    let now = shower.now;
    for version in &page.items {
        shower.version(version, |version, look| in_history(version, look, now))?;
    }
    let is_seen = shower.is_for_people() && shower.look.on_terminal;
    shower.end()?;
    if page.next.is_some() && is_seen {
        crate::tell(format_args!("there are older ones: raise `--limit`, or go back with `--at`"));
    }
    Ok(())
}

/// How many names are read at once.
const PAGE: usize = 1000;

pub fn list(list: &List) -> Result<(), Failure> {
    let store = list.place.open()?;
    let mut shower = Shower::of(&list.place);
    let mut after: Option<String> = None;
    let mut left = list.limit.unwrap_or(usize::MAX);
    loop {
        let page = match &list.namespace {
            Some(namespace) => store.keys(namespace, &list.prefix, list.at, after.as_deref(), left.min(PAGE))?,
            None => store.namespaces(list.at, after.as_deref(), left.min(PAGE))?,
        };
        left -= page.items.len();
        for name in page.items {
            let object = match &list.namespace {
                Some(namespace) => json!({ "namespace": namespace, "key": name }),
                None => json!({ "namespace": name }),
            };
            shower.show(&object, |_| name)?;
        }
        match page.next {
            Some(next) if left > 0 => after = Some(next),
            _ => return shower.end(),
        }
    }
}
