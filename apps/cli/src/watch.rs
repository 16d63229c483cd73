//! `anabranch watch`: the values of a record of a running node, as they come.

use std::{
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use anabranch_node::{Client, Config, Event};
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    failure::{Failure, quiet},
    tell,
};

const EXAMPLES: &str = "\
A record with a single-latest begins with its current value, others with the next one that comes. It ends when the node
does, or with Ctrl-C.

Examples:
  anabranch watch temperature                      the node of this directory's anabranch.toml
  anabranch watch temperature --data data          the node that has this directory open
  anabranch watch temperature --limit 1            one value, and end
  anabranch watch temperature --json | jq .value   one JSON object a line

Each JSON line is one value:
  {\"record\": \"temperature\", \"sequence\": 7, \"time\": \"2026-01-31T08:05:09.123456789Z\", \"value\": {…}}
or, where the record was faster than the output: {\"record\": \"temperature\", \"missed\": 3}.

Exit codes: 0 done, 1 failed or no node runs, 2 wrong use, 3 there is no such record";

/// Follow a record of a running node
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Watch {
    /// The record
    #[arg(value_name = "RECORD")]
    pub record: String,

    /// The node's directory; that of ./anabranch.toml when it is not given
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,

    /// End after so many values
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
}

/// A value, as the node tells of it.
#[derive(Deserialize)]
struct Seen<'a> {
    time: &'a str,
    #[serde(borrow)]
    value: &'a RawValue,
}

pub fn run(watch: &Watch) -> Result<(), Failure> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Threads)?;
    threads.block_on(follow(watch))
}

async fn follow(watch: &Watch) -> Result<(), Failure> {
    let data = watch.data.clone().or_else(of_this_directory).ok_or(Failure::WhichNode)?;
    let client = Client::of(data);
    let mut values = client.watch(&watch.record).await?;
    tell(format_args!("watching \"{}\" of the node on {}", watch.record, client.data().display()));
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
