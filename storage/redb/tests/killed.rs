//! Real processes: killed under load at any moment, none of what they acknowledged is lost; and at the limit of a file's
//! size, which is what a full disk is, readers go on, and writers when there is room again.
//!
//! `ANABRANCH_KILLS` says how often.
#![cfg(unix)]

use anabranch_redb::{Options, RedbBackend, sim::Chance};
use anabranch_store::{Backend, BackendError, Batch, Durability, Table, View};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

type Outcome = Result<(), Box<dyn Error>>;

const WRITERS: u64 = 8;
/// Where the process that this one starts finds its database.
const CHILD: &str = "ANABRANCH_CHILD";

fn child_of(test: &str, directory: &Path) -> Result<Command, Box<dyn Error>> {
    let mut shell = Command::new("sh");
    // Whoever ignores the signal of a file that grows too large is told by an error, and ignoring is inherited.
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture"]);
    shell.arg(std::env::current_exe()?).arg(test).env(CHILD, directory);
    Ok(shell)
}

fn child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

fn key(writer: u64, number: u64) -> Vec<u8> {
    [writer.to_be_bytes(), number.to_be_bytes()].concat()
}

/// The row of a key: it can be told whether it is all there.
fn row(writer: u64, number: u64) -> Vec<u8> {
    vec![(writer ^ number) as u8; (number % 900) as usize]
}

/// Each batch has a row of the writer and says in another how far it is: the two may not differ.
fn write_for_ever(directory: &Path) -> Outcome {
    let backend = Arc::new(RedbBackend::open(directory, Options::default())?);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let backend = backend.clone();
            thread::spawn(move || -> Result<(), BackendError> {
                let mut batch = Batch::new();
                let mut number = reached(&backend, writer)?;
                loop {
                    number += 1;
                    batch.clear();
                    batch.put(Table::Versions, &key(writer, number), &row(writer, number));
                    batch.put(Table::Meta, &writer.to_be_bytes(), &number.to_be_bytes());
                    let durable = number % 5 != 0;
                    backend.commit(&batch, if durable { Durability::Immediate } else { Durability::Relaxed })?;
                    if durable {
                        // one write: whole or not at all
                        let line = format!("acknowledged {writer} {number}\n");
                        std::io::stdout().lock().write_all(line.as_bytes()).ok();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().map_err(|_| "a writer panicked")??;
    }
    Ok(())
}

fn reached(backend: &RedbBackend, writer: u64) -> Result<u64, BackendError> {
    let mut reached = 0;
    backend.view()?.get(Table::Meta, &writer.to_be_bytes(), &mut |row| {
        reached = row.try_into().map_or(0, u64::from_be_bytes);
    })?;
    Ok(reached)
}

#[test]
fn a_process_that_is_killed_under_load_loses_nothing_that_it_acknowledged() -> Outcome {
    if let Some(directory) = child() {
        return write_for_ever(&directory);
    }
    let kills = std::env::var("ANABRANCH_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(30_u64);
    let directory = tempfile::tempdir()?;
    let mut chance = Chance::new(kills);
    let mut acknowledged = [0; WRITERS as usize];
    let mut all = 0_u64;
    for kill in 0..kills {
        let test = "a_process_that_is_killed_under_load_loses_nothing_that_it_acknowledged";
        let mut process = child_of(test, directory.path())?.stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().ok_or("no pipe")?).lines();
        let (say, heard) = std::sync::mpsc::channel();
        let reader = thread::spawn(move || {
            let mut seen = Vec::new();
            for line in lines.map_while(Result::ok) {
                let mut words = line.split(' ');
                let mut next = || words.next().and_then(|word| word.parse::<u64>().ok());
                if let (None, Some(writer), Some(number)) = (next(), next(), next()) {
                    seen.push((writer, number));
                    let _ = say.send(());
                }
            }
            seen
        });
        // Under load is after the first acknowledgement; now and then it is killed while it opens.
        if kill % 6 > 0 {
            heard.recv()?;
        }
        thread::sleep(Duration::from_micros(chance.below(200_000)));
        process.kill()?;
        process.wait()?;
        for (writer, number) in reader.join().map_err(|_| "the reader panicked")? {
            acknowledged[usize::try_from(writer)?] = number;
            all += 1;
        }
        let backend = RedbBackend::open(directory.path(), Options::default())?;
        let view = backend.view()?;
        for (writer, acknowledged) in (0..).zip(acknowledged) {
            let reached = reached(&backend, writer)?;
            assert!(reached >= acknowledged, "writer {writer}: {acknowledged} was acknowledged, {reached} is there");
            for number in 1..=reached {
                let mut found = None;
                view.get(Table::Versions, &key(writer, number), &mut |row| found = Some(row.to_vec()))?;
                assert_eq!(found, Some(row(writer, number)), "row {number} of {writer} after kill {kill}");
            }
            let mut beyond = false;
            view.get(Table::Versions, &key(writer, reached + 1), &mut |_| beyond = true)?;
            assert!(!beyond, "half of batch {} of writer {writer} is there", reached + 1);
        }
    }
    println!("{kills} kills, {all} acknowledgements");
    assert!(all > kills, "too few to show anything: {all}");
    Ok(())
}

fn limit(bytes: Option<u64>) -> Outcome {
    Ok(setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: None })?)
}

/// Where there is a limit to the size of files, in a process of its own.
fn fill_up(directory: &Path) -> Outcome {
    let backend = RedbBackend::open(directory, Options::default())?;
    let put = |number: u64, durability| {
        let mut batch = Batch::new();
        batch.put(Table::Versions, &key(0, number), &vec![number as u8; 10_000]);
        batch.put(Table::Meta, b"reached", &number.to_be_bytes());
        backend.commit(&batch, durability)
    };
    let count = || backend.view()?.count(Table::Versions);
    let mut number = 0;
    for round in 1..=3_u64 {
        limit(Some(round << 20))?;
        let before = backend.view()?;
        let seen = before.count(Table::Versions)?;
        // A commit that failed leaves room that it had taken, so one after it may fit: it is full when several do not.
        let mut refused = 0;
        while refused < 5 {
            // the last few before it is full are relaxed: they may not be lost by that
            match put(number + 1, if number % 10 < 3 { Durability::Relaxed } else { Durability::Immediate }) {
                Ok(()) => {
                    number += 1;
                    refused = 0;
                }
                Err(error) => {
                    assert_eq!(error, BackendError::Full);
                    assert_eq!(count()?, number, "views are taken while it is full");
                    refused += 1;
                }
            }
        }
        assert_eq!(before.count(Table::Versions)?, seen, "a view from before goes on");
        for at in 1..=seen {
            let mut found = false;
            before.get(Table::Versions, &key(0, at), &mut |row| found = row == vec![at as u8; 10_000])?;
            assert!(found, "row {at} in a view from before");
        }
        limit(None)?;
        number += 1;
        put(number, Durability::Immediate)?;
        assert_eq!(count()?, number, "there is room again");
    }
    drop(backend);
    assert_eq!(RedbBackend::open(directory, Options::default())?.view()?.count(Table::Versions)?, number);
    Ok(())
}

#[test]
fn at_the_limit_of_a_file_s_size_readers_go_on_and_writers_when_it_is_raised() -> Outcome {
    if let Some(directory) = child() {
        return fill_up(&directory);
    }
    let directory = tempfile::tempdir()?;
    let test = "at_the_limit_of_a_file_s_size_readers_go_on_and_writers_when_it_is_raised";
    assert!(child_of(test, directory.path())?.status()?.success());
    let view = RedbBackend::open(directory.path(), Options::default())?;
    assert!(view.view()?.count(Table::Versions)? > 40);
    Ok(())
}
