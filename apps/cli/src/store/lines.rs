//! `put --stdin`: a line of the standard input is a write.

use std::{
    io::{BufRead, Write as _, stdin, stdout},
    panic::resume_unwind,
    sync::mpsc::{self, SyncSender},
    thread,
};

use anabranch::store::{KeyedVersion, Store, Ticket, VersionedValue, Write};
use anabranch_value::Value;

use tokio::sync::mpsc::channel;

use super::{
    database::{Asked, Database},
    people::object,
    write::value,
};
use crate::failure::{Failure, quiet};

/// How many lines may be under way: they share the syncs of the disk.
const UNDER_WAY: usize = 1024;

/// Each line is told as soon as it is durable, whether or not another has come; a line that is wrong ends the reading, and
/// those before it are written and told.
pub fn put_lines(namespace: &str, store: &Store) -> Result<(), Failure> {
    let (submitted, under_way) = mpsc::sync_channel(UNDER_WAY);
    let tell = move || {
        under_way.into_iter().try_for_each(|(key, ticket): (String, Ticket)| -> Result<(), Failure> {
            for version in ticket.wait()? {
                quiet(writeln!(stdout(), "{}", line(namespace, &key, version)?))?;
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
    each_line(|key, value| {
        let write = Write::put(namespace, key, value);
        let ticket = store.submit(vec![write])?;
        // Where telling has failed, it says why.
        Ok(submitted.send((key.to_owned(), ticket)).is_ok())
    })
}

fn line(namespace: &str, key: &str, version: VersionedValue) -> Result<String, Failure> {
    object(&KeyedVersion { namespace: namespace.into(), key: key.into(), version }.into())
}

/// The same through a node, which answers each line once it is durable.
pub fn put_through(namespace: &str, Asked { threads, store }: &Asked) -> Result<(), Failure> {
    let (sender, writes) = channel(UNDER_WAY);
    let namespace = namespace.to_owned();
    // Where nothing can be written any more it waits for a line that nobody wants, and ends with the process.
    let reading = thread::spawn(move || {
        each_line(|key, value| Ok(sender.blocking_send(Write::put(namespace.as_str(), key, value)).is_ok()))
    });
    threads.block_on(async {
        let mut written = store.write_each(writes).await?;
        while let Some(version) = written.next().await? {
            quiet(writeln!(stdout(), "{}", object(&version)?))?;
        }
        Ok::<_, Failure>(())
    })?;
    reading.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// All lines at once, or none of them.
pub fn put_batch(namespace: &str, database: &Database) -> Result<(), Failure> {
    let mut writes = Vec::new();
    each_line(|key, value| {
        writes.push(Write::put(namespace, key, value));
        Ok(true)
    })
    .map_err(|failure| match failure {
        Failure::Line { number, why, .. } => Failure::Line { number, why, before: "nothing was written" },
        other => other,
    })?;
    for version in database.write_batch(writes)? {
        quiet(writeln!(stdout(), "{}", object(&version)?))?;
    }
    Ok(())
}

/// Hands on each line's key and value, until one is wrong or is not wanted.
fn each_line(mut take: impl FnMut(&str, Value) -> Result<bool, Failure>) -> Result<(), Failure> {
    for (number, line) in (1_u64..).zip(stdin().lock().lines()) {
        let line = line.map_err(Failure::Input)?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| Failure::Line { number, why, before: "what was printed before is safe" };
        let parsed = value(&line).map_err(wrong)?;
        let (key, value) = (parsed.get("key"), parsed.get("value"));
        let (Some(Value::String(key)), Some(value)) = (key, value) else {
            return Err(wrong("write it as {\"key\": \"kitchen\", \"value\": 21.5}".into()));
        };
        if !take(key.as_str(), value.clone())? {
            return Ok(());
        }
    }
    Ok(())
}
