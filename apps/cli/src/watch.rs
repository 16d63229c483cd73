//! `anabranch watch`: the values of a record of a running node, or what is written to a store, as it comes.
//!
//! A name is a record's, or a namespace's where there is no such record or it is said: by a `/` at its end, or a place to begin.

use std::{
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use anabranch::store::Moment;
use anabranch_node::{Client, Config, Event};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    failure::{Failure, quiet},
    store::{self, Following},
    tell,
};

const EXAMPLES: &str = "\
NAME is a record of the node that runs on the directory. Where that has no such record, or with `--from`, `--prefix` or a / at its
end, it is NS or NS/PREFIX: a namespace of the store there, and what the keys to follow begin with. Where no node runs, nobody
else writes, so with `--from` it ends with what was written before.

A record with a single-latest begins with its current value, others with the next one that comes. It ends when the node
does, or with Ctrl-C.

Examples:
  anabranch watch temperature                      the node of this directory's anabranch.toml
  anabranch watch temperature --data data          the node that has this directory open
  anabranch watch temperature --limit 1            one value, and end
  anabranch watch temperature --json | jq .value   one JSON object a line
  anabranch watch rooms/kit --from '10 min ago'    what was written to keys that begin with \"kit\", and then what is being written
  anabranch watch rooms --from 17f3…               what was written after that version
  anabranch watch 'a/b' --prefix ''                a namespace that has a / in its name

Versions are printed as `history --json` prints them where the output is no terminal, or with `--json`. Each JSON line of a record
is one value:
  {\"record\": \"temperature\", \"sequence\": 7, \"time\": \"2026-01-31T08:05:09.123456789Z\", \"value\": {…}}
or, where the record was faster than the output: {\"record\": \"temperature\", \"missed\": 3}.

Exit codes: 0 done, 1 failed or no node runs, 2 wrong use, 3 there is no such record";

/// Follow a record of a running node, or what is written to a store
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Watch {
    /// The record, or NS or NS/PREFIX
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Begin with what was written at or after this time, or after this version
    #[arg(long, value_name = "TIME|ID", value_parser = store::moment)]
    pub from: Option<Moment>,

    /// Only keys that begin with this; all of NAME is the namespace then
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,

    /// The directory of the node or the store; that of ./anabranch.toml when it is not given, or else data
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,

    /// End after so many values
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

impl Watch {
    /// Whether it can be no record.
    fn is_of_store(&self) -> bool {
        self.from.is_some() || self.prefix.is_some() || self.name.ends_with('/')
    }

    fn of_store(&self, data: PathBuf) -> Following {
        let (namespace, prefix) = match &self.prefix {
            Some(prefix) => (self.name.as_str(), prefix.as_str()),
            None => self.name.split_once('/').unwrap_or((&self.name, "")),
        };
        Following {
            data,
            namespace: namespace.into(),
            prefix: prefix.into(),
            from: self.from,
            json: self.json,
            limit: self.limit,
        }
    }
}

/// A value, as the node tells of it.
#[derive(Deserialize)]
struct Seen<'a> {
    time: &'a str,
    #[serde(borrow)]
    value: &'a RawValue,
}

pub fn run(watch: &Watch) -> Result<(), Failure> {
    let data = watch.data.clone().or_else(of_this_directory);
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Threads)?;
    if watch.is_of_store() {
        return threads.block_on(store::follow(watch.of_store(data.unwrap_or_else(|| "data".into()))));
    }
    threads.block_on(follow(watch, data.ok_or(Failure::WhichNode)?))
}

async fn follow(watch: &Watch, data: PathBuf) -> Result<(), Failure> {
    let client = Client::of(&data);
    let mut values = match client.watch(&watch.name).await {
        Err(error) if error.is_not_found() => {
            let following = watch.of_store(data);
            let is_there = store::has_namespace(&client, &following).await;
            return if is_there { store::follow(following).await } else { Err(error.into()) };
        }
        values => values?,
    };
    tell(format_args!("watching \"{}\" of the node on {}", watch.name, client.data().display()));
    let mut left = watch.limit;
    while let Some(event) = values.next().await? {
        let (object, is_value) = match &event {
            Event::Value(object) => (object, true),
            Event::Lagged(object) => (object, false),
        };
        if !is_value && !watch.json {
            tell("note: some values were missed, as the record was faster than the output");
            continue;
        }
        let line = if watch.json { format!("{object}\n") } else { for_people(object) };
        // Standard output hands on each line when it ends.
        match stdout().lock().write_all(line.as_bytes()) {
            // Who reads it has seen enough.
            Err(error) => return quiet(Err(error)),
            Ok(()) => left = left.map(|left| left - u64::from(is_value)),
        }
        if left == Some(0) {
            return Ok(());
        }
    }
    tell("the record has closed");
    Ok(())
}

/// The directory that the config of this directory names.
fn of_this_directory() -> Option<PathBuf> {
    Config::read(Path::new("anabranch.toml")).ok()?.data().map(Path::to_path_buf)
}

/// `08:05:09  {"celsius":21.5}`
fn for_people(object: &str) -> String {
    match serde_json::from_str::<Seen<'_>>(object) {
        Ok(Seen { time, value }) => format!("{}  {value}\n", time.get(11..19).unwrap_or(time)),
        Err(_) => format!("{object}\n"),
    }
}
